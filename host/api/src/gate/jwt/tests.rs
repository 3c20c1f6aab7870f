//! Tokens against issuers: genuine ones, forged ones, and issuers that change their keys or are gone.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all, ready};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use taskyard_task::Timestamp;

use super::*;

const URL: &str = "https://id.example/keys";
const ISSUER: &str = "https://id.example";
const NOW_SECONDS: u64 = 1_000_000;
const MINUTE: Duration = Duration::from_secs(60);
// Made for these tests, and used nowhere else.
const RSA: &[u8] = include_bytes!("fixtures/rsa.pem");
const EC: &[u8] = include_bytes!("fixtures/ec.pem");
const P384: &[u8] = include_bytes!("fixtures/p384.pem");

/// Pages as the test wants them, and how often somebody asked.
#[derive(Default)]
struct Web {
    pages: Mutex<HashMap<String, String>>,
    asked: AtomicUsize,
}

impl FetchDocument for Web {
    fn fetch(&self, url: String, _: usize) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let page = self.pages.lock().unwrap().get(&url).cloned();
        let page = page.ok_or_else(|| "no route to host".to_owned());
        ready(page.map(String::into_bytes)).boxed()
    }
}

impl Web {
    fn has(&self, url: &str, page: &Value) {
        let mut pages = self.pages.lock().unwrap();
        pages.insert(url.to_owned(), page.to_string());
    }

    fn is_down(&self) {
        self.pages.lock().unwrap().clear();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A key of an issuer.
struct Signer {
    id: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    fn new(id: &'static str, algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_pem(EC).unwrap(),
            Algorithm::ES384 => EncodingKey::from_ec_pem(P384).unwrap(),
            Algorithm::EdDSA => ed25519(id),
            _ => EncodingKey::from_rsa_pem(RSA).unwrap(),
        };
        Self { id, algorithm, key }
    }

    fn public(&self) -> Value {
        let key = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        let mut key = serde_json::to_value(key).unwrap();
        key["kid"] = json!(self.id);
        key["use"] = json!("sig");
        key
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some(self.id.to_owned()),
            ..Header::new(self.algorithm)
        };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

/// The key that follows from a name: PKCS #8 around a seed (RFC 8410 7).
fn ed25519(name: &str) -> EncodingKey {
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend(taskyard_task::Digest::of(name.as_bytes()).to_bytes());
    EncodingKey::from_ed_der(&der)
}

fn ed(id: &'static str) -> Signer {
    Signer::new(id, Algorithm::EdDSA)
}

fn jwks(signers: &[&Signer]) -> Value {
    json!({"keys": signers.iter().map(|signer| signer.public()).collect::<Vec<_>>()})
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "yard",
        "sub": "u",
        "tenant": "acme",
        "exp": NOW_SECONDS + 365 * 24 * 3_600,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

struct World {
    issuers: Issuers,
    web: Arc<Web>,
    clock: Clock,
}

fn world(more: Value) -> World {
    let mut config = json!({"issuer": ISSUER, "audiences": ["yard"]});
    let config = {
        let fields = config.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        serde_json::from_value(config).unwrap()
    };
    let clock = Clock::simulated(Timestamp(NOW_SECONDS * 1_000));
    let issuers = Issuers::new(&[config], &clock);
    let web = Arc::new(Web::default());
    issuers.set_fetcher(Arc::clone(&web) as _);
    World {
        issuers,
        web,
        clock,
    }
}

fn at_url() -> World {
    world(json!({"jwks_url": URL}))
}

impl World {
    async fn takes(&self, token: &str) -> bool {
        match self.issuers.verify(token).await {
            Ok(_) => true,
            Err(Denied::Wrong(Credential::Jwt, _)) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn cannot_say(&self, token: &str) -> bool {
        let verified = self.issuers.verify(token).await;
        matches!(verified, Err(Denied::Unavailable(_)))
    }
}

#[tokio::test]
async fn each_algorithm_is_verified_with_its_own_keys() {
    let world = at_url();
    let signers = [
        ed("ed"),
        Signer::new("ec", Algorithm::ES256),
        Signer::new("ec384", Algorithm::ES384),
        Signer::new("rs", Algorithm::RS256),
        Signer::new("rs384", Algorithm::RS384),
        Signer::new("rs512", Algorithm::RS512),
        Signer::new("ps", Algorithm::PS256),
        Signer::new("ps384", Algorithm::PS384),
        Signer::new("ps512", Algorithm::PS512),
    ];
    world.web.has(URL, &jwks(&signers.each_ref()));
    for signer in &signers {
        assert!(world.takes(&signer.sign(&claims())).await, "{}", signer.id);
        for other in signers.iter().filter(|other| other.id != signer.id) {
            let claimed = Signer {
                id: other.id,
                algorithm: signer.algorithm,
                key: signer.key.clone(),
            };
            let token = claimed.sign(&claims());
            assert!(!world.takes(&token).await, "{} as {}", signer.id, other.id);
        }
    }
    assert_eq!(world.web.asked(), 1);
}

#[tokio::test]
async fn what_was_changed_or_never_signed_is_refused() {
    let world = at_url();
    let (signer, stranger) = (ed("a"), ed("stranger"));
    world.web.has(URL, &jwks(&[&signer]));
    let token = signer.sign(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let header = message.split_once('.').unwrap().0;
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let other = encoded(&with("tenant", json!("globex")));
    let none = encoded(&json!({"alg": "none", "kid": "a"}));
    let forged = Signer {
        id: "a",
        ..stranger
    };
    for wrong in [
        format!("{header}.{other}.{signature}"),
        format!("{message}."),
        format!("{none}.{}.", encoded(&claims())),
        format!("{none}.{}.{signature}", encoded(&claims())),
        forged.sign(&claims()),
    ] {
        assert!(!world.takes(&wrong).await, "{wrong}");
    }
    assert!(world.takes(&token).await);
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let world = at_url();
    let signer = Signer::new("rs", Algorithm::RS256);
    world.web.has(URL, &jwks(&[&signer]));
    let header = Header {
        kid: Some("rs".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let modulus = signer.public()["n"].as_str().unwrap().to_owned();
    for secret in [
        modulus.clone().into_bytes(),
        URL_SAFE_NO_PAD.decode(modulus).unwrap(),
    ] {
        let secret = EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
        assert!(!world.takes(&token).await);
    }
}

#[tokio::test]
async fn only_allowed_algorithms_are_taken() {
    let world = world(json!({"jwks_url": URL, "algorithms": ["ES256"]}));
    let (ec, ed) = (Signer::new("ec", Algorithm::ES256), ed("ed"));
    world.web.has(URL, &jwks(&[&ec, &ed]));
    assert!(world.takes(&ec.sign(&claims())).await);
    assert!(!world.takes(&ed.sign(&claims())).await);
}

#[tokio::test]
async fn an_unknown_issuer_is_told_from_an_unknown_audience() {
    let world = world(json!({"jwks_url": URL, "audience_claim": "client_id"}));
    for (claims, reason) in [
        (
            with("iss", json!("https://evil.example")),
            "an unknown issuer",
        ),
        (
            with("client_id", json!("other")),
            "a known issuer and an unknown audience",
        ),
        (claims(), "a known issuer and an unknown audience"),
    ] {
        let verified = world.issuers.verify(&ed("a").sign(&claims)).await;
        let expected = Err(Denied::Wrong(Credential::Jwt, reason));
        assert_eq!(verified.map(|_| ()), expected, "{claims}");
    }
    assert_eq!(world.web.asked(), 0);
    world.web.has(URL, &jwks(&[&ed("a")]));
    let ours = with("client_id", json!("yard"));
    assert!(world.takes(&ed("a").sign(&ours)).await);
}

#[tokio::test]
async fn tokens_for_others_or_other_times_cost_no_fetch() {
    let world = at_url();
    for wrong in [
        with("aud", json!("other")),
        with("iss", json!("https://evil.example")),
        with("exp", json!(NOW_SECONDS - 31)),
        with("exp", Value::Null),
        with("nbf", json!(NOW_SECONDS + 31)),
    ] {
        assert!(!world.takes(&ed("a").sign(&wrong)).await, "{wrong}");
    }
    let long = with("groups", json!("g".repeat(16 << 10)));
    assert!(!world.takes(&ed("a").sign(&long)).await);
    assert_eq!(world.web.asked(), 0);
}

#[tokio::test]
async fn a_token_without_a_key_id_is_tried_with_the_keys_that_fit() {
    let world = at_url();
    let signer = ed("a");
    world.web.has(URL, &jwks(&[&ed("b"), &signer]));
    let header = Header::new(Algorithm::EdDSA);
    let token = jsonwebtoken::encode(&header, &claims(), &signer.key).unwrap();
    assert!(world.takes(&token).await);
}

#[tokio::test]
async fn a_new_key_is_found_and_strangers_cannot_make_the_host_ask_all_the_time() {
    let world = at_url();
    let (old, new) = (ed("old"), ed("new"));
    world.web.has(URL, &jwks(&[&old]));
    assert!(world.takes(&old.sign(&claims())).await);
    world.web.has(URL, &jwks(&[&old, &new]));
    // Asked a moment ago.
    for _ in 0..3 {
        assert!(!world.takes(&new.sign(&claims())).await);
    }
    assert_eq!(world.web.asked(), 1);
    world.clock.advance(Duration::from_secs(30));
    assert!(world.takes(&new.sign(&claims())).await);
    assert!(world.takes(&old.sign(&claims())).await);
    assert!(!world.takes(&ed("made-up").sign(&claims())).await);
    assert_eq!(world.web.asked(), 2);
}

#[tokio::test]
async fn a_key_that_the_issuer_took_back_is_forgotten() {
    let world = at_url();
    let (old, new) = (ed("old"), ed("new"));
    world.web.has(URL, &jwks(&[&old]));
    assert!(world.takes(&old.sign(&claims())).await);
    world.web.has(URL, &jwks(&[&new]));
    world.clock.advance(9 * MINUTE);
    assert!(world.takes(&old.sign(&claims())).await);
    world.clock.advance(MINUTE);
    assert!(!world.takes(&old.sign(&claims())).await);
    assert!(world.takes(&new.sign(&claims())).await);
    assert_eq!(world.web.asked(), 2);
}

#[tokio::test]
async fn while_the_issuer_is_gone_its_keys_stay_good_for_a_day() {
    let world = at_url();
    let (known, unknown) = (ed("a"), ed("b"));
    let (good, other) = (known.sign(&claims()), unknown.sign(&claims()));
    assert!(world.cannot_say(&good).await, "it was never there");
    world.web.has(URL, &jwks(&[&known]));
    assert!(world.cannot_say(&good).await, "asked a moment ago");
    world.clock.advance(Duration::from_secs(5));
    assert!(world.takes(&good).await);

    world.web.is_down();
    world.clock.advance(60 * MINUTE);
    assert!(world.takes(&good).await);
    assert!(world.cannot_say(&other).await, "it may be a new key");
    assert_eq!(world.web.asked(), 3, "one try for both");
    world.clock.advance(24 * 60 * MINUTE);
    assert!(world.cannot_say(&good).await);
    world.web.has(URL, &jwks(&[&known]));
    world.clock.advance(Duration::from_secs(5));
    assert!(world.takes(&good).await);
}

#[tokio::test]
async fn many_requests_ask_once() {
    let world = at_url();
    let signer = ed("a");
    world.web.has(URL, &jwks(&[&signer]));
    let token = signer.sign(&claims());
    let taken = join_all((0..50).map(|_| world.takes(&token))).await;
    assert!(taken.into_iter().all(|taken| taken));
    assert_eq!(world.web.asked(), 1);
}

#[tokio::test]
async fn an_issuer_can_say_where_its_keys_are() {
    let world = world(json!({}));
    let discovery = "https://id.example/.well-known/openid-configuration";
    let signer = ed("a");
    let token = signer.sign(&claims());
    world.web.has(URL, &jwks(&[&signer]));
    world.web.has(
        discovery,
        &json!({"issuer": "https://evil.example", "jwks_uri": URL}),
    );
    assert!(world.cannot_say(&token).await);
    world
        .web
        .has(discovery, &json!({"issuer": ISSUER, "jwks_uri": URL}));
    world.clock.advance(Duration::from_secs(5));
    assert!(world.takes(&token).await);
}

#[tokio::test]
async fn keys_can_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let world = world(json!({"jwks_file": file}));
    let (old, new) = (ed("old"), ed("new"));
    assert!(world.cannot_say(&old.sign(&claims())).await);
    std::fs::write(&file, jwks(&[&old]).to_string()).unwrap();
    world.clock.advance(Duration::from_secs(5));
    assert!(world.takes(&old.sign(&claims())).await);
    std::fs::write(&file, jwks(&[&new]).to_string()).unwrap();
    world.clock.advance(Duration::from_secs(30));
    assert!(world.takes(&new.sign(&claims())).await);
    std::fs::write(&file, vec![b' '; 300_000]).unwrap();
    world.clock.advance(Duration::from_secs(30));
    assert!(world.cannot_say(&old.sign(&claims())).await);
    assert_eq!(world.web.asked(), 0);
}

#[tokio::test]
async fn a_document_that_makes_no_sense_counts_as_an_outage() {
    let world = at_url();
    let token = ed("a").sign(&claims());
    for wrong in [json!({}), json!([]), json!({"keys": vec![json!({}); 65]})] {
        world.web.has(URL, &wrong);
        assert!(world.cannot_say(&token).await, "{wrong:.40}");
        world.clock.advance(Duration::from_secs(5));
    }
}

//! Keys are found or made, and what they sign can be verified with what is published.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::verify;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use taskyard_clock::IdSource;
use tempfile::TempDir;

use crate::{Config, Error, Keyring, canonical_json};

/// The key of RFC 8037 appendix A.1, as PKCS#8.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";
const P256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbc1KfkrV68H1l1U2
A3y3eljTLigfNUB6j4FY2wPHMDOhRANCAATE8ypE2bkxLrXHXW8uSRd5KLoMKxrW
zsOhp6oJZrDvYgNnf1m1JG6HN0bwefa/9Y/9Uiui6n93C4mCrZw5jsm5
-----END PRIVATE KEY-----
";
const P384: &str = "-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDHeWU3DIfJsLRTVAGi
JERSs5kXiYhg45x9AnS6DcvfKQibaTlwkYBI22RstB3jzlShZANiAAQT0iSc6xiX
wtP9nKVPrm3k6bhA4w4GBzF56cD6SCBjw24qfRlgwtGjh7hJQh2AX5uaRxmXyLS8
itD1yYpDK6PghwyZuJr7fFEYriXTOeRG+PY1RtlDBJMtPodM7xRkwmY=
-----END PRIVATE KEY-----
";

/// A folder with keys in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, pem) in [("ed.pem", ED25519), ("p256.pem", P256), ("p384.pem", P384)] {
            fs::write(folder.path(name), pem).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, names: &[&str]) -> Result<Keyring, Error> {
        let config = Config {
            keys: names.iter().map(|name| self.path(name)).collect(),
        };
        Keyring::open(&config, self.0.path(), &IdSource::seeded(1))
    }
}

fn published(keyring: &Keyring) -> JwkSet {
    serde_json::from_value(keyring.jwks()).unwrap()
}

#[test]
fn a_host_without_keys_makes_one_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Keyring::open(&Config::default(), path, &IdSource::system()).unwrap();
    let made = open(folder.path());
    assert_eq!(open(folder.path()).jwks(), made.jwks());
    assert_eq!(made.jwks()["keys"][0]["crv"], "Ed25519");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = folder.path().join("signing-key.pem");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn keys_are_published_under_their_thumbprints() {
    let keyring = Folder::new().open(&["ed.pem", "p256.pem"]).unwrap();
    let jwks = keyring.jwks();
    // RFC 8037 appendix A.2 and A.3.
    assert_eq!(
        jwks["keys"][0],
        json!({
            "use": "sig", "alg": "EdDSA", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        })
    );
    let second = &jwks["keys"][1];
    assert_eq!(
        (&second["kty"], &second["alg"]),
        (&json!("EC"), &json!("ES256"))
    );
    assert!(
        second.get("d").is_none(),
        "the private half is nobody's business"
    );
    let kids: Vec<_> = keyring.ids().collect();
    assert_eq!(kids[1], second["kid"].as_str().unwrap());
}

#[test]
fn every_key_signs_a_card() {
    let keyring = Folder::new().open(&["ed.pem", "p256.pem"]).unwrap();
    let card = json!({"version": "1", "name": "a", "skills": [{"id": "s", "tags": ["t"]}]});
    let signatures = keyring.sign_card(&card, "https://h/jwks").unwrap();
    assert_eq!(signatures.len(), 2);
    let payload = URL_SAFE_NO_PAD.encode(canonical_json(&card).unwrap());
    for (signature, jwk) in signatures.iter().zip(&published(&keyring).keys) {
        let header = URL_SAFE_NO_PAD.decode(&signature.protected).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        let kid = jwk.common.key_id.as_deref().unwrap();
        assert_eq!(header["kid"], kid);
        assert_eq!(
            (&header["typ"], &header["jku"]),
            (&json!("JOSE"), &json!("https://h/jwks"))
        );
        let algorithm: Algorithm = header["alg"].as_str().unwrap().parse().unwrap();
        let key = DecodingKey::from_jwk(jwk).unwrap();
        let is_right = |payload: &str| {
            let message = format!("{}.{payload}", signature.protected);
            verify(&signature.signature, message.as_bytes(), &key, algorithm).unwrap()
        };
        assert!(is_right(&payload), "{kid}");
        assert!(!is_right("e30"), "{kid}");
    }
    assert_eq!(
        keyring.sign_card(&card, "https://h/jwks").unwrap(),
        signatures
    );
}

#[test]
fn the_first_key_signs_tokens() {
    for first in ["ed.pem", "p256.pem"] {
        let other = if first == "ed.pem" {
            "p256.pem"
        } else {
            "ed.pem"
        };
        let keyring = Folder::new().open(&[first, other]).unwrap();
        let token = keyring
            .token(&json!({"aud": "them", "exp": u32::MAX}))
            .unwrap();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(header.kid.as_deref(), keyring.ids().next());
        let keys = published(&keyring);
        let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&["them"]);
        let key = DecodingKey::from_jwk(key).unwrap();
        jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
    }
}

#[test]
fn what_cannot_sign_is_refused_by_name() {
    let folder = Folder::new();
    fs::write(folder.path("empty.pem"), "").unwrap();
    let refused = |names: &[&str]| folder.open(names).unwrap_err().to_string();
    for (names, because) in [
        (&["none.pem"][..], "cannot read"),
        (&["empty.pem"], "empty.pem does not hold a private key"),
        (&["p384.pem"], "p384.pem does not hold a private key"),
        (
            &["ed.pem", "ed.pem"],
            "ed.pem holds a key that is in the list already",
        ),
        (&["ed.pem"; 9], "at most 8 keys"),
    ] {
        let error = refused(names);
        assert!(error.contains(because), "{because:?} in {error:?}");
    }
}

#[test]
fn keys_are_not_printed() {
    let keyring = Folder::new().open(&["ed.pem"]).unwrap();
    let printed = format!("{keyring:?}");
    assert!(
        printed.contains("kPrK_qmx") && !printed.contains("nWGx"),
        "{printed}"
    );
}

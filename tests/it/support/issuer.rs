//! An issuer of tokens on this machine: publishes its keys, and signs what a test wants signed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the hosts under test are called by it.
pub(crate) const AUDIENCE: &str = "taskyard-tests";

/// An issuer, for as long as it is not dropped.
pub(crate) struct Issuer {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    server: JoinHandle<()>,
}

struct Shared {
    /// The name of the key that signs, and the only one that is published.
    key: String,
    is_out: bool,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared {
            key: "first".to_owned(),
            is_out: false,
        }));
        let discovery = json!({
            "issuer": format!("http://{address}"),
            "jwks_uri": format!("http://{address}/keys"),
        });
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async move || Json(discovery)),
            )
            .route("/keys", get(keys))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            server,
        }
    }

    /// Its name, which is also where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Signs with another key from now on, and publishes only that.
    pub(crate) fn rotate(&self, key: &str) {
        self.shared.lock().unwrap().key = key.to_owned();
    }

    /// Whether it answers.
    pub(crate) fn set_out(&self, is_out: bool) {
        self.shared.lock().unwrap().is_out = is_out;
    }

    /// A token for `subject` of `tenant`, with further claims or others.
    #[expect(
        clippy::disallowed_methods,
        reason = "the host under test has the real time"
    )]
    pub(crate) fn token(&self, subject: &str, tenant: &str, more: Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut claims = json!({
            "iss": self.url(),
            "aud": AUDIENCE,
            "sub": subject,
            "tenant": tenant,
            "exp": now.as_secs() + 3_600,
        });
        let fields = claims.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        let name = self.shared.lock().unwrap().key.clone();
        let key = private(&name);
        let header = Header {
            kid: Some(name),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    }

    /// A token with this header and these claims, whatever they are, signed by the key of this name.
    pub(crate) fn signed_by(&self, key: &str, header: Value, claims: &str) -> String {
        let mut whole = json!({"alg": "EdDSA", "typ": "JWT"});
        let members = header.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(members);
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encoded(&whole.to_string()), encoded(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &private(key), Algorithm::EdDSA);
        format!("{message}.{}", signature.unwrap())
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn keys(State(shared): State<Arc<Mutex<Shared>>>) -> Result<Json<Value>, StatusCode> {
    let shared = shared.lock().unwrap();
    if shared.is_out {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let key = Jwk::from_encoding_key(&private(&shared.key), Algorithm::EdDSA).unwrap();
    let mut key = serde_json::to_value(key).unwrap();
    key["kid"] = shared.key.as_str().into();
    Ok(Json(json!({"keys": [key]})))
}

/// The key that follows from a name: PKCS #8 around a seed of 32 bytes (RFC 8410 7).
fn private(name: &str) -> EncodingKey {
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend(format!("{name:.<32}").into_bytes());
    EncodingKey::from_ed_der(&der)
}

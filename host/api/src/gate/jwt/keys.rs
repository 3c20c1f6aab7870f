//! An issuer's public keys (RFC 7517), and whether one of them signed a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::config::JwtAlgorithm;
use super::token::Token;

/// How many keys an issuer may have; those that rotate daily have a handful.
const MAX_KEYS: usize = 64;
/// How many keys are tried for a token that does not say which one it is signed with.
const MAX_TRIED: usize = 4;
/// The sizes of RSA's modulus that are taken, in bytes. Smaller ones can be factored; larger ones are not
/// in use, and slow.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;
/// The size of a coordinate of P-256 and of a key of Ed25519.
const CURVE_BYTES: usize = 32;
/// The size of a coordinate of P-384.
const P384_BYTES: usize = 48;

const RSA: &[JwtAlgorithm] = &[
    JwtAlgorithm::RS256,
    JwtAlgorithm::RS384,
    JwtAlgorithm::RS512,
    JwtAlgorithm::PS256,
    JwtAlgorithm::PS384,
    JwtAlgorithm::PS512,
];
const P256: &[JwtAlgorithm] = &[JwtAlgorithm::ES256];
const P384: &[JwtAlgorithm] = &[JwtAlgorithm::ES384];
const ED25519: &[JwtAlgorithm] = &[JwtAlgorithm::EdDSA];

/// The keys that this host can use.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// What it may have signed with.
    algorithms: Vec<JwtAlgorithm>,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a document of keys. Those for other purposes and of other kinds are left out.
    ///
    /// # Errors
    /// For the operator: what is wrong with the document.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        let document: Document = taskyard_json::from_slice(document)
            .map_err(|error| format!("it is no JSON web key set: {error}"))?;
        if document.keys.len() > MAX_KEYS {
            return Err(format!("it has more than {MAX_KEYS} keys"));
        }
        let keys = document.keys.into_iter();
        let keys = keys.filter_map(|key| serde_json::from_value::<Jwk>(key).ok()?.usable());
        Ok(Self(keys.collect()))
    }

    /// Whether there is the key that a token names, or any if it names none.
    pub(super) fn knows(&self, id: Option<&str>) -> bool {
        self.0.iter().any(|key| key.is_called(id))
    }

    /// Whether one of the keys signed the token.
    pub(super) fn signed(&self, token: &Token<'_>) -> bool {
        let keys = self.0.iter();
        let keys = keys.filter(|key| key.is_called(token.key_id.as_deref()));
        // IMPORTANT: the key says what it is for, never the token: otherwise whoever knows a public key
        // could choose an algorithm that makes a secret of it.
        let keys = keys.filter(|key| key.algorithms.contains(&token.algorithm));
        keys.take(MAX_TRIED).any(|key| key.signed(token))
    }
}

impl Key {
    fn is_called(&self, id: Option<&str>) -> bool {
        id.is_none_or(|id| self.id.as_deref() == Some(id))
    }

    fn signed(&self, token: &Token<'_>) -> bool {
        let (signature, message) = (token.signature, token.message.as_bytes());
        let algorithm = token.algorithm.into();
        let verified = jsonwebtoken::crypto::verify(signature, message, &self.key, algorithm);
        verified.unwrap_or(false)
    }
}

impl Jwk {
    fn usable(self) -> Option<Key> {
        let signs = self.purpose.as_ref().is_none_or(|purpose| purpose == "sig");
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        if !signs || !self.key_ops.as_ref().is_none_or(verifies) {
            return None;
        }
        let (key, algorithms) = self.material()?;
        let algorithms = algorithms.iter().copied();
        let algorithms = algorithms.filter(|algorithm| self.is_for(*algorithm));
        Some(Key {
            key,
            algorithms: algorithms.collect(),
            id: self.kid,
        })
    }

    fn is_for(&self, algorithm: JwtAlgorithm) -> bool {
        // Ed25519 has two names (RFC 9864).
        let name = match algorithm {
            JwtAlgorithm::RS256 => ["RS256", "RS256"],
            JwtAlgorithm::RS384 => ["RS384", "RS384"],
            JwtAlgorithm::RS512 => ["RS512", "RS512"],
            JwtAlgorithm::PS256 => ["PS256", "PS256"],
            JwtAlgorithm::PS384 => ["PS384", "PS384"],
            JwtAlgorithm::PS512 => ["PS512", "PS512"],
            JwtAlgorithm::ES256 => ["ES256", "ES256"],
            JwtAlgorithm::ES384 => ["ES384", "ES384"],
            JwtAlgorithm::EdDSA => ["EdDSA", "Ed25519"],
        };
        self.alg
            .as_ref()
            .is_none_or(|alg| name.contains(&alg.as_str()))
    }

    // IMPORTANT: sizes are checked here, as the library would panic on a short key.
    fn material(&self) -> Option<(DecodingKey, &'static [JwtAlgorithm])> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (bytes(self.n.as_ref())?, bytes(self.e.as_ref())?);
                let key = DecodingKey::from_rsa_raw_components(&n, &e);
                RSA_BYTES.contains(&n.len()).then_some((key, RSA))
            }
            ("EC", Some("P-256")) => Some((self.point(CURVE_BYTES)?, P256)),
            ("EC", Some("P-384")) => Some((self.point(P384_BYTES)?, P384)),
            ("OKP", Some("Ed25519")) => {
                let x = bytes(self.x.as_ref())?;
                let key = DecodingKey::from_ed_der(&x);
                (x.len() == CURVE_BYTES).then_some((key, ED25519))
            }
            _ => None,
        }
    }
}

impl Jwk {
    /// The point of a curve whose coordinates have this size.
    fn point(&self, size: usize) -> Option<DecodingKey> {
        let (x, y) = (self.x.as_ref(), self.y.as_ref());
        let fits = bytes(x)?.len() == size && bytes(y)?.len() == size;
        let key = DecodingKey::from_ec_components(x?, y?).ok()?;
        fits.then_some(key)
    }
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usable(key: Value) -> usize {
        let document = json!({"keys": [key]}).to_string();
        KeySet::parse(document.as_bytes()).unwrap().0.len()
    }

    #[test]
    fn keys_that_cannot_be_used_are_left_out() {
        let encoded = |length: usize| URL_SAFE_NO_PAD.encode(vec![0x81; length]);
        let ed = |x: String| json!({"kty": "OKP", "crv": "Ed25519", "x": x, "use": "sig"});
        let rsa = |n: String| json!({"kty": "RSA", "n": n, "e": "AQAB"});
        assert_eq!(usable(ed(encoded(32))), 1);
        assert_eq!(usable(rsa(encoded(256))), 1);
        let ec = |curve: &str, size: usize| json!({"kty": "EC", "crv": curve, "x": encoded(size), "y": encoded(size)});
        assert_eq!(usable(ec("P-256", 32)), 1);
        assert_eq!(usable(ec("P-384", 48)), 1);
        let mut encrypts = ed(encoded(32));
        encrypts["use"] = json!("enc");
        let mut signs = ed(encoded(32));
        signs["key_ops"] = json!(["sign"]);
        for wrong in [
            encrypts,
            signs,
            ed(encoded(31)),
            ed(String::new()),
            ed("!".to_owned()),
            rsa(encoded(128)),
            rsa(encoded(1_024)),
            json!({"kty": "EC", "crv": "P-256", "x": encoded(32), "y": encoded(31)}),
            ec("P-384", 32),
            ec("P-256", 48),
            ec("P-521", 66),
            ec("secp256k1", 32),
            json!({"kty": "oct", "k": "c2VjcmV0"}),
            json!({"kty": "RSA"}),
            json!({"kid": "a"}),
            json!(7),
        ] {
            assert_eq!(usable(wrong.clone()), 0, "{wrong}");
        }
    }

    #[test]
    fn a_document_is_a_list_of_keys() {
        assert!(KeySet::parse(b"{}").is_err());
        assert!(KeySet::parse(b"<html>").is_err());
        let many = json!({"keys": vec![json!({}); MAX_KEYS + 1]}).to_string();
        assert!(KeySet::parse(many.as_bytes()).is_err());
        let none = KeySet::parse(br#"{"keys": []}"#).unwrap();
        assert!(!none.knows(None));
    }
}

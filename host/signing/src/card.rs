//! The signatures of an agent card (A2A 8.4.2): JWS with the payload left out (RFC 7515 appendix F).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::canonical::{canonical_json, payloads};
use crate::key::Key;

/// One signature, as a card carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardSignature {
    /// The header that was signed with the card, as base64url.
    pub protected: String,
    /// The signature, as base64url.
    pub signature: String,
}

#[derive(Serialize)]
struct ProtectedHeader<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
    jku: &'a str,
}

/// One signature per key and form.
pub(crate) fn sign<'a>(
    keys: impl Iterator<Item = &'a Key>,
    card: &Value,
    jwks_url: &str,
) -> Result<Vec<CardSignature>, Error> {
    let payloads: Vec<_> = payloads(card)?.iter().map(encode).collect();
    let mut signatures = Vec::new();
    for key in keys {
        for payload in &payloads {
            signatures.push(sign_one(key, payload, jwks_url)?);
        }
    }
    Ok(signatures)
}

fn sign_one(key: &Key, payload: &str, jwks_url: &str) -> Result<CardSignature, Error> {
    let header = ProtectedHeader {
        alg: key.algorithm_name(),
        kid: &key.id,
        typ: "JOSE",
        jku: jwks_url,
    };
    let protected = encode(&canonical_json(&header)?);
    let signature = key.sign(&format!("{protected}.{payload}"))?;
    Ok(CardSignature {
        protected,
        signature,
    })
}

fn encode(bytes: &Vec<u8>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

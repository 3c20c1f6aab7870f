//! One private key, and what others may know of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::Error;

/// The length of the secret of an Ed25519 key, in bytes (RFC 8032).
pub(crate) const SEED_BYTES: usize = 32;

/// What stands before the secret in the PKCS#8 form of an Ed25519 key (RFC 8410 7): a version, the name
/// of the algorithm, and the lengths of what follows.
const ED25519_PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A private key.
pub(crate) struct Key {
    /// The thumbprint of its public half (RFC 7638): whoever has the key can compute its name.
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) public: Jwk,
    private: EncodingKey,
}

impl Key {
    /// The key in a PEM file. `None` if it holds none that can be used here.
    pub(crate) fn parse(pem: &[u8]) -> Option<Self> {
        let ed25519 = || EncodingKey::from_ed_pem(pem).map(|key| (key, Algorithm::EdDSA));
        let p256 = || EncodingKey::from_ec_pem(pem).map(|key| (key, Algorithm::ES256));
        let (private, algorithm) = ed25519().or_else(|_| p256()).ok()?;
        let mut public = Jwk::from_encoding_key(&private, algorithm).ok()?;
        let id = public.thumbprint(ThumbprintHash::SHA256).ok()?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Some(Self {
            id,
            algorithm,
            public,
            private,
        })
    }

    /// The signature of `message`, as base64url. Both algorithms are deterministic here, so the same
    /// message always has the same signature.
    pub(crate) fn sign(&self, message: &str) -> Result<String, Error> {
        let signed = sign(message.as_bytes(), &self.private, self.algorithm);
        signed.map_err(|error| Error::Signing(error.to_string()))
    }

    /// A signed token with this header and these claims.
    pub(crate) fn token(&self, header: &Header, claims: &impl Serialize) -> Result<String, Error> {
        let token = jsonwebtoken::encode(header, claims, &self.private);
        token.map_err(|error| Error::Signing(error.to_string()))
    }

    /// The name of its algorithm in JOSE headers (RFC 7518 3.1, RFC 8037 3.1).
    pub(crate) fn algorithm_name(&self) -> &'static str {
        match self.algorithm {
            Algorithm::ES256 => "ES256",
            // `parse` makes no others.
            _ => "EdDSA",
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A new Ed25519 key with this secret, as it is written into a PEM file.
pub(crate) fn ed25519_pem(seed: [u8; SEED_BYTES]) -> String {
    let der = [&ED25519_PKCS8[..], &seed].concat();
    let text = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

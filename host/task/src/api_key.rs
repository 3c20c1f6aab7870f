//! API keys: credentials that operators make and take away while the host runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{AgentName, Digest, InvalidId, Tenant, Timestamp};

/// How many keys a host keeps, the dead ones among them: all of them are in memory, and in one listing.
pub const MAX_API_KEYS: usize = 10_000;
/// The longest name of a key; a line of a listing must hold it.
pub const MAX_API_KEY_NAME: usize = 128;

/// What a credential is good for; by default everything that its tenant may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessScope {
    /// The agents that it may call; all if absent.
    pub agents: Option<Vec<AgentName>>,
    /// Whether it may look only, and neither send nor cancel nor register webhooks.
    pub read_only: bool,
}

impl AccessScope {
    /// Whether it covers calls of `agent`.
    #[must_use]
    pub fn covers(&self, agent: &AgentName) -> bool {
        let agents = self.agents.as_ref();
        agents.is_none_or(|agents| agents.contains(agent))
    }
}

/// The name of a key, which is no secret: 16 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiKeyId([u8; 8]);

impl ApiKeyId {
    /// The id of these bytes, which are random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The id as it is stored in keys of tables.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyId({self})")
    }
}

impl FromStr for ApiKeyId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 8];
        let read = hex::decode_to_slice(text, &mut bytes);
        let id = Self(bytes);
        // One way to write it, so that one secret has one form.
        match read.is_ok() && id.to_string() == text {
            true => Ok(id),
            false => Err(InvalidId::new(
                "an API key's id",
                "16 hexadecimal digits in lower case",
            )),
        }
    }
}

impl TryFrom<String> for ApiKeyId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<ApiKeyId> for String {
    fn from(id: ApiKeyId) -> Self {
        id.to_string()
    }
}

/// What all keys begin with, so that people and scanners recognise one that lies about.
const PREFIX: &str = "tyk_";

/// The text that clients show: the id finds the record, the secret proves the right to use it.
#[must_use]
pub fn api_key_text(id: ApiKeyId, secret: [u8; 32]) -> String {
    format!("{PREFIX}{id}_{}", hex::encode(secret))
}

/// The id in a text that looks like a key.
#[must_use]
pub fn read_api_key_id(text: &str) -> Option<ApiKeyId> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    (secret.len() == 64).then_some(())?;
    id.parse().ok()
}

/// A key as it is kept: who may do what, and a digest of the text that proves it. The text itself is
/// shown once and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its name for programs; part of the text.
    pub id: ApiKeyId,
    /// SHA-256 of the text. No salt: the text has 256 random bits, so nobody guesses it.
    pub digest: Digest,
    /// Whose work its clients do.
    pub tenant: Tenant,
    /// What operators call it.
    pub name: String,
    /// What it is good for.
    pub scope: AccessScope,
    /// Since when it is good.
    pub created_at: Timestamp,
    /// Until when it is good, if not until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything at `now`.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// Since when it opens nothing any more, if so at `now`.
    #[must_use]
    pub fn dead_since(&self, now: Timestamp) -> Option<Timestamp> {
        let expired = self.expires_at.filter(|end| *end <= now);
        [self.revoked_at, expired].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKey {
        ApiKey {
            id: ApiKeyId::from_bytes([0xab; 8]),
            digest: Digest::of(b"text"),
            tenant: Tenant::default(),
            name: "ci".to_owned(),
            scope: AccessScope::default(),
            created_at: Timestamp(10),
            expires_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn the_text_names_the_key() {
        let text = api_key_text(key().id, [0xcd; 32]);
        assert!(text.starts_with("tyk_abababababababab_cdcd"), "{text}");
        assert_eq!(read_api_key_id(&text), Some(key().id));
        for wrong in [
            "",
            "tyk_",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}0"),
            &text.to_uppercase(),
            &text.replace("tyk_abab", "tyk_ABAB"),
        ] {
            assert_eq!(read_api_key_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_lives_until_it_expires_or_is_revoked() {
        let at = Timestamp;
        for (expires, revoked, now, dead) in [
            (None, None, 99, None),
            (Some(50), None, 49, None),
            (Some(50), None, 50, Some(50)),
            (None, Some(40), 99, Some(40)),
            (Some(50), Some(40), 45, Some(40)),
            (Some(50), Some(60), 99, Some(50)),
        ] {
            let key = ApiKey {
                expires_at: expires.map(at),
                revoked_at: revoked.map(at),
                ..key()
            };
            assert_eq!(key.dead_since(at(now)), dead.map(at));
            assert_eq!(key.is_alive(at(now)), dead.is_none());
        }
    }

    #[test]
    fn a_scope_without_agents_covers_all() {
        let (echo, other): (AgentName, AgentName) =
            ("echo".parse().unwrap(), "other".parse().unwrap());
        let narrow = AccessScope {
            agents: Some(vec![echo.clone()]),
            read_only: false,
        };
        assert!(narrow.covers(&echo) && !narrow.covers(&other));
        assert!(AccessScope::default().covers(&other));
    }
}

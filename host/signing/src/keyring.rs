//! The keys of one host, in the order of the configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonwebtoken::Header;
use serde::Serialize;
use serde_json::{Value, json};
use taskyard_clock::IdSource;

use crate::key::Key;
use crate::{CardSignature, Config, Error, card, file};

/// A rotation needs two or three; each key signs every card that is asked for.
const MAX_KEYS: usize = 8;

/// The host's own keys: at least one. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keyring(Arc<Keys>);

#[derive(Debug)]
struct Keys {
    first: Key,
    others: Vec<Key>,
}

impl Keyring {
    /// The configured keys, or the one in the data folder, which is made if it is not there.
    ///
    /// # Errors
    /// For the operator: which key cannot be used, and why.
    pub fn open(config: &Config, data_dir: &Path, ids: &IdSource) -> Result<Self, Error> {
        let Some((first, others)) = config.keys.split_first() else {
            let own = data_dir.join(file::FILE);
            file::ensure(&own, ids)?;
            return Self::load(&own, &[]);
        };
        Self::load(first, others)
    }

    /// Checks the keys that are there, and makes none.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub fn check(config: &Config, data_dir: &Path) -> Result<(), Error> {
        let own = data_dir.join(file::FILE);
        match config.keys.split_first() {
            Some((first, others)) => Self::load(first, others).map(drop),
            None if own.exists() => Self::load(&own, &[]).map(drop),
            None => Ok(()),
        }
    }

    fn load(first: &Path, others: &[PathBuf]) -> Result<Self, Error> {
        if others.len() >= MAX_KEYS {
            return Err(Error::TooMany(MAX_KEYS));
        }
        let mut keys = Keys {
            first: load(first)?,
            others: Vec::with_capacity(others.len()),
        };
        for path in others {
            let key = load(path)?;
            if keys.all().any(|known| known.id == key.id) {
                return Err(Error::Twice(path.clone()));
            }
            keys.others.push(key);
        }
        Ok(Self(Arc::new(keys)))
    }

    /// The public halves of all keys, as a JWK set (RFC 7517 5).
    #[must_use]
    pub fn jwks(&self) -> Value {
        let keys: Vec<_> = self.0.all().map(|key| &key.public).collect();
        json!({"keys": keys})
    }

    /// The names of all keys, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.all().map(|key| key.id.as_str())
    }

    /// The signatures of an agent card, by every key (A2A 8.4). `jwks_url`: where the public halves are.
    ///
    /// # Errors
    /// [`Error::Signing`].
    pub fn sign_card(&self, card: &Value, jwks_url: &str) -> Result<Vec<CardSignature>, Error> {
        card::sign(self.0.all(), card, jwks_url)
    }

    /// A signed token with these claims, by the first key (RFC 7519).
    ///
    /// # Errors
    /// [`Error::Signing`].
    pub fn token(&self, claims: &impl Serialize) -> Result<String, Error> {
        let key = &self.0.first;
        let mut header = Header::new(key.algorithm);
        header.kid = Some(key.id.clone());
        key.token(&header, claims)
    }
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

fn load(path: &Path) -> Result<Key, Error> {
    Key::parse(&file::read(path)?).ok_or_else(|| Error::NotAKey(path.to_owned()))
}

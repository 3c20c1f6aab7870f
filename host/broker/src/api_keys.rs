//! API keys: made, listed and taken back while the host runs.
//!
//! All of them are in memory, so that the gate asks nobody else. A key opens something once it is
//! durable, and nothing any more once its revocation is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use taskyard_storage::{ReadError, Storage};
use taskyard_task::api_key::{MAX_API_KEY_NAME, MAX_API_KEYS, api_key_text};
use taskyard_task::{
    AccessScope, ApiKey, ApiKeyId, Change, Commit, Digest, Partition, Tenant, Timestamp,
};
use tokio::sync::watch;

use crate::broker::Broker;
use crate::error::Error;

/// All keys by their ids, dead ones too.
type ApiKeyMap = Arc<BTreeMap<ApiKeyId, ApiKey>>;

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// Whose work its clients do.
    pub tenant: Tenant,
    /// What operators call it.
    pub name: String,
    /// What it is good for.
    pub scope: AccessScope,
    /// For how many milliseconds it is good; until it is revoked if absent.
    pub lifetime_ms: Option<u64>,
}

/// A key that was just made. Nobody sees its text again.
#[derive(Clone)]
pub struct MadeApiKey {
    /// What is kept of it.
    pub key: ApiKey,
    /// What clients show.
    pub text: String,
}

impl fmt::Debug for MadeApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("MadeApiKey");
        shown.field("key", &self.key).finish_non_exhaustive()
    }
}

pub(crate) struct ApiKeys {
    current: watch::Sender<ApiKeyMap>,
    /// Changes take turns.
    turn: tokio::sync::Mutex<()>,
}

impl ApiKeys {
    pub(crate) fn load(storage: &Storage) -> Result<Self, ReadError> {
        let keys = storage.api_keys()?;
        let map = keys.into_iter().map(|key| (key.id, key)).collect();
        Ok(Self {
            current: watch::Sender::new(Arc::new(map)),
            turn: tokio::sync::Mutex::default(),
        })
    }

    fn current(&self) -> ApiKeyMap {
        Arc::clone(&self.current.borrow())
    }

    fn update(&self, change: impl FnOnce(&mut BTreeMap<ApiKeyId, ApiKey>)) {
        self.current.send_modify(|map| change(Arc::make_mut(map)));
    }
}

impl Broker {
    /// All API keys as they are now, those that open nothing any more among them.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeyMap {
        self.shared.api_keys.current()
    }

    /// Makes a key. If there are as many as there may be, the one that has been dead for longest makes
    /// room. Must run to its end, or what is on disk is not in memory.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name or the lifetime makes no sense; [`Error::TooManyApiKeys`] if all of
    /// them live.
    pub async fn make_api_key(&self, new: NewApiKey) -> Result<MadeApiKey, Error> {
        check(&new)?;
        let keys = &self.shared.api_keys;
        let _turn = keys.turn.lock().await;
        let now = self.shared.sources.clock.now();
        let outlived = self.api_key_to_forget(now)?;
        let made = self.issue(new, now);
        let key = made.key.clone();
        let forget = outlived.map(|id| Change::DeleteApiKey { id });
        let put = Change::PutApiKey {
            key: Box::new(key.clone()),
        };
        self.commit_api_keys(forget.into_iter().chain([put]).collect())
            .await?;
        keys.update(|map| {
            if let Some(id) = outlived {
                map.remove(&id);
            }
            map.insert(key.id, key);
        });
        tracing::info!(key = %made.key.id, name = made.key.name, tenant = %made.key.tenant, "made an API key");
        Ok(made)
    }

    /// Takes a key back: it opens nothing from then on. Changes nothing if it was taken back before. Must
    /// run to its end, or what is on disk is not in memory.
    ///
    /// # Errors
    /// [`Error::ApiKeyNotFound`].
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<ApiKey, Error> {
        let keys = &self.shared.api_keys;
        let _turn = keys.turn.lock().await;
        let key = self.api_keys().get(&id).cloned();
        let mut key = key.ok_or(Error::ApiKeyNotFound)?;
        if key.revoked_at.is_some() {
            return Ok(key);
        }
        key.revoked_at = Some(self.shared.sources.clock.now());
        let put = Change::PutApiKey {
            key: Box::new(key.clone()),
        };
        self.commit_api_keys(vec![put]).await?;
        keys.update(|map| {
            map.insert(id, key.clone());
        });
        tracing::info!(key = %id, name = key.name, tenant = %key.tenant, "revoked an API key");
        Ok(key)
    }

    fn issue(&self, new: NewApiKey, now: Timestamp) -> MadeApiKey {
        let ids = &self.shared.sources.ids;
        let id = ApiKeyId::from_bytes(ids.random());
        let text = api_key_text(id, ids.random());
        let key = ApiKey {
            id,
            digest: Digest::of(text.as_bytes()),
            tenant: new.tenant,
            name: new.name,
            scope: new.scope,
            created_at: now,
            expires_at: new.lifetime_ms.map(|lifetime| now.plus_millis(lifetime)),
            revoked_at: None,
        };
        MadeApiKey { key, text }
    }

    /// The key that one more key displaces, if there are as many as there may be.
    fn api_key_to_forget(&self, now: Timestamp) -> Result<Option<ApiKeyId>, Error> {
        let keys = self.api_keys();
        if keys.len() < MAX_API_KEYS {
            return Ok(None);
        }
        let dead = keys.values();
        let dead = dead.filter_map(|key| Some((key.dead_since(now)?, key.id)));
        dead.min().map_or(
            Err(Error::TooManyApiKeys {
                limit: MAX_API_KEYS,
            }),
            |(_, id)| Ok(Some(id)),
        )
    }

    async fn commit_api_keys(&self, changes: Vec<Change>) -> Result<(), Error> {
        let place = self.place(0).await?;
        let commit = Commit::new(Partition::SYSTEM, 1, changes);
        place.submit(commit, Arc::new(())).await?;
        Ok(())
    }
}

fn check(new: &NewApiKey) -> Result<(), Error> {
    let invalid = |field, problem: String| Err(Error::Invalid { field, problem });
    let is_line = !new.name.is_empty() && !new.name.contains(char::is_control);
    if !is_line || new.name.len() > MAX_API_KEY_NAME {
        let rule = format!("must be one line of 1 to {MAX_API_KEY_NAME} bytes");
        return invalid("name", rule);
    }
    if new.lifetime_ms == Some(0) {
        return invalid("expires_in_seconds", "must be at least 1".to_owned());
    }
    if new.scope.agents.as_ref().is_some_and(Vec::is_empty) {
        return invalid("agents", "must name an agent, or be left out".to_owned());
    }
    Ok(())
}

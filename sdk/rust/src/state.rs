//! State that outlives a run, and in wider scopes the task: small values under keys.
//!
//! A write and its entry in the task's log are one write to the disk, so it happens exactly once. What
//! was read is in the log too: a replay sees what was there then.
//!
//! ```
//! use taskyard_sdk::prelude::*;
//! # struct Counter;
//! # impl Worker for Counter {
//! #     fn describe() -> Manifest { Manifest::new("counter", "1.0.0", "Counts tasks.") }
//!
//! fn run(_: &Task, input: Message) -> Result<Outcome> {
//!     let tasks = state::plugin().update("tasks", |tasks: Option<u32>| tasks.unwrap_or(0) + 1)?;
//!     state::context().set("last-input", &input.text())?;
//!     Ok(Outcome::completed_with(tasks.to_string()))
//! }
//! # }
//! # use taskyard_sdk::testing::{Host, Store};
//! # let store = Store::default();
//! # let run = || Host::new().store(&store).run_with_crashes::<Counter>().final_text();
//! # assert_eq!((run().as_deref(), run().as_deref()), (Some("1"), Some("2")));
//! ```
//!
//! Keys have between 1 and 256 bytes and no zero byte; values have at most 1 MiB. Larger things are
//! artifacts.

use std::time::Duration;
use std::vec;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::millis::{self, Millis};
use crate::{Error, OpError, Result, current};

/// How often [`Scope::update`] tries. Whoever loses that often shares the key with too many others.
const MAX_UPDATES: usize = 16;
/// How many keys are fetched at once: as many as the world allows.
const PAGE_KEYS: u32 = 1_000;

/// Who shares a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Area {
    Task,
    Context,
    Plugin,
    Tenant,
}

/// What is stored under a key, before it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) value: Vec<u8>,
    pub(crate) version: u64,
}

/// What a compare-and-swap did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    Swapped(u64),
    Stale(Option<Stored>),
}

/// State of this task alone; gone when the task ends.
pub fn task() -> Scope {
    Scope { area: Area::Task }
}

/// State of all tasks of this conversation, whichever agent does them.
pub fn context() -> Scope {
    Scope {
        area: Area::Context,
    }
}

/// State of all tasks of this agent and tenant, whichever version of the plugin runs them.
pub fn plugin() -> Scope {
    Scope { area: Area::Plugin }
}

/// State of all tasks of the tenant.
pub fn tenant() -> Scope {
    Scope { area: Area::Tenant }
}

/// Keys and values that the same tasks share. Values are stored as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    pub(crate) area: Area,
}

/// A value and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Grows with every write to the key, and never comes back to what it was.
    pub version: u64,
}

/// What [`Scope::swap`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap<T> {
    /// It wrote; the new version.
    Swapped(u64),
    /// Somebody else had written; what is there now.
    Stale(Option<Versioned<T>>),
}

impl Scope {
    /// The value under `key`; nothing if there is none.
    ///
    /// # Errors
    /// `json`, when the value does not look like a `T`; and see [`OpError`].
    pub fn get<T: DeserializeOwned>(self, key: &str) -> Result<Option<T>> {
        let versioned = self.get_versioned(key)?;
        Ok(versioned.map(|versioned: Versioned<T>| versioned.value))
    }

    /// The value under `key` with its version, for [`swap`](Self::swap).
    ///
    /// # Errors
    /// Like [`get`](Self::get).
    pub fn get_versioned<T: DeserializeOwned>(self, key: &str) -> Result<Option<Versioned<T>>> {
        let stored = current::host().state_get(self.area, key)?;
        stored.map(|stored| decode(key, stored)).transpose()
    }

    /// Stores `value` under `key`, and gives its version.
    ///
    /// # Errors
    /// When `value` has no JSON form; [`OpError::Invalid`] when key or value are too long,
    /// [`OpError::LimitExceeded`] when the scope holds as many keys as the operator allows.
    pub fn set<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Result<u64> {
        self.put(key, value, None)
    }

    /// Like [`set`](Self::set), but the value is gone once `ttl` has passed.
    ///
    /// # Errors
    /// Like [`set`](Self::set).
    pub fn set_for<T: Serialize + ?Sized>(
        self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<u64> {
        self.put(key, value, Some(millis::of_span(ttl)))
    }

    fn put<T: Serialize + ?Sized>(self, key: &str, value: &T, ttl: Option<Millis>) -> Result<u64> {
        let value = serde_json::to_vec(value)?;
        Ok(current::host().state_put(self.area, key, value, ttl)?)
    }

    /// Stores `value` only if the version under `key` is still `expected`; none means that nothing is
    /// there.
    ///
    /// # Errors
    /// Like [`set`](Self::set).
    pub fn swap<T: Serialize + DeserializeOwned>(
        self,
        key: &str,
        expected: Option<u64>,
        value: &T,
    ) -> Result<Swap<T>> {
        let value = serde_json::to_vec(value)?;
        match current::host().state_swap(self.area, key, expected, value)? {
            Written::Swapped(version) => Ok(Swap::Swapped(version)),
            Written::Stale(stored) => {
                let there = stored.map(|stored| decode(key, stored)).transpose()?;
                Ok(Swap::Stale(there))
            }
        }
    }

    /// Changes the value under `key`, and gives the new one. When another task changes it at the same time,
    /// `change` is called again with what is there now, so it must do nothing else.
    ///
    /// # Errors
    /// `contended`, when that happened 16 times in a row; and like [`get`](Self::get) and
    /// [`set`](Self::set).
    pub fn update<T: Serialize + DeserializeOwned>(
        self,
        key: &str,
        mut change: impl FnMut(Option<T>) -> T,
    ) -> Result<T> {
        let mut there = self.get_versioned(key)?;
        for _ in 0..MAX_UPDATES {
            let version = there.as_ref().map(|there| there.version);
            let value = change(there.map(|there| there.value));
            match self.swap(key, version, &value)? {
                Swap::Swapped(_) => return Ok(value),
                Swap::Stale(now) => there = now,
            }
        }
        let message = format!("too many tasks change the key {key:?} at the same time");
        Err(Error::permanent("contended", message))
    }

    /// Removes `key`, if it is there.
    ///
    /// # Errors
    /// See [`OpError`].
    pub fn remove(self, key: &str) -> Result<(), OpError> {
        current::host().state_delete(self.area, key)
    }

    /// The keys that begin with `prefix`, in order. They are fetched as they are needed.
    pub fn keys(self, prefix: &str) -> Keys {
        Keys {
            scope: self,
            prefix: prefix.to_owned(),
            page: Vec::new().into_iter(),
            last: None,
            is_last_page: false,
        }
    }

    /// The value under `key`, as it is stored.
    ///
    /// # Errors
    /// See [`OpError`].
    pub fn get_bytes(self, key: &str) -> Result<Option<Vec<u8>>, OpError> {
        let stored = current::host().state_get(self.area, key)?;
        Ok(stored.map(|stored| stored.value))
    }

    /// Stores a value as it is, and gives its version.
    ///
    /// # Errors
    /// Like [`set`](Self::set).
    pub fn set_bytes(self, key: &str, value: impl Into<Vec<u8>>) -> Result<u64, OpError> {
        current::host().state_put(self.area, key, value.into(), None)
    }
}

fn decode<T: DeserializeOwned>(key: &str, stored: Stored) -> Result<Versioned<T>> {
    let value = serde_json::from_slice(&stored.value).map_err(|error| {
        let message = format!("the state under {key:?}: {error}");
        Error::permanent("json", message)
    })?;
    Ok(Versioned {
        value,
        version: stored.version,
    })
}

/// The keys of a [`Scope`], page by page. An error is the last item.
#[derive(Debug)]
pub struct Keys {
    scope: Scope,
    prefix: String,
    page: vec::IntoIter<String>,
    last: Option<String>,
    is_last_page: bool,
}

impl Keys {
    fn next_page(&mut self) -> Result<(), OpError> {
        let after = self.last.as_deref();
        let fetched =
            current::host().state_keys(self.scope.area, &self.prefix, after, PAGE_KEYS)?;
        self.is_last_page = fetched.len() < PAGE_KEYS as usize;
        self.last = fetched.last().cloned();
        self.page = fetched.into_iter();
        Ok(())
    }
}

impl Iterator for Keys {
    type Item = Result<String, OpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(key) = self.page.next() {
            return Some(Ok(key));
        }
        if self.is_last_page {
            return None;
        }
        if let Err(error) = self.next_page() {
            self.is_last_page = true;
            return Some(Err(error));
        }
        self.page.next().map(Ok)
    }
}

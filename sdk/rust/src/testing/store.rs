//! State in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::millis::Millis;
use crate::state::{Area, Scope, Stored};
use crate::{Identity, OpError};

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 256;
/// The largest value, in bytes.
const MAX_VALUE_BYTES: usize = 1 << 20;
/// The most keys that one call gives.
const MAX_LISTED: usize = 1_000;

/// State that several runs share; see [`Host::store`](super::Host::store). A clone is the same store.
#[derive(Debug, Clone, Default)]
pub struct Store(Rc<RefCell<Shelves>>);

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Shelves {
    writes: u64,
    values: BTreeMap<(Place, String), Item>,
}

#[derive(Debug, Clone, PartialEq)]
struct Item {
    stored: Stored,
    expires_at: Option<Millis>,
}

/// The place that a scope means for one task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Task(String),
    Context(String, String),
    Plugin(String, String),
    Tenant(String),
}

impl Place {
    fn of(area: Area, me: &Identity) -> Self {
        let tenant = me.tenant.clone();
        match area {
            Area::Task => Self::Task(me.task_id.clone()),
            Area::Context => Self::Context(tenant, me.context_id.clone()),
            Area::Plugin => Self::Plugin(tenant, me.agent.clone()),
            Area::Tenant => Self::Tenant(tenant),
        }
    }
}

/// What must be under a key for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Expected {
    Anything,
    /// This version; none if nothing may be there.
    Version(Option<u64>),
}

impl Expected {
    fn allows(self, there: Option<u64>) -> bool {
        match self {
            Self::Anything => true,
            Self::Version(version) => version == there,
        }
    }
}

/// What a worker does with its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum StateCall {
    Get {
        area: Area,
        key: String,
    },
    Put {
        area: Area,
        key: String,
        /// None removes the key.
        value: Option<Vec<u8>>,
        ttl: Option<Millis>,
        expected: Expected,
    },
    Keys {
        area: Area,
        prefix: String,
        after: Option<String>,
        limit: u32,
    },
}

impl StateCall {
    /// Refuses what the host would refuse.
    pub(super) fn check(&self) -> Result<(), OpError> {
        let refuse = |reason: &str| Err(OpError::Invalid(reason.to_owned()));
        match self {
            Self::Get { key, .. } | Self::Put { key, .. }
                if !(1..=MAX_KEY_BYTES).contains(&key.len()) || key.contains('\0') =>
            {
                refuse("a key has between 1 and 256 bytes and no zero byte")
            }
            Self::Put {
                value: Some(value), ..
            } if value.len() > MAX_VALUE_BYTES => refuse("a value has at most 1 MiB"),
            _ => Ok(()),
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum StateResult {
    Found(Option<Stored>),
    Written(u64),
    Stale(Option<Stored>),
    Keys(Vec<String>),
}

impl Store {
    pub(super) fn snapshot(&self) -> Shelves {
        self.0.borrow().clone()
    }

    pub(super) fn restore(&self, shelves: Shelves) {
        self.0.replace(shelves);
    }

    /// Stores a value as if an earlier task had done it.
    pub(super) fn preset(&self, me: &Identity, scope: Scope, key: &str, value: Vec<u8>) {
        let call = StateCall::Put {
            area: scope.area,
            key: key.to_owned(),
            value: Some(value),
            ttl: None,
            expected: Expected::Anything,
        };
        self.apply(me, &call, 0);
    }

    /// Does what a worker asks for.
    pub(super) fn apply(&self, me: &Identity, call: &StateCall, now: Millis) -> StateResult {
        let mut shelves = self.0.borrow_mut();
        shelves.expire(now);
        match call {
            StateCall::Get { area, key } => {
                StateResult::Found(shelves.get(Place::of(*area, me), key))
            }
            StateCall::Put {
                area,
                key,
                value,
                ttl,
                expected,
            } => {
                let place = Place::of(*area, me);
                let there = shelves.get(place.clone(), key);
                let version = there.as_ref().map(|stored| stored.version);
                if !expected.allows(version) {
                    return StateResult::Stale(there);
                }
                let expires_at = ttl.map(|ttl| now.saturating_add(ttl));
                StateResult::Written(shelves.put(place, key, value.clone(), expires_at))
            }
            StateCall::Keys {
                area,
                prefix,
                after,
                limit,
            } => {
                let limit = (*limit as usize).min(MAX_LISTED);
                StateResult::Keys(shelves.keys(&Place::of(*area, me), prefix, after, limit))
            }
        }
    }

    /// What the task of `me` can see.
    pub(super) fn seen_by(&self, me: &Identity, now: Millis) -> BTreeMap<(Area, String), Vec<u8>> {
        let mut shelves = self.0.borrow_mut();
        shelves.expire(now);
        let areas = [Area::Task, Area::Context, Area::Plugin, Area::Tenant];
        let mut seen = BTreeMap::new();
        for ((place, key), item) in &shelves.values {
            if let Some(area) = areas.iter().find(|area| Place::of(**area, me) == *place) {
                seen.insert((*area, key.clone()), item.stored.value.clone());
            }
        }
        seen
    }

    /// The task ended: what was its own is gone.
    pub(super) fn forget_task(&self, me: &Identity) {
        let own = Place::of(Area::Task, me);
        let mut shelves = self.0.borrow_mut();
        shelves.values.retain(|(place, _), _| *place != own);
    }
}

impl Shelves {
    fn expire(&mut self, now: Millis) {
        let is_over = |item: &Item| item.expires_at.is_some_and(|at| at <= now);
        self.values.retain(|_, item| !is_over(item));
    }

    fn get(&self, place: Place, key: &str) -> Option<Stored> {
        let item = self.values.get(&(place, key.to_owned()))?;
        Some(item.stored.clone())
    }

    fn put(
        &mut self,
        place: Place,
        key: &str,
        value: Option<Vec<u8>>,
        expires_at: Option<Millis>,
    ) -> u64 {
        self.writes += 1;
        let version = self.writes;
        let name = (place, key.to_owned());
        match value {
            Some(value) => {
                let stored = Stored { value, version };
                self.values.insert(name, Item { stored, expires_at });
            }
            None => {
                self.values.remove(&name);
            }
        }
        version
    }

    fn keys(
        &self,
        place: &Place,
        prefix: &str,
        after: &Option<String>,
        limit: usize,
    ) -> Vec<String> {
        let keys = self.values.keys().filter(|(there, _)| there == place);
        let keys = keys.map(|(_, key)| key);
        let keys = keys.filter(|key| key.starts_with(prefix));
        let behind = |key: &&String| after.as_ref().is_none_or(|after| *key > after);
        keys.filter(behind).take(limit).cloned().collect()
    }
}

//! State that is decided and on its way to the disk, and the turns in which it is decided.
//!
//! A key is here from its decision until the commit is applied, and can be read from storage afterwards;
//! so what is here is bounded by what may wait for the committer.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskyard_storage::{ReadError, Storage};
use taskyard_task::{StatePlace, Stored, Timestamp};

/// Independent locks, so that places rarely wait for each other.
const SHARDS: usize = 64;
/// Versions that a moment of the clock, a millisecond, has room for. More than can be decided in that
/// time, so versions never run ahead of the clock, and a host that starts again goes on with larger ones.
const VERSIONS_PER_MS: u64 = 1_000;

/// All state that is on its way to the disk.
pub(crate) struct StateOnTheWay {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    last_version: AtomicU64,
}

type Shard = HashMap<StatePlace, Place>;

/// A place that has something on the way.
struct Place {
    /// How many keys it has once all of that is applied.
    held: u64,
    keys: BTreeMap<String, Key>,
}

/// A key that is on the way.
struct Key {
    /// What was decided last; none if it is removed.
    stored: Option<Stored>,
    /// How many commits of it are on the way.
    commits: usize,
}

impl StateOnTheWay {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            last_version: AtomicU64::new(0),
        }
    }

    /// Takes the turn of `place`. Must not be held while waiting for anything but the disk.
    pub(crate) fn turn<'a>(self: &'a Arc<Self>, place: &'a StatePlace) -> PlaceTurn<'a> {
        PlaceTurn {
            all: self,
            place,
            shard: self.shard(place),
        }
    }

    /// A version that no key had before: larger than that of what it replaces, and than all that were
    /// given since the host started, so that it is new even where something was removed.
    pub(crate) fn next_version(&self, now: Timestamp, before: Option<&Stored>) -> u64 {
        let moment = now.0.saturating_mul(VERSIONS_PER_MS);
        let least = before.map_or(0, |stored| stored.version.saturating_add(1));
        let next = |last: u64| last.saturating_add(1).max(moment).max(least);
        let given = self
            .last_version
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last)));
        next(given.unwrap_or_else(|last| last))
    }

    /// Whether nothing is on the way.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.shards
            .iter()
            .all(|shard| shard.lock().unwrap().is_empty())
    }

    fn shard(&self, place: &StatePlace) -> MutexGuard<'_, Shard> {
        let hash = usize::try_from(self.hasher.hash_one(place) % SHARDS as u64).unwrap_or_default();
        let shard = self.shards.get(hash).or(self.shards.first());
        let shard = shard.expect("there is at least one shard");
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn applied(&self, place: &StatePlace, key: &str) {
        let mut shard = self.shard(place);
        let Some(at) = shard.get_mut(place) else {
            return;
        };
        if let Some(found) = at.keys.get_mut(key) {
            found.commits -= 1;
            if found.commits == 0 {
                at.keys.remove(key);
            }
        }
        if at.keys.is_empty() {
            shard.remove(place);
        }
    }
}

/// The right to decide about a place.
pub(crate) struct PlaceTurn<'a> {
    all: &'a Arc<StateOnTheWay>,
    place: &'a StatePlace,
    shard: MutexGuard<'a, Shard>,
}

impl PlaceTurn<'_> {
    /// What was decided about a key that is on the way: the inner none is a removal.
    pub(crate) fn on_the_way(&self, key: &str) -> Option<&Option<Stored>> {
        let found = self.shard.get(self.place)?.keys.get(key)?;
        Some(&found.stored)
    }

    /// The keys that begin with `prefix`, behind `after`, that are on the way, and when what was decided
    /// about them expires; the outer none is a removal.
    pub(crate) fn keys(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> BTreeMap<String, Option<Option<Timestamp>>> {
        let Some(at) = self.shard.get(self.place) else {
            return BTreeMap::new();
        };
        let start = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let from = at.keys.range::<str, _>((start, Bound::Unbounded));
        from.take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, found)| {
                let expires_at = found.stored.as_ref().map(|stored| stored.expires_at);
                (key.clone(), expires_at)
            })
            .collect()
    }

    /// What is under a key as decided last, expired or not, and how many keys the place has.
    pub(crate) fn look(
        &self,
        storage: &Storage,
        key: &str,
    ) -> Result<(Option<Stored>, u64), ReadError> {
        let stored = match self.on_the_way(key) {
            Some(decided) => decided.clone(),
            None => storage.state(self.place, key)?,
        };
        let held = match self.shard.get(self.place) {
            Some(at) => at.held,
            None => storage.state_count(self.place)?,
        };
        Ok((stored, held))
    }

    /// From here on, `after` is what is under the key. `was_there` and `held` are what [`Self::look`]
    /// saw. The result is to be kept until the commit is applied, and not to be dropped within a turn.
    pub(crate) fn decide(
        &mut self,
        key: &str,
        was_there: bool,
        held: u64,
        after: Option<Stored>,
    ) -> KeyOnTheWay {
        let held = match (was_there, after.is_some()) {
            (false, true) => held + 1,
            (true, false) => held.saturating_sub(1),
            (false, false) | (true, true) => held,
        };
        let at = self.shard.entry(self.place.clone()).or_insert(Place {
            held,
            keys: BTreeMap::new(),
        });
        at.held = held;
        let found = at.keys.entry(key.to_owned()).or_insert(Key {
            stored: None,
            commits: 0,
        });
        found.stored = after;
        found.commits += 1;
        KeyOnTheWay {
            all: Arc::clone(self.all),
            place: self.place.clone(),
            key: key.to_owned(),
        }
    }
}

/// One commit of a key that is on the way. Dropped once it is applied.
#[must_use]
pub(crate) struct KeyOnTheWay {
    all: Arc<StateOnTheWay>,
    place: StatePlace,
    key: String,
}

impl Drop for KeyOnTheWay {
    fn drop(&mut self) {
        self.all.applied(&self.place, &self.key);
    }
}

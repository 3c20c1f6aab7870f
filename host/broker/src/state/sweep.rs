//! Removes state whose time is over. Nobody sees it any more; this makes room.

use std::sync::Arc;
use std::time::Duration;

use taskyard_storage::{Durable, Expired, Health, Reservation};
use taskyard_task::commit::StateBefore;
use taskyard_task::{Change, Commit, Partition, StatePlace, Timestamp};

use crate::broker::Broker;
use crate::error::Error;
use crate::look_back::LookBack;

/// How often; until then, expired keys count against the limit of their place.
const PERIOD: Duration = Duration::from_secs(60);
/// Keys that are looked up at once.
const MOST: usize = 256;
/// See [`LookBack`].
const LOOK_BACK_MS: u64 = 600_000;

/// What one sweep came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Swept {
    /// How many keys were removed.
    pub(crate) removed: usize,
    /// Whether everything that has expired was looked at.
    is_all: bool,
}

impl Broker {
    pub(crate) async fn run_state_sweep(self) {
        let mut look_back = LookBack::new(LOOK_BACK_MS);
        loop {
            tokio::select! {
                () = self.shared.closing.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
            let now = self.shared.sources.clock.now();
            let is_writable = self.shared.storage.health() == Health::Writable;
            match self.sweep_state(look_back.since()).await {
                Ok(Swept { removed, is_all }) => {
                    tracing::debug!(removed, "removed expired state");
                    if is_all {
                        look_back.looked(now, is_writable);
                    }
                }
                Err(_) if self.shared.storage.failed().is_some() => return,
                Err(error) => tracing::error!(%error, "cannot remove expired state"),
            }
        }
    }

    /// Removes what has expired since `since`.
    pub(crate) async fn sweep_state(&self, mut since: Timestamp) -> Result<Swept, Error> {
        let now = self.shared.sources.clock.now();
        let mut removed = 0;
        loop {
            let expired = self.shared.storage.expired_state(since, now, MOST)?;
            let here = self.remove_expired(&expired).await?;
            removed += here;
            // Behind what this page removed; the rest of the same moment comes again.
            since = expired.last().map_or(since, |last| last.moment);
            let is_all = expired.len() < MOST;
            // Where nothing could be removed, somebody else is about to.
            if is_all || here == 0 || self.shared.closing.is_cancelled() {
                return Ok(Swept { removed, is_all });
            }
        }
    }

    async fn remove_expired(&self, expired: &[Expired]) -> Result<usize, Error> {
        let (mut removed, mut last) = (0, None);
        for key in expired {
            let reserved = self.shared.storage.reserve(0).await?;
            if let Some(durable) = self.remove_if_expired(key, reserved)? {
                removed += 1;
                last = Some(durable);
            }
        }
        // Commits queue in order, so the last one stands for all. The next look must not find them again.
        if let Some(durable) = last {
            durable.await?;
        }
        Ok(removed)
    }

    fn remove_if_expired(
        &self,
        expired: &Expired,
        reserved: Reservation<'_>,
    ) -> Result<Option<Durable>, Error> {
        let Expired { moment, place, key } = expired;
        let storage = &self.shared.storage;
        let mut turn = self.shared.state.turn(place);
        if turn.on_the_way(key).is_some() {
            // It was written anew or removed, which takes care of the old moment, too.
            return Ok(None);
        }
        let (stored, held) = turn.look(storage, key)?;
        let is_due = match &stored {
            Some(stored) => stored.expires_at == Some(*moment),
            // It was dropped with its task, or somebody was faster.
            None => storage.is_expiry_kept(expired)?,
        };
        if !is_due {
            return Ok(None);
        }
        let change = Change::PutState {
            place: place.clone(),
            key: key.clone(),
            before: StateBefore::Stored {
                expires_at: Some(*moment),
            },
            after: None,
        };
        let commit = Commit::new(partition(place), 1, vec![change]);
        let way = Arc::new(turn.decide(key, stored.is_some(), held, None));
        let durable = reserved.submit(commit, Arc::clone(&way) as _);
        // IMPORTANT: before `way`, because letting go of that takes a turn.
        drop(turn);
        drop(way);
        Ok(Some(durable))
    }
}

/// What no task owns goes with the host's own records.
fn partition(place: &StatePlace) -> Partition {
    match place {
        StatePlace::Task(task) => task.partition(),
        StatePlace::Context(..) | StatePlace::Plugin(..) | StatePlace::Tenant(_) => {
            Partition::SYSTEM
        }
    }
}

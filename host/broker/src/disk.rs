//! No new work while the disk has no room for it. Work that is under way has the reserve to end with.
//!
//! The room is looked at now and then, not for each request.

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskyard_storage::Space;
use taskyard_task::Tenant;

use crate::broker::Broker;
use crate::config::DiskLimits;
use crate::error::Error;

/// How often the room is looked at: how late a full disk is noticed, and that there is room again.
const TICK: Duration = Duration::from_secs(1);
/// When it may be worth trying again while there is no room.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// What is kept of a file system if nothing is configured: so much, or a part of it if it is small.
const RESERVE_BYTES: u64 = 512 << 20;
/// See [`RESERVE_BYTES`].
const RESERVE_PART: u64 = 20;
/// There is room again once a limit is missed by this part of it, so that it does not come and go.
const SLACK_PART: u64 = 16;

/// A limit that keeps new work away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// What is left belongs to work that is under way.
    Reserve,
    /// The database is as large as it may be.
    Max,
    /// The tenant keeps as much as it may.
    Tenant,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reserve => {
                "the host takes no new work: what its disk has left is for work that is under way (storage.reserve_bytes)"
            }
            Self::Tenant => "the tenant keeps as much as it may (limits.max_bytes_per_tenant)",
            Self::Max => {
                "the host takes no new work: its database is as large as it may be (storage.max_bytes)"
            }
        })
    }
}

/// What was seen of the disk last.
#[derive(Debug)]
pub(crate) struct Disk {
    limits: DiskLimits,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    space: Option<Space>,
    full: Option<Full>,
}

impl DiskLimits {
    fn reserve(self, total: u64) -> u64 {
        let usual = RESERVE_BYTES.min(total / RESERVE_PART);
        self.reserve_bytes.unwrap_or(usual)
    }

    /// The limit that keeps new work away, where `before` did so until now.
    fn reached(self, space: Space, before: Option<Full>) -> Option<Full> {
        let slack = |full, limit| match before == Some(full) {
            true => limit / SLACK_PART,
            false => 0,
        };
        let reserve = self.reserve(space.total_bytes);
        if space.free_bytes < reserve.saturating_add(slack(Full::Reserve, reserve)) {
            return Some(Full::Reserve);
        }
        let max = self.max_bytes?;
        (space.used_bytes > max - slack(Full::Max, max)).then_some(Full::Max)
    }
}

impl Disk {
    pub(crate) fn new(limits: DiskLimits) -> Self {
        Self {
            limits,
            seen: Mutex::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much room there was last.
    pub(crate) fn space(&self) -> Option<Space> {
        self.seen().space
    }

    /// The limit that keeps new work away, if one does.
    pub(crate) fn full(&self) -> Option<Full> {
        self.seen().full
    }

    /// Takes note of how much room there is.
    pub(crate) fn saw(&self, space: io::Result<Space>) {
        let space = match space {
            Ok(space) => space,
            // What was seen before holds: a disk that says nothing has no more room than it had.
            Err(error) => {
                tracing::debug!(%error, "cannot look at the room that the disk has");
                return;
            }
        };
        let before = self.full();
        let full = self.limits.reached(space, before);
        *self.seen() = Seen {
            space: Some(space),
            full,
        };
        metrics::gauge!("taskyard_storage_bytes").set(space.used_bytes as f64);
        metrics::gauge!("taskyard_storage_free_bytes").set(space.free_bytes as f64);
        metrics::gauge!("taskyard_storage_full").set(f64::from(u8::from(full.is_some())));
        let (used_bytes, free_bytes) = (space.used_bytes, space.free_bytes);
        match full {
            Some(full) if before != Some(full) => {
                tracing::warn!(used_bytes, free_bytes, "{full}");
            }
            None if before.is_some() => {
                tracing::info!(
                    used_bytes,
                    free_bytes,
                    "the disk has room again; takes new work"
                );
            }
            _ => {}
        }
    }
}

impl Broker {
    /// Whether the disk has room for new work.
    pub(crate) fn check_disk(&self) -> Result<(), Error> {
        self.shared.disk.full().map_or(Ok(()), refuse)
    }

    /// Whether it has room for what a tenant brings.
    pub(crate) fn check_disk_for(&self, tenant: &Tenant) -> Result<(), Error> {
        self.check_disk()?;
        let Some(most) = self.shared.config.limits.max_bytes_per_tenant else {
            return Ok(());
        };
        match self.shared.storage.usage(tenant)?.bytes() >= most {
            true => refuse(Full::Tenant),
            false => Ok(()),
        }
    }

    /// Looks at the disk now and then, until the host ends.
    pub(crate) async fn run_disk(self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.shared.closing.cancelled() => return,
                _ = tick.tick() => {}
            }
            let storage = self.shared.storage.clone();
            // Apart, because a disk that hangs answers nobody.
            match tokio::task::spawn_blocking(move || storage.space()).await {
                Ok(space) => self.shared.disk.saw(space),
                Err(error) => tracing::error!(%error, "cannot look at the disk"),
            }
        }
    }
}

fn refuse(full: Full) -> Result<(), Error> {
    metrics::counter!("taskyard_tasks_refused_total").increment(1);
    Err(Error::StorageFull {
        what: full.to_string(),
        retry_after: RETRY_AFTER,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn new_work_is_refused_before_the_disk_is_full() {
        let usual = DiskLimits::default();
        let reserve = DiskLimits {
            reserve_bytes: Some(160),
            max_bytes: None,
        };
        let max = DiskLimits {
            reserve_bytes: Some(0),
            max_bytes: Some(1_600),
        };
        let (is_reserve, is_max) = (Some(Full::Reserve), Some(Full::Max));
        for (limits, used_bytes, free_bytes, total_bytes, before, expected) in [
            (usual, 0, GIB, 100 * GIB, None, None),
            (usual, 0, GIB / 2 - 1, 100 * GIB, None, is_reserve),
            // A small disk keeps a part of itself.
            (usual, 0, GIB / 20, GIB, None, None),
            (usual, 0, GIB / 20 - 1, GIB, None, is_reserve),
            (reserve, 9_999, 160, 10_000, None, None),
            (reserve, 9_999, 159, 10_000, None, is_reserve),
            // Once refused, there must be a bit more.
            (reserve, 9_999, 169, 10_000, is_reserve, is_reserve),
            (reserve, 9_999, 170, 10_000, is_reserve, None),
            (max, 1_600, 0, 10_000, None, None),
            (max, 1_601, 0, 10_000, None, is_max),
            (max, 1_501, 0, 10_000, is_max, is_max),
            (max, 1_500, 0, 10_000, is_max, None),
        ] {
            let space = Space {
                used_bytes,
                free_bytes,
                total_bytes,
            };
            assert_eq!(limits.reached(space, before), expected, "{space:?}");
        }
    }
}

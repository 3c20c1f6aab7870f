//! What an operator sees at once: what is in line, what runs, and why something does not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use taskyard_storage::Health;
use taskyard_task::TaskState;

use crate::broker::Broker;

/// What is said of a damaged data folder. It names no file, since anybody may ask.
const DAMAGED: &str =
    "the data folder is damaged: some of it cannot be read; the log of the host names the file";

/// How many tenants are listed, those with the longest lines first.
const MAX_TENANTS: usize = 100;

/// If the oldest commit waits for longer, the host is not ready: the disk hangs. A healthy one needs milliseconds,
/// a busy one a second.
pub(crate) const SLOW_COMMIT: Duration = Duration::from_secs(5);
/// Tenants times agents whose tasks that wait for people are counted; more would keep an operator waiting.
const MAX_COUNTED: usize = 20_000;

/// What is in line and what runs.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    /// Tasks in line.
    pub queued: u32,
    /// Tasks that run.
    pub running: u32,
    /// Tasks that stand still until an operator looks at them.
    pub parked: u64,
    /// Tasks that wait for something outside.
    pub waiting: WaitingStats,
    /// How long the task at the head of the oldest line waits, in milliseconds.
    pub oldest_queued_ms: u64,
    /// What was forgotten last; nothing if ended tasks are kept for good, or since the host started.
    pub forgotten: Option<Forgotten>,
    /// Whether the data folder can be written.
    pub store: StoreStats,
    /// Whether the system's clock is believed.
    pub clock: ClockStats,
    /// By tenant, those with the longest lines first.
    pub tenants: Vec<TenantStats>,
    /// What tenants keep on the disk, those with most first.
    pub usage: Vec<TenantUsage>,
}

/// Whether the data folder can be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreStats {
    /// `writable`; `waiting` during a shortage that may pass; `failed` until the host is restarted; `damaged` once something could not be read.
    pub state: &'static str,
    /// How long the oldest commit waits for the disk, in milliseconds.
    pub oldest_commit_ms: u64,
    /// Why it cannot, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which limit keeps it from taking new work, while work that is under way goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<String>,
    /// What the files of the database hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<u64>,
    /// What the file system has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}

/// Tasks that wait for something outside, without taking anything but room on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WaitingStats {
    /// Those that asked for input.
    pub input_required: u64,
    /// Those that asked for credentials.
    pub auth_required: u64,
    /// Those that wait for a timer, a child, a message or the time of their start: all that have not ended, and
    /// neither ask people, nor run, are queued or are parked. Counted one after the other, so a few may be missed.
    pub suspended: u64,
}

/// Whether the host's time follows the system's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClockStats {
    /// `followed`; `stepped` while it does not, because the clock was set by much.
    pub state: &'static str,
    /// How many milliseconds the clock is ahead of the host's time, if that is a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_ms: Option<i64>,
}

/// What the host forgot when it last looked for ended tasks that it need not keep any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// How long that is ago, in milliseconds.
    pub ago_ms: u64,
    /// How many tasks.
    pub tasks: u64,
    /// How many should go too, and are still in use: their webhooks wait for news of them, or somebody
    /// follows them.
    pub in_use: u64,
    /// How long ago the oldest task should have been deleted that was left for the next look, in milliseconds;
    /// 0 if none was. More than a moment means that tasks end faster than they can be deleted.
    pub late_ms: u64,
    /// How many tasks beyond what tenants may keep were left for the next look.
    pub excess: u64,
}

/// What one tenant keeps on the disk.
#[derive(Debug, Clone, Serialize)]
pub struct TenantUsage {
    /// The tenant; empty for the default one.
    pub tenant: String,
    /// Its tasks.
    pub tasks: u64,
    /// The logs of its tasks.
    pub log_bytes: u64,
    /// What is large in them: artifacts, files in messages.
    pub content_bytes: u64,
    /// State of its workers.
    pub state_bytes: u64,
}

/// What one tenant has in line and running.
#[derive(Debug, Clone, Serialize)]
pub struct TenantStats {
    /// The tenant; empty for the default one.
    pub tenant: String,
    /// Its tasks in line.
    pub queued: u32,
    /// Its tasks that run.
    pub running: u32,
    /// Which limit keeps its next task from running, if one does.
    pub blocked_on: Option<&'static str>,
}

impl Broker {
    /// What is in line and what runs, now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let now = self.shared.sources.clock.now();
        let (mut waiting, unfinished) = self.waiting_stats();
        let parked = self.shared.parked.load(Ordering::Relaxed);
        let scheduler = self.scheduler();
        let active = u64::from(scheduler.queued()) + u64::from(scheduler.running()) + parked;
        waiting.suspended = unfinished.saturating_sub(active);
        let mut tenants: Vec<_> = scheduler
            .tenants()
            .map(|(tenant, queued, running, blocked_on)| TenantStats {
                tenant: tenant.to_string(),
                queued,
                running,
                blocked_on,
            })
            .collect();
        tenants.sort_by_key(|tenant| std::cmp::Reverse(tenant.queued));
        tenants.truncate(MAX_TENANTS);
        Stats {
            queued: scheduler.queued(),
            running: scheduler.running(),
            parked,
            waiting,
            oldest_queued_ms: scheduler
                .oldest()
                .map_or(0, |oldest| now.millis_since(oldest)),
            forgotten: self.last_forgotten(now),
            store: self.store_stats(),
            clock: self.clock_stats(),
            tenants,
            usage: self.usage(),
        }
    }

    fn clock_stats(&self) -> ClockStats {
        let step_ms = self.shared.sources.clock.step_ms();
        ClockStats {
            state: step_ms.map_or("followed", |_| "stepped"),
            step_ms,
        }
    }

    /// What an operator should know of a host that takes work.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let step_ms = self.shared.sources.clock.step_ms()?;
        Some(format!(
            "the system's clock was set by {} s and is not followed; if it is right: taskyard clock accept",
            step_ms / 1_000
        ))
    }

    fn usage(&self) -> Vec<TenantUsage> {
        let largest = self.shared.storage.largest_tenants(MAX_TENANTS);
        let largest = largest.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot tell what tenants keep");
            Vec::new()
        });
        let usage = largest.into_iter().map(|(tenant, usage)| TenantUsage {
            tenant: tenant.to_string(),
            tasks: usage.tasks,
            log_bytes: usage.log_bytes,
            content_bytes: usage.content_bytes,
            state_bytes: usage.state_bytes,
        });
        usage.collect()
    }

    fn store_stats(&self) -> StoreStats {
        let health = self.shared.storage.health();
        let oldest = self.shared.storage.oldest_waiting();
        let space = self.shared.disk.space();
        let hang = self.hang();
        let is_damaged = self.shared.storage.is_damaged();
        let state = match health {
            Health::Writable if hang.is_some() => "hanging",
            Health::Writable if is_damaged => "damaged",
            _ => health.word(),
        };
        let trouble = health.trouble().map(|trouble| trouble.to_string());
        let damage = is_damaged.then(|| DAMAGED.to_owned());
        StoreStats {
            state,
            oldest_commit_ms: u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX),
            reason: trouble.or(hang).or(damage),
            full: self.shared.disk.full().map(|full| full.to_string()),
            used_bytes: space.map(|space| space.used_bytes),
            free_bytes: space.map(|space| space.free_bytes),
        }
    }

    /// What waits for people, and how many others have not ended; nothing if it cannot be read.
    fn waiting_stats(&self) -> (WaitingStats, u64) {
        let states = [
            TaskState::InputRequired,
            TaskState::AuthRequired,
            TaskState::Submitted,
            TaskState::Working,
        ];
        let counted = self.shared.storage.count_in(states, MAX_COUNTED);
        let [input_required, auth_required, submitted, working] = counted.unwrap_or_default();
        let waiting = WaitingStats {
            input_required,
            auth_required,
            suspended: 0,
        };
        (waiting, submitted + working)
    }

    /// Says so if the disk does not answer. One that answered that it cannot write is no such case.
    fn hang(&self) -> Option<String> {
        let oldest = self.shared.storage.oldest_waiting();
        let is_writable = self.shared.storage.health() == Health::Writable;
        (is_writable && oldest > SLOW_COMMIT).then(|| {
            format!(
                "the disk of the data folder does not answer: a write has been waiting for {} s",
                oldest.as_secs()
            )
        })
    }

    /// Watches how long commits wait; the log says when the disk hangs, and when that is over.
    pub(crate) async fn run_commit_watch(self) {
        let stop = self.shared.closing.clone();
        let oldest_seconds = metrics::gauge!("taskyard_oldest_commit_seconds");
        let mut hangs = false;
        loop {
            let oldest = self.shared.storage.oldest_waiting();
            oldest_seconds.set(oldest.as_secs_f64());
            let hang = self.hang();
            if let Some(reason) = hang.as_deref().filter(|_| !hangs) {
                tracing::error!(reason, "takes no new work meanwhile, says /readyz");
            }
            if hangs && hang.is_none() {
                tracing::info!("the disk of the data folder answers again");
            }
            hangs = hang.is_some();
            let wait = tokio::time::sleep(Duration::from_secs(1));
            if stop.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    /// Whether the process does what it is for; `Err` says why only a restart can help.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn is_alive(&self) -> Result<(), String> {
        match self.shared.storage.failed() {
            Some(failed) => Err(format!("{failed}; fix the disk, then restart the host")),
            None => Ok(()),
        }
    }

    /// Whether the host takes work; `Err` says why not.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn is_ready(&self) -> Result<(), String> {
        if let Some(trouble) = self.shared.storage.health().trouble() {
            return Err(trouble.to_string());
        }
        if self.shared.storage.is_damaged() {
            return Err(DAMAGED.to_owned());
        }
        if let Some(full) = self.shared.disk.full() {
            return Err(full.to_string());
        }
        if let Some(hang) = self.hang() {
            return Err(hang);
        }
        if self.shared.leaving.is_cancelled() || self.shared.closing.is_cancelled() {
            return Err("the host is shutting down".to_owned());
        }
        Ok(())
    }
}

//! Retention: ended tasks are forgotten after a while, in the background.
//!
//! Off unless the operator says so. Whatever still works with a task keeps it: somebody who follows it, a
//! webhook that is to hear of it, a parent that does not know its end yet, a child elsewhere that is not
//! over. Each of these ends by itself, and the task is looked at again.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use taskyard_storage::{EndedTask, Lane};
use taskyard_task::{Header, Input, Letter, News, Refusal, TaskId, Tenant, Timestamp};

use crate::broker::Broker;
use crate::error::Error;
use crate::slots::Committed;
use crate::stats::Forgotten;

/// Tasks that are forgotten in one go, and so in few batches of the committer: what others want to write
/// waits for that many.
const AT_ONCE: usize = 64;
/// How long to wait before going on: leaves the disk to others, and still forgets thousands in a second.
const PAUSE: Duration = Duration::from_millis(10);
/// Tasks of one tenant that are forgotten before it is the others' turn.
const MOST_OF_A_TENANT: usize = 4_096;
/// How often, at least: a count is exceeded by what ends within that time.
const MOST_PERIOD: Duration = Duration::from_secs(60);
/// How often, at most.
const LEAST_PERIOD: Duration = Duration::from_secs(1);
/// By which part of its time a task may stay too long.
const LATENESS: u64 = 20;

/// What one look at all ended tasks came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Round {
    at: Timestamp,
    pub(crate) forgotten: u64,
    pub(crate) in_use: u64,
    /// Whether there is more to forget, and nothing but its turn to wait for.
    is_cut: bool,
}

/// Why a task is to be forgotten.
#[derive(Debug, Clone, Copy)]
enum Why {
    Age,
    Count,
}

impl Why {
    fn word(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Count => "count",
        }
    }
}

/// Which ended tasks of a tenant are to be forgotten. Asked about them in the order of their ends.
struct Bounds {
    /// What ended by then.
    ended_by: Option<Timestamp>,
    /// How many more than there may be.
    excess: u64,
}

impl Bounds {
    fn why(&self, task: EndedTask) -> Option<Why> {
        if self.ended_by.is_some_and(|by| task.ended_at <= by) {
            Some(Why::Age)
        } else if self.excess > 0 {
            Some(Why::Count)
        } else {
            None
        }
    }
}

impl Broker {
    pub(crate) async fn run_retention(self) {
        if !self.shared.config.retention.is_on() {
            return;
        }
        let stop = self.shared.closing.clone();
        stop.run_until_cancelled(async {
            let mut wait = self.retention_period();
            loop {
                tokio::time::sleep(wait).await;
                wait = match self.forget_due().await {
                    Ok(round) if round.is_cut => PAUSE,
                    Ok(_) => self.retention_period(),
                    Err(_) if self.shared.storage.failed().is_some() => return,
                    Err(error) => {
                        tracing::error!(%error, "cannot forget ended tasks");
                        self.retention_period()
                    }
                };
            }
        })
        .await;
    }

    fn retention_period(&self) -> Duration {
        let age = self.shared.config.retention.max_age_seconds;
        let period =
            age.map(|seconds| Duration::from_millis(seconds.saturating_mul(1_000) / LATENESS));
        period.map_or(MOST_PERIOD, |period| {
            period.clamp(LEAST_PERIOD, MOST_PERIOD)
        })
    }

    /// Forgets the ended tasks that need not be kept, tenant by tenant.
    pub(crate) async fn forget_due(&self) -> Result<Round, Error> {
        let mut round = Round::default();
        let mut last = None;
        while let Some(tenant) = self.shared.storage.tenant_with_ended(last.as_ref())? {
            self.forget_of(&tenant, &mut round).await?;
            last = Some(tenant);
        }
        round.at = self.shared.sources.clock.now();
        self.note(round);
        Ok(round)
    }

    /// Also past those that are in use: they must not keep the others here.
    async fn forget_of(&self, tenant: &Tenant, round: &mut Round) -> Result<(), Error> {
        let mut bounds = self.bounds(tenant)?;
        let (mut forgotten, mut after) = (0, None);
        loop {
            let page = self.shared.storage.ended(tenant, after, AT_ONCE)?;
            after = page.last().copied();
            let is_last = page.len() < AT_ONCE;
            let (here, is_over) = self.forget_page(page, &mut bounds, round).await?;
            forgotten += here;
            if is_last || is_over {
                return Ok(());
            }
            if forgotten >= MOST_OF_A_TENANT {
                round.is_cut = true;
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tells how many tasks were forgotten, and whether there is one that is to be kept, as are all later
    /// ones.
    async fn forget_page(
        &self,
        page: Vec<EndedTask>,
        bounds: &mut Bounds,
        round: &mut Round,
    ) -> Result<(usize, bool), Error> {
        let (mut forgotten, mut is_over, mut last) = (0, false, None);
        for ended in page {
            let Some(why) = bounds.why(ended) else {
                is_over = true;
                break;
            };
            let Some(durable) = self.forget_task(ended.task).await? else {
                round.in_use += 1;
                continue;
            };
            metrics::counter!("taskyard_tasks_forgotten_total", "why" => why.word()).increment(1);
            bounds.excess = bounds.excess.saturating_sub(1);
            round.forgotten += 1;
            forgotten += 1;
            last = Some(durable);
        }
        // Commits queue in order, so the last one stands for all. The next look must not find them again.
        if let Some(durable) = last {
            durable.await?;
        }
        Ok((forgotten, is_over))
    }

    fn bounds(&self, tenant: &Tenant) -> Result<Bounds, Error> {
        let config = self.shared.config.retention;
        let now = self.shared.sources.clock.now();
        let age = config.max_age_seconds.map(|age| age.saturating_mul(1_000));
        let excess = match config.max_tasks_per_tenant {
            Some(most) => self
                .shared
                .storage
                .count_ended(tenant)?
                .saturating_sub(most),
            None => 0,
        };
        Ok(Bounds {
            ended_by: age.and_then(|age| now.0.checked_sub(age)).map(Timestamp),
            excess,
        })
    }

    /// Nothing if the task is still in use.
    async fn forget_task(&self, task: TaskId) -> Result<Option<Committed>, Error> {
        // It has ended, so there will be no more.
        let input = Input::Forget {
            keys: self.shared.storage.keys_of(task)?,
        };
        let place = self
            .shared
            .storage
            .reserve(crate::broker::input_size(&input))
            .await?;
        let slot = self.shared.slots.get(task);
        let unless_used = |header: &Header| {
            // IMPORTANT: both within the turn. What is decided and not durable yet has the slot; what is
            // durable can be read.
            match Arc::strong_count(&slot) > 1 || self.is_needed(header)? {
                true => Err(Refusal::Busy.into()),
                false => Ok(()),
            }
        };
        match self.change_now(&slot, place, input, unless_used) {
            Ok((_, durable)) => Ok(durable),
            // The latter is about to go already.
            Err(Error::Refused(Refusal::Busy) | Error::TaskNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether something that goes on by itself needs what is kept of an ended task.
    fn is_needed(&self, header: &Header) -> Result<bool, Error> {
        let storage = &self.shared.storage;
        if let Some(letter) = end_letter(header)
            && storage.is_posted(&letter)?
        {
            return Ok(true);
        }
        for config in &header.push {
            if self.is_due(header.id, config)? {
                return Ok(true);
            }
        }
        Ok(storage.has_remotes(header.id)?)
    }

    /// Whether a webhook is still to hear something. One that the host gave up does not count.
    fn is_due(&self, task: TaskId, config: &str) -> Result<bool, Error> {
        let storage = &self.shared.storage;
        let config = config.to_owned();
        let lane = Lane { task, config };
        if storage.next_due(&lane)?.is_none() {
            return Ok(false);
        }
        let state = storage.delivery_state(&lane)?;
        Ok(state.is_none_or(|state| state.retry_at.is_some()))
    }

    fn note(&self, round: Round) {
        metrics::gauge!("taskyard_tasks_to_forget_in_use").set(round.in_use as f64);
        if round.forgotten > 0 {
            let Round {
                forgotten, in_use, ..
            } = round;
            tracing::info!(tasks = forgotten, in_use, "forgot ended tasks");
        }
        let last = self.shared.forgotten.lock();
        *last.unwrap_or_else(PoisonError::into_inner) = Some(round);
    }

    /// What was forgotten last, as of `now`.
    pub(crate) fn last_forgotten(&self, now: Timestamp) -> Option<Forgotten> {
        let last = self.shared.forgotten.lock();
        let last = *last.unwrap_or_else(PoisonError::into_inner);
        last.map(|round| Forgotten {
            ago_ms: now.millis_since(round.at),
            tasks: round.forgotten,
            in_use: round.in_use,
        })
    }
}

/// The letter that tells a task's parent of its end.
fn end_letter(header: &Header) -> Option<Letter> {
    header.parent.map(|parent| Letter {
        to: parent.task,
        from: header.id,
        ticket: parent.ticket,
        news: News::ChildEnded,
    })
}

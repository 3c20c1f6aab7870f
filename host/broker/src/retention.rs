//! Retention: ended tasks are forgotten after a while, in the background.
//!
//! Off unless the operator says so. Whatever still works with a task keeps it: somebody who follows it, a
//! webhook that is to hear of it, a parent that does not know its end yet, a child elsewhere that is not
//! over. Each of these ends by itself, and the task is looked at again.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, MutexGuard, PoisonError};
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
/// How long to wait before going on while there is time: leaves the disk to others.
const PAUSE: Duration = Duration::from_millis(10);
/// Tasks of one tenant that are forgotten before it is the others' turn.
const MOST_OF_A_TENANT: usize = if cfg!(test) { 2 * AT_ONCE } else { 4_096 };
/// So many to forget in one go are a backlog.
const BACKLOG: usize = 4 * AT_ONCE;
/// How often, at least: a count is exceeded by what ends within that time.
const MOST_PERIOD: Duration = Duration::from_secs(60);
/// How often, at most.
const LEAST_PERIOD: Duration = Duration::from_secs(1);
/// By which part of its time a task may stay too long.
const LATENESS: u64 = 20;

/// A task can be found by its end a little after that, as its commit takes time. Looking back this far finds it,
/// and spares walking over the rows of all tasks that were ever forgotten.
const LOOK_BACK_MS: u64 = 60_000;
/// Tenants of which it is remembered where their ended tasks begin. Others begin with the first row there was.
const MAX_HEADS: usize = 100_000;

/// Where the ended tasks of each tenant begin, as far as it is known: all earlier ones are forgotten.
#[derive(Default)]
pub(crate) struct Heads(BTreeMap<Tenant, Timestamp>);

impl Heads {
    fn of(&self, tenant: &Tenant) -> Timestamp {
        self.0.get(tenant).copied().unwrap_or_default()
    }

    /// The first tenant behind `tenant` that is known.
    fn behind(&self, tenant: Option<&Tenant>) -> Option<(&Tenant, Timestamp)> {
        let start = tenant.map_or(Unbounded, Excluded);
        let mut known = self.0.range::<Tenant, _>((start, Unbounded));
        known.next().map(|(tenant, head)| (tenant, *head))
    }

    /// The first task of the tenant that stays ended then.
    fn set(&mut self, tenant: &Tenant, first: Timestamp) {
        if self.0.len() >= MAX_HEADS {
            self.0.clear();
        }
        self.0.insert(tenant.clone(), before(first));
    }

    /// What ends from now on comes behind all of them, also where the clock was set back.
    fn cut(&mut self, now: Timestamp) {
        for head in self.0.values_mut() {
            *head = (*head).min(before(now));
        }
    }
}

fn before(moment: Timestamp) -> Timestamp {
    Timestamp(moment.0.saturating_sub(LOOK_BACK_MS))
}

/// What one look at all ended tasks came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Round {
    at: Timestamp,
    pub(crate) forgotten: u64,
    pub(crate) in_use: u64,
    /// How long ago the oldest task should have been forgotten that is still there and not in use.
    pub(crate) late_ms: u64,
    /// How many such tasks there are beyond what tenants may keep.
    pub(crate) excess: u64,
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

/// What became of a page of ended tasks.
#[derive(Default)]
struct PageDone {
    forgotten: usize,
    first_kept: Option<EndedTask>,
    /// The last one that was forgotten: those after it may be as late.
    last: Option<EndedTask>,
    /// Whether there is one that is to be kept, as are all later ones.
    is_over: bool,
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
                if self.shared.sources.clock.step_ms().is_some() {
                    // What is deleted is gone, and it is in doubt what time it is.
                    wait = self.retention_period();
                    continue;
                }
                wait = match self.forget_due().await {
                    Ok(round) if round.is_cut => Duration::ZERO,
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
        let mut heads = std::mem::take(&mut *self.heads());
        let round = self.forget_all(&mut heads).await?;
        *self.heads() = heads;
        self.note(round);
        Ok(round)
    }

    async fn forget_all(&self, heads: &mut Heads) -> Result<Round, Error> {
        let mut round = Round::default();
        let mut last: Option<Tenant> = None;
        heads.cut(self.shared.sources.clock.now());
        loop {
            let known = heads.behind(last.as_ref());
            let found = self
                .shared
                .storage
                .tenant_with_ended(last.as_ref(), known)?;
            let Some(tenant) = found else { break };
            self.forget_of(&tenant, heads, &mut round).await?;
            last = Some(tenant);
        }
        round.at = self.shared.sources.clock.now();
        Ok(round)
    }

    /// Not held across a wait.
    fn heads(&self) -> MutexGuard<'_, Heads> {
        let heads = self.shared.ended_heads.lock();
        heads.unwrap_or_else(PoisonError::into_inner)
    }

    /// Also past those that are in use: they must not keep the others here.
    async fn forget_of(
        &self,
        tenant: &Tenant,
        heads: &mut Heads,
        round: &mut Round,
    ) -> Result<(), Error> {
        let mut bounds = self.bounds(tenant)?;
        let from = heads.of(tenant);
        let (mut forgotten, mut after, mut kept) = (0, None, None);
        loop {
            let page = self.shared.storage.ended(tenant, from, after, AT_ONCE)?;
            after = page.last().copied();
            let is_last = page.len() < AT_ONCE;
            let done = self.forget_page(page, &mut bounds, round).await?;
            forgotten += done.forgotten;
            kept = kept.or(done.first_kept);
            if let Some(first) = kept.or(after) {
                heads.set(tenant, first.ended_at);
            }
            if is_last || done.is_over {
                return Ok(());
            }
            if forgotten >= MOST_OF_A_TENANT {
                round.is_cut = true;
                round.late_ms = round.late_ms.max(self.lateness(done.last));
                round.excess += bounds.excess;
                return Ok(());
            }
            // A backlog does not go away by waiting: the commits of a page are pace enough.
            if forgotten < BACKLOG {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn forget_page(
        &self,
        page: Vec<EndedTask>,
        bounds: &mut Bounds,
        round: &mut Round,
    ) -> Result<PageDone, Error> {
        let (mut done, mut last) = (PageDone::default(), None);
        for ended in page {
            let Some(why) = bounds.why(ended) else {
                done.first_kept.get_or_insert(ended);
                done.is_over = true;
                break;
            };
            let Some(durable) = self.forget_task(ended.task).await? else {
                done.first_kept.get_or_insert(ended);
                round.in_use += 1;
                continue;
            };
            metrics::counter!("taskyard_tasks_forgotten_total", "why" => why.word()).increment(1);
            bounds.excess = bounds.excess.saturating_sub(1);
            round.forgotten += 1;
            done.forgotten += 1;
            done.last = Some(ended);
            last = Some(durable);
        }
        // Commits queue in order, so the last one stands for all. The next look must not find them again.
        if let Some(durable) = last {
            durable.await?;
        }
        Ok(done)
    }

    /// How long ago a task should have been forgotten because of its age.
    fn lateness(&self, task: Option<EndedTask>) -> u64 {
        let age = self.shared.config.retention.max_age_seconds;
        let now = self.shared.sources.clock.now();
        let (Some(age), Some(task)) = (age, task) else {
            return 0;
        };
        let age = age.saturating_mul(1_000);
        now.millis_since(task.ended_at.plus_millis(age))
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
        let head = self.shared.outbox.head(&lane);
        if storage.next_due(&lane, head)?.is_none() {
            return Ok(false);
        }
        let state = storage.delivery_state(&lane)?;
        Ok(state.is_none_or(|state| state.retry_at.is_some()))
    }

    fn note(&self, round: Round) {
        metrics::gauge!("taskyard_tasks_to_forget_in_use").set(round.in_use as f64);
        metrics::gauge!("taskyard_tasks_to_forget").set(round.excess as f64);
        metrics::gauge!("taskyard_retention_late_seconds").set(round.late_ms as f64 / 1_000.0);
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
            // What was left then has only become later.
            late_ms: match round.is_cut && round.late_ms > 0 {
                true => round.late_ms + now.millis_since(round.at),
                false => 0,
            },
            excess: round.excess,
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

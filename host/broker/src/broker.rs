//! The handle to the broker, what it is made of, and the one write path.

use std::any::Any;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use taskyard_clock::{Clock, IdSource};
use taskyard_storage::{Numbered, OpenError, ReadError, Reservation, Storage, WorkItem};
use taskyard_task::decide::Rules;
use taskyard_task::{Change, Decision, Event, Header, Input, Phase, RemoteStage, TaskId, decide};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agents::{Agents, Inspector};
use crate::announcer::Announcer;
use crate::api_keys::ApiKeys;
use crate::config::Config;
use crate::disk::Disk;
use crate::error::Error;
use crate::hold::Wait;
use crate::letters::Mailbox;
use crate::outbox::Outbox;
use crate::probe::Prober;
use crate::push::WebhookPolicy;
use crate::remotes::Remotes;
use crate::retention::{Heads, Round};
use crate::scheduler::Scheduler;
use crate::send::IdempotencyLocks;
use crate::slots::{Committed, Slot, Slots};
use crate::state::StateOnTheWay;

/// What a commit costs in the committer's queue when its size is not known yet.
const SMALL_COMMIT_BYTES: usize = 1_024;

/// The handle to the broker. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    pub(crate) shared: Arc<Shared>,
}

/// Where time, ids and chance come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The clock.
    pub clock: Clock,
    /// Ids, seeds, jitter.
    pub ids: IdSource,
}

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) sources: Sources,
    pub(crate) storage: Storage,
    pub(crate) slots: Arc<Slots>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) remotes: Arc<Remotes>,
    pub(crate) state: Arc<StateOnTheWay>,
    pub(crate) agents: Agents,
    pub(crate) api_keys: ApiKeys,
    pub(crate) announcer: Announcer,
    pub(crate) idempotency: IdempotencyLocks,
    pub(crate) disk: Disk,
    pub(crate) inspector: OnceLock<Arc<dyn Inspector>>,
    pub(crate) webhooks: OnceLock<Arc<dyn WebhookPolicy>>,
    pub(crate) prober: OnceLock<Arc<dyn Prober>>,
    /// Parked tasks as decided, whether that is durable yet or not.
    pub(crate) parked: AtomicU64,
    /// What was forgotten last.
    pub(crate) forgotten: Mutex<Option<Round>>,
    /// Where ended tasks begin that are still kept.
    pub(crate) ended_heads: Mutex<Heads>,
    scheduler: Mutex<Scheduler>,
    /// Something may be ready for a run.
    pub(crate) runnable: Notify,
    /// A run is over.
    pub(crate) run_over: Notify,
    /// Cancelled when the host is about to stop: it still works, and says that it is not ready.
    pub(crate) leaving: CancellationToken,
    /// No new tasks, no new runs.
    pub(crate) closing: CancellationToken,
    /// Nothing can be stored any more.
    pub(crate) failed: CancellationToken,
    pub(crate) background: TaskTracker,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}

impl Broker {
    /// Opens the data folder and takes up every task where it was: what ran or was in line is in line.
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`] if the folder cannot be used; always for the operator.
    pub fn open(
        storage: &taskyard_storage::Config,
        config: Config,
        sources: Sources,
    ) -> Result<Self, OpenError> {
        let listeners = Listeners::default();
        let publisher = listeners.clone();
        let opened = Storage::open(storage, move |group| publisher.publish(group))?;
        Self::with_storage(opened, listeners, config, sources)
            .map_err(|error| OpenError::reading(&storage.folder, &error))
    }

    pub(crate) fn with_storage(
        storage: Storage,
        listeners: Listeners,
        config: Config,
        sources: Sources,
    ) -> Result<Self, ReadError> {
        let agents = Agents::load(&storage)?;
        let api_keys = ApiKeys::load(&storage)?;
        let work = storage.work()?;
        let scheduler = recover(work.clone(), &config, &agents);
        let Listeners {
            slots,
            outbox,
            mailbox,
            remotes,
        } = listeners;
        outbox.recover(storage.lanes()?);
        remotes.add(storage.remotes()?);
        let shared = Shared {
            sources,
            agents,
            api_keys,
            slots,
            outbox,
            mailbox,
            remotes,
            state: Arc::new(StateOnTheWay::new()),
            announcer: Announcer::default(),
            idempotency: IdempotencyLocks::default(),
            disk: Disk::new(config.disk),
            inspector: OnceLock::new(),
            webhooks: OnceLock::new(),
            prober: OnceLock::new(),
            parked: AtomicU64::new(storage.count_parked()?),
            forgotten: Mutex::default(),
            ended_heads: Mutex::default(),
            scheduler: Mutex::new(scheduler),
            runnable: Notify::new(),
            run_over: Notify::new(),
            leaving: CancellationToken::new(),
            closing: CancellationToken::new(),
            failed: CancellationToken::new(),
            background: TaskTracker::new(),
            config,
            storage,
        };
        let broker = Self {
            shared: Arc::new(shared),
        };
        broker.show_parked();
        // Before the first call, which may be one too many.
        broker.shared.disk.saw(broker.shared.storage.space());
        broker.announce_recovered(&work)?;
        broker.shared.background.spawn(broker.clone().run_timers());
        broker.shared.background.spawn(broker.clone().run_disk());
        broker
            .shared
            .background
            .spawn(broker.clone().run_state_sweep());
        broker
            .shared
            .background
            .spawn(broker.clone().run_announcer());
        broker.shared.background.spawn(broker.clone().run_letters());
        broker
            .shared
            .background
            .spawn(broker.clone().run_commit_watch());
        if broker.shared.config.scrub {
            broker.shared.background.spawn(broker.clone().run_scrub());
        }
        broker
            .shared
            .background
            .spawn(broker.clone().run_retention());
        Ok(broker)
    }

    /// Says that the host will stop, and goes on as before: who sends it work is to look for another host.
    pub fn announce_shutdown(&self) {
        self.shared.leaving.cancel();
    }

    /// Stops taking new tasks and starting new runs.
    pub fn begin_shutdown(&self) {
        self.shared.closing.cancel();
        self.shared.runnable.notify_waiters();
    }

    /// Waits until no run is going on, but at most for `grace`; tells whether that was reached. What
    /// still runs is replayed after the next start.
    pub async fn drained(&self, grace: std::time::Duration) -> bool {
        let idle = async {
            loop {
                let over = self.shared.run_over.notified();
                if self.scheduler().running() == 0 {
                    return;
                }
                over.await;
            }
        };
        tokio::time::timeout(grace, idle).await.is_ok()
    }

    /// Stops what the broker does by itself and waits for it. Afterwards the last handle to be dropped
    /// closes the data folder.
    pub async fn stop(&self) {
        self.begin_shutdown();
        self.shared.background.close();
        self.shared.background.wait().await;
    }

    /// Does something by itself; [`Broker::stop`] waits for it.
    pub(crate) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.shared.background.spawn(work);
    }

    pub(crate) fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        self.shared
            .scheduler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            retry: self.shared.config.retry,
        }
    }

    /// Changes a task for somebody who waits for an answer: as [`Broker::change`], but refused while nothing
    /// can be written.
    pub(crate) async fn change_for_caller(
        &self,
        task: TaskId,
        input: Input,
        check: impl FnOnce(&Header) -> Result<(), Error> + Send,
    ) -> Result<Changed, Error> {
        let place = self.place(input_size(&input)).await?;
        let slot = self.shared.slots.get(task);
        let (changed, durable) = self.change_now(&slot, place, input, check)?;
        if let Some(durable) = durable {
            self.acknowledged(durable).await?;
        }
        Ok(changed)
    }

    /// Changes a task, and waits until the change is durable, however long a shortage lasts. `check` may
    /// refuse after a look at it.
    pub(crate) async fn change(
        &self,
        task: TaskId,
        input: Input,
        check: impl FnOnce(&Header) -> Result<(), Error> + Send,
    ) -> Result<Changed, Error> {
        let place = self.shared.storage.reserve(input_size(&input)).await?;
        let slot = self.shared.slots.get(task);
        let (changed, durable) = self.change_now(&slot, place, input, check)?;
        if let Some(durable) = durable {
            durable.await?;
        }
        Ok(changed)
    }

    /// Decides and hands over, without waiting for the disk: the one write path.
    pub(crate) fn change_now(
        &self,
        slot: &Arc<Slot>,
        place: Reservation<'_>,
        input: Input,
        check: impl FnOnce(&Header) -> Result<(), Error>,
    ) -> Result<(Changed, Option<Committed>), Error> {
        self.change_now_with(slot, place, input, check, |_| Arc::clone(slot) as _)
    }

    /// Like [`Broker::change_now`]. `also` may add changes to what is decided, and gives what is to live
    /// until all of that is applied; the slot must be among it.
    pub(crate) fn change_now_with(
        &self,
        slot: &Slot,
        mut place: Reservation<'_>,
        input: Input,
        check: impl FnOnce(&Header) -> Result<(), Error>,
        also: impl FnOnce(&mut Decision) -> Arc<dyn Any + Send + Sync>,
    ) -> Result<(Changed, Option<Committed>), Error> {
        let mut turn = slot.turn();
        let header = turn
            .header(&self.shared.storage)?
            .ok_or(Error::TaskNotFound)?;
        check(header)?;
        let now = self.shared.sources.clock.now();
        let wait = Wait::of(&input);
        let mut decision = decide(&self.rules(), now, header, input)?;
        let changed = Changed::of(&decision);
        if decision.is_nothing() {
            return Ok((changed, None));
        }
        match decision.forgets() {
            true => turn.forget(),
            false => turn.decide(decision.header.clone()),
        }
        self.follow(&decision);
        let keep = also(&mut decision);
        let commit = turn.next_commit(wait, decision, &mut place);
        let committed = commit.map(|commit| turn.submit(place, commit, keep));
        self.look_after_chunks(slot, &mut turn);
        Ok((changed, committed))
    }

    /// What a decision means for the queues in memory.
    pub(crate) fn follow(&self, decision: &Decision) {
        let header = &decision.header;
        let was = decision.before.as_ref().map(|before| before.phase);
        if header.phase == Phase::Queued && was != Some(Phase::Queued) {
            self.enqueue(work_item(header));
        }
        self.count_parked(was == Some(Phase::Parked), header.phase == Phase::Parked);
        for (_, entry) in decision.entries() {
            if let Event::Completed { .. }
            | Event::Failed { .. }
            | Event::Rejected { .. }
            | Event::Canceled
            | Event::Replied { .. } = entry.event
            {
                metrics::counter!("taskyard_tasks_ended_total", "agent" => header.agent.to_string(), "how" => entry.event.kind())
                    .increment(1);
            }
        }
    }

    fn count_parked(&self, was: bool, is: bool) {
        match (was, is) {
            (false, true) => self.shared.parked.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.shared.parked.fetch_sub(1, Ordering::Relaxed),
            (true, true) | (false, false) => return,
        };
        self.show_parked();
    }

    /// Shows how many tasks are parked in the metrics.
    fn show_parked(&self) {
        let parked = self.shared.parked.load(Ordering::Relaxed);
        metrics::gauge!("taskyard_parked_tasks").set(parked as f64);
    }

    pub(crate) fn enqueue(&self, item: WorkItem) {
        self.scheduler().push(item);
        self.shared.runnable.notify_one();
    }
}

/// What a change came to.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    /// The header from here on.
    pub(crate) header: Header,
    /// When it was decided.
    pub(crate) at: taskyard_task::Timestamp,
    /// The first entry that it appended, if any.
    pub(crate) first: taskyard_task::Seq,
    /// The last entry of the log.
    pub(crate) last: taskyard_task::Seq,
}

impl Changed {
    pub(crate) fn of(decision: &Decision) -> Self {
        let last = decision.header.last;
        let mut entries = decision.entries();
        let (first, at) = entries
            .next()
            .map_or((last, decision.header.status_at), |(seq, entry)| {
                (seq, entry.at)
            });
        Self {
            header: decision.header.clone(),
            at,
            first,
            last,
        }
    }
}

pub(crate) fn work_item(header: &Header) -> WorkItem {
    WorkItem {
        task: header.id,
        tenant: header.tenant.clone(),
        agent: header.agent.clone(),
        queued_at: header.queued_at,
        priority: header.priority,
    }
}

/// Roughly how many bytes a commit of `input` will write.
pub(crate) fn input_size(input: &Input) -> usize {
    let content = match input {
        Input::Message { message, .. } | Input::Provide { message } => message.size(),
        Input::Record { event, .. } => event.size(),
        Input::Letter { end: Some(end), .. } | Input::RemoteEnded { end, .. } => end.size(),
        Input::Forget { keys } => keys.len() * SMALL_COMMIT_BYTES,
        Input::Letter { end: None, .. }
        | Input::Suspend { .. }
        | Input::Withdraw { .. }
        | Input::Resume
        | Input::Rewind { .. }
        | Input::Move { .. }
        | Input::Fail { .. }
        | Input::Settle { .. }
        | Input::Announce
        | Input::Cancel
        | Input::Start
        | Input::Due
        | Input::PutPushConfig(_)
        | Input::DeletePushConfig(_) => 0,
    };
    content + SMALL_COMMIT_BYTES
}

/// Who hears of commits. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    slots: Arc<Slots>,
    outbox: Arc<Outbox>,
    mailbox: Arc<Mailbox>,
    remotes: Arc<Remotes>,
}

impl Listeners {
    /// Called by the committer: whatever is visible from now on wakes whoever waits for it.
    pub(crate) fn publish(&self, group: &[Numbered]) {
        let mut woken = HashSet::new();
        for change in group.iter().flat_map(|numbered| &numbered.commit.changes) {
            match change {
                Change::Header { after, .. } if woken.insert(after.id) => self.slots.wake(after.id),
                Change::Notify { task, config, .. } => self.outbox.add(*task, config),
                Change::PutPushConfig { task, config } => self.outbox.add(*task, &config.id),
                // Nothing is known against the webhook any more: what is due can be tried again.
                Change::DeliveryState {
                    task,
                    config,
                    state: None,
                } => self.outbox.add(*task, config),
                Change::Post { letter } => self.mailbox.post(*letter),
                Change::PutRemote { child } if child.stage == RemoteStage::New || child.cancel => {
                    self.remotes.add([child.id()]);
                }
                _ => {}
            }
        }
    }
}

/// Every task that ran or was in line is in line again, in the same order.
fn recover(mut items: Vec<WorkItem>, config: &Config, agents: &Agents) -> Scheduler {
    let mut scheduler = Scheduler::new(config.limits);
    for agent in agents.current().values() {
        scheduler.limit_agent(agent.name.clone(), agent.max_runs);
    }
    items.sort_by_key(|item| item.queued_at);
    tracing::info!(
        tasks = items.len(),
        "took up the tasks that were running or in line"
    );
    for item in items {
        scheduler.push(item);
    }
    scheduler
}

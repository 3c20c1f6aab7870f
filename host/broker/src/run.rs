//! A run: one turn of a worker on a task, from lease to settle.

use std::sync::Arc;
use std::time::Duration;

use taskyard_storage::WorkItem;
use taskyard_task::decide::{Outcome, RetryPolicy};
use taskyard_task::{
    Change, Commit, EgressPolicy, Entry, Event, Header, Input, InputKind, LightEntry, Phase,
    Refusal, Seq, TaskId, Ticket, Timestamp,
};

use crate::broker::Broker;
use crate::error::Error;
use crate::slots::Slot;

/// Ended tasks with more entries than this leave a snapshot: below it, folding the log costs no more
/// than reading one.
const OUTLINE_BEYOND: u64 = 64;
/// Entries that are read at once while looking for what came from outside.
const PAGE: usize = 64;
/// How long a task waits whose run could not begin, so that a disk that does not answer is not asked all
/// the time.
const AGAIN: Duration = Duration::from_secs(1);

/// The exclusive right to work on a task. A run that is dropped before it settled or was suspended puts
/// its task back in line.
pub struct Run {
    pub(crate) broker: Broker,
    pub(crate) slot: Arc<Slot>,
    pub(crate) header: Header,
    item: WorkItem,
    over: bool,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("task", &self.header.id)
            .field("attempt", &self.header.attempt)
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// Waits for the next task whose turn it is, and begins a run of it. `None` once the host is
    /// shutting down. A host that cannot store anything any more begins no run, and waits for that.
    pub async fn lease(&self) -> Option<Run> {
        let closing = &self.shared.closing;
        loop {
            let runnable = self.shared.runnable.notified();
            if closing.is_cancelled() {
                return None;
            }
            if self.shared.storage.failed().is_some() {
                closing.cancelled().await;
                return None;
            }
            let next = self.scheduler().pop();
            if let Some(item) = next {
                match self.begin_run(item).await {
                    Some(run) => return Some(run),
                    None => continue,
                }
            }
            tokio::select! {
                () = runnable => {}
                () = closing.cancelled() => return None,
            }
        }
    }

    /// Begins a run of a task whose turn it is; `None` if there is nothing to run after all.
    async fn begin_run(&self, item: WorkItem) -> Option<Run> {
        let started = self.start(&item).await;
        if !matches!(started, Ok(Some(_))) {
            self.run_over(&item);
        }
        started.unwrap_or_else(|error| {
            tracing::error!(task = %item.task, %error, "cannot begin a run");
            if let Error::Unavailable(_) = error {
                self.enqueue_later(item);
            }
            None
        })
    }

    /// Puts a task in line again whose run could not begin: the disk may answer later.
    fn enqueue_later(&self, item: WorkItem) {
        let broker = self.clone();
        self.shared.background.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => broker.enqueue(item),
                () = broker.shared.closing.cancelled() => {}
            }
        });
    }

    /// `None` if the task was canceled or passed its deadline while it was in line.
    async fn start(&self, item: &WorkItem) -> Result<Option<Run>, Error> {
        let place = self.shared.storage.reserve(0).await?;
        let slot = self.shared.slots.get(item.task);
        match self.change_now(&slot, place, Input::Start, |_| Ok(())) {
            Ok((changed, _durable)) if changed.header.phase == Phase::Running => Ok(Some(Run {
                broker: self.clone(),
                slot,
                header: changed.header,
                item: item.clone(),
                over: false,
            })),
            // It ended while it was in line, and may be forgotten by now.
            Ok(_) | Err(Error::Refused(Refusal::NotQueued) | Error::TaskNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn run_over(&self, item: &WorkItem) {
        self.scheduler().done(item);
        self.shared.run_over.notify_waiters();
        // What was held back by a limit may go on.
        self.shared.runnable.notify_one();
    }
}

impl Run {
    /// The task as of the beginning of the run; `attempt` is the run's number, `last` the end of the
    /// log that it replays.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Which task.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.header.id
    }

    /// How long the worker may go on after a cancel.
    #[must_use]
    pub fn cancel_grace(&self) -> Duration {
        self.broker.shared.config.task.cancel_grace()
    }

    /// At most `most` entries of the log as of the beginning of the run, behind `after`; fewer if they
    /// are large, none at its end. Waits until there are durable ones, since only those can be read.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if they cannot be read.
    pub async fn journal(&self, after: Seq, most: usize) -> Result<Vec<(Seq, Entry)>, Error> {
        if after == Seq::ZERO
            && let Some(entry) = self.slot.take_beginning()
        {
            return Ok(vec![(Seq::ZERO.next(), entry)]);
        }
        let mut applied = self.slot.follow();
        loop {
            applied.mark_unchanged();
            let mut page = self.broker.shared.storage.log(self.task(), after, most)?;
            page.retain(|(seq, _)| *seq <= self.header.last);
            if !page.is_empty() || after >= self.header.last {
                return Ok(page);
            }
            self.applied(&mut applied).await?;
        }
    }

    /// One entry of the log, also one of after the beginning of the run. Waits until it is durable.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if it cannot be read.
    pub async fn entry(&self, seq: Seq) -> Result<Option<Entry>, Error> {
        let before = Seq(seq.0.saturating_sub(1));
        let mut applied = self.slot.follow();
        loop {
            applied.mark_unchanged();
            let page = self.broker.shared.storage.log(self.task(), before, 1)?;
            let found = page.into_iter().find(|(found, _)| *found == seq);
            if found.is_some() || self.peek(|header| header.last) < seq {
                return Ok(found.map(|(_, entry)| entry));
            }
            self.applied(&mut applied).await?;
        }
    }

    /// Appends what the worker did. Does not wait for the disk: its order is fixed, and whatever leaves
    /// the sandbox waits for everything before it.
    ///
    /// # Errors
    /// [`Refusal::StaleRun`] if the task ended or was given to another run: stop. [`Error::Unavailable`]
    /// if nothing can be stored: drop the run.
    pub async fn record(&self, event: Event) -> Result<(Seq, Timestamp), Error> {
        let place = self.broker.shared.storage.reserve(event.size()).await?;
        let attempt = self.header.attempt;
        let input = Input::Record { attempt, event };
        let (changed, _) = self
            .broker
            .change_now(&self.slot, place, input, |_| Ok(()))?;
        Ok((changed.last, changed.at))
    }

    /// Resolves once everything that the run recorded is durable.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it never will be.
    pub fn durable(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let (broker, slot) = (self.broker.clone(), Arc::clone(&self.slot));
        async move {
            broker.write_held(&slot).await?;
            broker.committed(&slot).await
        }
    }

    /// Gives the task up until something happens: a message, a child's end, a cancel, or the moment
    /// `until`. `seen` is the last entry from outside that the run knows of; `asking` is what clients are
    /// asked for, `told` how many lines it told the
    /// operator. The run is over then, and is to be dropped.
    ///
    /// # Errors
    /// As those of [`Run::record`].
    pub async fn suspend(
        &self,
        until: Option<Timestamp>,
        seen: Seq,
        asking: Option<InputKind>,
        told: u64,
    ) -> Result<(), Error> {
        let place = self.broker.shared.storage.reserve(0).await?;
        let input = Input::Suspend {
            attempt: self.header.attempt,
            until,
            seen,
            asking,
            told,
        };
        self.broker
            .change_now(&self.slot, place, input, |_| Ok(()))?;
        Ok(())
    }

    /// Gives up what `ticket` names; `asking` is what clients are still asked for. Like [`Run::record`], does
    /// not wait for the disk.
    ///
    /// # Errors
    /// As those of [`Run::record`].
    pub async fn withdraw(
        &self,
        ticket: Ticket,
        asking: Option<InputKind>,
    ) -> Result<(Seq, Timestamp), Error> {
        let place = self.broker.shared.storage.reserve(0).await?;
        let input = Input::Withdraw {
            attempt: self.header.attempt,
            ticket,
            asking,
        };
        let (changed, _) = self
            .broker
            .change_now(&self.slot, place, input, |_| Ok(()))?;
        Ok((changed.first, changed.at))
    }

    /// Whether other tasks wait for this one's place.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.broker.scheduler().is_crowded()
    }

    /// What the task's agent may ask of whom, as of now.
    #[must_use]
    pub fn egress(&self) -> EgressPolicy {
        self.broker.egress_of(&self.header.agent)
    }

    /// A key that nobody had before.
    #[must_use]
    pub fn new_key(&self) -> String {
        self.broker.shared.sources.ids.unique()
    }

    /// Whether the client asked to cancel.
    #[must_use]
    pub fn cancel_requested(&self) -> bool {
        self.peek(|header| header.cancel_requested)
    }

    /// Resolves once the client asked to cancel.
    pub async fn canceled(&self) {
        let mut decisions = self.slot.follow_decisions();
        while !self.cancel_requested() {
            if decisions.changed().await.is_err() {
                // The slot lives as long as this run.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The oldest entry from outside behind entry `seq`: a message, a child's end, a cancel. Costs next to
    /// nothing when there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if the log cannot be read.
    pub async fn outside_after(&self, seq: Seq) -> Result<Option<(Seq, Entry)>, Error> {
        let mut applied = self.slot.follow();
        let mut after = seq;
        while self.peek(|header| header.last_outside) > after {
            applied.mark_unchanged();
            let storage = &self.broker.shared.storage;
            let page = storage.light_log(self.header.id, after, PAGE)?;
            if page.is_empty() {
                // It is decided, but not durable yet.
                self.applied(&mut applied).await?;
            }
            for (seq, LightEntry { entry, .. }) in page {
                if entry.event.is_from_outside() {
                    // It adds nothing to artifacts, so it is whole.
                    return Ok(Some((seq, entry)));
                }
                after = seq;
            }
        }
        Ok(None)
    }

    /// Resolves once there is an entry from outside behind entry `seq`.
    pub async fn outside_grew(&self, seq: Seq) {
        let mut decisions = self.slot.follow_decisions();
        while self.peek(|header| header.last_outside) <= seq {
            if decisions.changed().await.is_err() {
                // The slot lives as long as this run.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Ends the run; returns once that is durable.
    ///
    /// # Errors
    /// [`Refusal::StaleRun`] if the task ended or was given to another run; [`Error::Unavailable`] if
    /// nothing can be stored: the task is run again after a restart.
    pub async fn settle(self, outcome: Outcome) -> Result<(), Error> {
        let durable = self.durable();
        self.end(outcome).await?;
        durable.await
    }

    /// Ends the run without waiting for the disk, which is nobody's but its clients' business.
    ///
    /// # Errors
    /// As those of [`Run::settle`].
    pub async fn end(mut self, outcome: Outcome) -> Result<(), Error> {
        let input = Input::Settle {
            attempt: self.header.attempt,
            outcome,
            jitter: self
                .broker
                .shared
                .sources
                .ids
                .up_to(RetryPolicy::JITTER_SCALE),
        };
        let place = self.broker.shared.storage.reserve(0).await?;
        let settled = self.broker.change_now(&self.slot, place, input, |_| Ok(()));
        // Decided either way: the task needs this run no more.
        self.release();
        let (changed, committed) = settled?;
        match committed {
            Some(committed) if leaves_outline(&changed.header) => {
                committed.await?;
                self.leave_outline(&changed.header).await
            }
            _ => Ok(()),
        }
    }

    async fn leave_outline(&self, header: &Header) -> Result<(), Error> {
        let task = header.id;
        let outline = Box::new(self.broker.fold(header)?);
        let place = self.broker.shared.storage.reserve(outline.size()).await?;
        let change = Change::Outline { task, outline };
        let commit = Commit::new(task.partition(), header.epoch, vec![change]);
        place.submit(commit, Arc::clone(&self.slot) as _).await?;
        Ok(())
    }

    async fn applied(&self, applied: &mut tokio::sync::watch::Receiver<u64>) -> Result<(), Error> {
        let failed = &self.broker.shared.failed;
        tokio::select! {
            _ = applied.changed() => Ok(()),
            () = failed.cancelled() => Err(Error::Unavailable("the host cannot store anything any more".to_owned())),
        }
    }

    fn peek<T>(&self, look: impl FnOnce(&Header) -> T) -> T {
        let mut turn = self.slot.turn();
        match turn.header(&self.broker.shared.storage) {
            Ok(Some(header)) => look(header),
            // It was there when the run began, and the slot keeps it.
            Ok(None) | Err(_) => look(&self.header),
        }
    }

    fn release(&mut self) {
        if !self.over {
            self.over = true;
            self.broker.run_over(&self.item);
        }
    }
}

/// Whether an ended task is long enough that reading it again should be spared.
pub(crate) fn leaves_outline(header: &Header) -> bool {
    header.is_ended() && header.last.0 > OUTLINE_BEYOND
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let attempt = self.header.attempt;
        let abandoned = self.peek(|now| now.phase == Phase::Running && now.attempt == attempt);
        self.release();
        if abandoned && !self.broker.shared.closing.is_cancelled() {
            self.broker.enqueue(self.item.clone());
        }
    }
}

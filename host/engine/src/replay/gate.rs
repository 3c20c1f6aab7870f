//! The only way from a worker to the log of its task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use taskyard_clock::Clock;
use taskyard_task::entry::REPLAY_CONTRACT;
use taskyard_task::{Event, InputKind, Message, Part, Seq, Submission, Timestamp};

use super::budget::Budget;
use super::inbox::Received;
use super::journal::Journal;
use super::log::TaskLog;
use super::observe::Observations;
use super::stop::{CallError, Refusal, Stop};
use super::virtual_clock::VirtualClock;
use super::wait::Pace;

/// The entry that begins every log.
const SUBMISSION: Seq = Seq(1);

/// What the gate needs to know about a run besides its log.
pub(crate) struct Opening {
    /// The last entry of the log as of the lease.
    pub(crate) last: Seq,
    /// The number of the run.
    pub(crate) attempt: u32,
    /// Set as soon as the run is live.
    pub(crate) live: Arc<AtomicBool>,
}

impl Opening {
    /// The last entry that an earlier run can have caused. In a first run only the submission is of
    /// interest, and the run need not wait until its own beginning is durable.
    fn end(&self) -> Seq {
        if self.attempt <= 1 {
            SUBMISSION
        } else {
            self.last
        }
    }
}

/// The only way from a worker to the log of its task: each call finds itself in the log, or is
/// appended to it.
pub(crate) struct Gate<L> {
    pub(super) log: L,
    pub(super) clock: Clock,
    pub(super) journal: Journal,
    pub(super) budget: Budget,
    pub(super) time: VirtualClock,
    pub(super) observations: Observations,
    pub(super) pace: Pace,
    live: Arc<AtomicBool>,
    replayed: u64,
}

impl<L: TaskLog> Gate<L> {
    /// Reads how the task began and goes to the first thing that the worker did.
    ///
    /// # Errors
    /// If the log cannot be read, or was begun under another replay contract.
    pub(crate) async fn open(
        log: L,
        clock: Clock,
        opening: Opening,
    ) -> Result<(Self, Submission), Stop> {
        let mut journal = Journal::new(opening.end());
        feed(&log, &mut journal).await?;
        let Some((began, submission)) = journal.take_submitted() else {
            return Err(Stop::Incompatible(
                "the log does not begin with a submission".to_owned(),
            ));
        };
        check_contract(submission.contract)?;
        let gate = Self {
            log,
            clock,
            budget: Budget::new(submission.limits),
            time: VirtualClock::new(began),
            observations: Observations::default(),
            pace: Pace::new(opening.attempt),
            live: opening.live,
            replayed: 0,
            journal,
        };
        gate.tell_whether_live();
        Ok((gate, *submission))
    }

    /// Whether the log still has things that the worker did.
    pub(crate) fn is_replaying(&self) -> bool {
        self.journal.next().is_some()
    }

    /// How many entries were replayed.
    pub(crate) fn replayed(&self) -> u64 {
        self.replayed
    }

    /// What was written, against the pinned limits.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The time that the worker sees.
    pub(crate) fn time(&mut self) -> &mut VirtualClock {
        &mut self.time
    }

    /// An effect: happens once, however often the worker is run.
    ///
    /// # Errors
    /// Refused at a limit; stopped if the log says otherwise or is not to be had.
    pub(crate) async fn effect(&mut self, event: Event) -> Result<(), CallError> {
        self.budget.admit(&event)?;
        self.step(event).await?;
        Ok(())
    }

    /// A question: the first message behind it is its answer.
    ///
    /// # Errors
    /// Stopped with [`Stop::Suspended`] while there is no answer; else like an effect. Refused with
    /// [`Refusal::Canceled`] once the client asked to cancel. That needs no entry: a task that was asked
    /// to cancel is never run again.
    pub(crate) async fn ask(
        &mut self,
        kind: InputKind,
        prompt: Vec<Part>,
    ) -> Result<Message, CallError> {
        let event = Event::Asked { kind, prompt };
        self.budget.admit(&event)?;
        let is_live = !self.is_replaying();
        if is_live && self.log.cancel_requested() {
            return Err(Refusal::Canceled.into());
        }
        let asked = self.step(event).await?;
        if is_live {
            return Err(Stop::Suspended.into());
        }
        let Some(answer) = self.journal.inbox.take_after(asked) else {
            // A task with an open question is not leased.
            let problem = format!("the question in entry {asked} has no answer");
            return Err(Stop::Unavailable(problem).into());
        };
        self.time.reach(answer.at);
        self.pace.catch_up();
        Ok(self.message(answer).await?)
    }

    /// The worker ended.
    ///
    /// # Errors
    /// If the log says that it went on.
    pub(crate) fn end(&self) -> Result<(), Stop> {
        match self.journal.next() {
            Some(logged) => Err(Stop::ended_early(logged.seq, &logged.event)),
            None => Ok(()),
        }
    }

    /// Meets `event` with the log: finds it there while replaying, appends it while live.
    pub(super) async fn step(&mut self, event: Event) -> Result<Seq, Stop> {
        let Some(logged) = self.journal.next() else {
            return self.append(event).await;
        };
        let (seq, at) = (logged.seq, logged.at);
        if logged.event != event {
            return Err(Stop::mismatch(seq, &logged.event, &event));
        }
        self.journal.pass();
        feed(&self.log, &mut self.journal).await?;
        self.tell_whether_live();
        self.budget.count(&event);
        self.apply(at);
        self.pace.fall_back();
        self.replayed += 1;
        Ok(seq)
    }

    async fn append(&mut self, event: Event) -> Result<Seq, Stop> {
        self.budget.count(&event);
        let (seq, at) = self.log.record(event).await?;
        self.apply(at);
        self.pace.catch_up();
        Ok(seq)
    }

    fn apply(&mut self, at: Timestamp) {
        self.time.reach(at);
        self.pace.not_idle();
    }

    /// The message itself, read again if it was not kept.
    pub(super) async fn message(&self, received: Received) -> Result<Message, Stop> {
        if let Some(message) = received.message {
            return Ok(message);
        }
        let before = Seq(received.seq.0.saturating_sub(1));
        match self.log.message_after(before).await? {
            Some((seq, message)) if seq == received.seq => Ok(message),
            _ => Err(Stop::Unavailable(format!(
                "the message in entry {} is gone",
                received.seq
            ))),
        }
    }

    fn tell_whether_live(&self) {
        self.live.store(!self.is_replaying(), Ordering::Relaxed);
    }
}

/// Reads on until it is clear how it goes on.
async fn feed(log: &impl TaskLog, journal: &mut Journal) -> Result<(), Stop> {
    while let Some((after, most)) = journal.hunger() {
        journal.feed(log.journal(after, most).await?);
    }
    Ok(())
}

fn check_contract(contract: u32) -> Result<(), Stop> {
    if contract == REPLAY_CONTRACT {
        return Ok(());
    }
    Err(Stop::Incompatible(format!(
        "the task was begun under replay contract {contract}, and this host keeps {REPLAY_CONTRACT}"
    )))
}

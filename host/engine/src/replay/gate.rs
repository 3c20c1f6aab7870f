//! The only way from a worker to the log of its task.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use taskyard_clock::Clock;
use taskyard_task::entry::REPLAY_CONTRACT;
use taskyard_task::{
    Continuation, Event, Header, InputKind, Message, Seq, Submission, Ticket, Timestamp,
};

use super::artifacts::ArtifactStages;
use super::budget::Budget;
use super::context::Referred;
use super::journal::{Extent, Journal};
use super::log::{Network, TaskLog};
use super::observe::Observations;
use super::requests::Flights;
use super::stop::{CallError, Stop};
use super::tickets::Tickets;
use super::virtual_clock::VirtualClock;
use super::wait::Pace;
use crate::diagnostics::Outlet;

/// The entry that begins every log.
const SUBMISSION: Seq = Seq(1);

/// What the gate needs to know about a run besides its log.
pub(crate) struct Opening {
    /// Which part of the log counts.
    pub(crate) extent: Extent,
    /// Whether no run was before.
    pub(crate) is_first_run: bool,
    /// Opened as soon as the run is live.
    pub(crate) outlet: Arc<Outlet>,
    /// How long the instance stays while it waits.
    pub(crate) hold: Duration,
    /// Whether the worker is only tried against the log, and stopped at its end.
    pub(crate) probing: bool,
}

impl Opening {
    /// For a run of the task with this header, as of its lease.
    pub(crate) fn of(header: &Header, hold: Duration) -> Self {
        let is_first_run = header.attempt <= 1;
        Self {
            extent: Extent {
                from: header.replay_from,
                // In a first run only the submission is of interest, and the run need not wait until its
                // own beginning is durable.
                end: if is_first_run {
                    SUBMISSION
                } else {
                    header.last
                },
                rewound: header.rewound.clone(),
            },
            is_first_run,
            outlet: Arc::new(Outlet::after(header.told)),
            hold,
            probing: false,
        }
    }

    /// For a dry run against the whole log of the task: nothing is appended, sent or done.
    pub(crate) fn probe(header: &Header) -> Self {
        let mut opening = Self::of(header, Duration::ZERO);
        opening.extent.end = header.last;
        opening.probing = true;
        opening
    }
}

/// How the task began, or began anew.
#[derive(Debug)]
pub(crate) struct Beginning {
    /// How it began.
    pub(crate) submission: Submission,
    /// What the worker took with it when it continued as new.
    pub(crate) state: Option<Vec<u8>>,
    /// Where the random numbers come from.
    pub(crate) seed: [u8; 32],
}

/// The only way from a worker to the log of its task: each call finds itself in the log, or is
/// appended to it.
pub(crate) struct Gate {
    pub(super) log: Arc<dyn TaskLog>,
    pub(super) clock: Clock,
    pub(super) journal: Journal,
    pub(super) budget: Budget,
    pub(super) time: VirtualClock,
    pub(super) observations: Observations,
    pub(super) pace: Pace,
    pub(super) tickets: Tickets,
    pub(super) flights: Flights,
    /// Requests that must not be sent again, and that the worker is to be told of.
    pub(super) lost: VecDeque<(Ticket, bool)>,
    /// What was asked, oldest first.
    pub(super) questions: Vec<(Ticket, InputKind)>,
    pub(super) artifacts: ArtifactStages,
    /// The tasks that the client referred to.
    pub(super) referred: Referred,
    /// Whether the worker knows that the client asked to cancel.
    pub(super) canceled: bool,
    /// Whether the next call that waits has to say so.
    pub(super) cancel_untold: bool,
    pub(super) hold: Duration,
    probing: bool,
    pub(super) outlet: Arc<Outlet>,
    position: Seq,
    replayed: u64,
}

impl Gate {
    /// Reads how the task began and goes to the first thing that the worker did.
    ///
    /// # Errors
    /// If the log cannot be read, or was begun under another replay contract.
    pub(crate) async fn open(
        log: Arc<dyn TaskLog>,
        network: Arc<dyn Network>,
        clock: Clock,
        opening: Opening,
    ) -> Result<(Self, Beginning), Stop> {
        let is_continued = opening.extent.from > SUBMISSION;
        let mut journal = Journal::new(opening.extent);
        feed(&*log, &mut journal).await?;
        let Some((began, submission)) = journal.take_submitted() else {
            return Err(Stop::Incompatible(
                "the log does not begin with a submission".to_owned(),
            ));
        };
        check_contract(submission.contract)?;
        let mut gate = Self {
            budget: Budget::new(submission.limits),
            time: VirtualClock::new(began),
            observations: Observations::default(),
            pace: Pace::new(opening.is_first_run),
            tickets: Tickets::default(),
            flights: Flights::new(network),
            lost: VecDeque::new(),
            questions: Vec::new(),
            artifacts: ArtifactStages::default(),
            referred: Referred::of(&submission),
            canceled: false,
            cancel_untold: false,
            hold: opening.hold,
            probing: opening.probing,
            outlet: opening.outlet,
            position: SUBMISSION,
            replayed: 0,
            log,
            clock,
            journal,
        };
        let mut beginning = Beginning {
            seed: submission.seed,
            submission: *submission,
            state: None,
        };
        if is_continued {
            gate.continue_from(&mut beginning).await?;
        }
        gate.tell_whether_live();
        Ok((gate, beginning))
    }

    async fn continue_from(&mut self, beginning: &mut Beginning) -> Result<(), Stop> {
        let Some((seq, at, continuation)) = self.journal.take_continued() else {
            return Err(Stop::Incompatible(
                "the log has not the state that the task was continued with".to_owned(),
            ));
        };
        let Continuation {
            state,
            inbox,
            read,
            artifacts,
            artifact_bytes,
            canceled,
        } = *continuation;
        beginning.seed =
            taskyard_task::Digest::of(&[&beginning.seed[..], &seq.0.to_be_bytes()].concat())
                .to_bytes();
        beginning.state = Some(state);
        self.position = seq;
        self.time.reach(at);
        self.budget.carry_over(artifact_bytes);
        self.artifacts = ArtifactStages::carried_over(artifacts);
        self.canceled = canceled;
        self.take_along(inbox, read, seq).await
    }

    /// Messages that the worker left in line before entry `until`, and what it did not know of.
    async fn take_along(&mut self, inbox: Vec<Seq>, read: Seq, until: Seq) -> Result<(), Stop> {
        let later = std::mem::take(&mut self.journal.outside);
        let outside = &mut self.journal.outside;
        for seq in inbox {
            if let Some(entry) = self.log.entry(seq).await? {
                outside.push(seq, entry);
            }
        }
        outside.skip_to(read);
        while let Some((seq, entry)) = self.log.outside_after(outside.read()).await? {
            if seq >= until {
                break;
            }
            // Tickets are counted again: ends of children would be taken for those of others.
            match entry.event {
                Event::Received { .. } | Event::Provided(_) => outside.push(seq, entry),
                _ => outside.skip_to(seq),
            }
        }
        outside.extend(later);
        // What came behind is read by the journal, or while live.
        outside.skip_to(until);
        Ok(())
    }

    /// Whether the log still has things that the worker did.
    pub(crate) fn is_replaying(&self) -> bool {
        self.journal.next().is_some()
    }

    /// How many entries were replayed.
    pub(crate) fn replayed(&self) -> u64 {
        self.replayed
    }

    /// The last entry that the worker reached.
    pub(crate) fn position(&self) -> Seq {
        self.position
    }

    /// What was written, against the pinned limits.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The time that the worker sees.
    pub(crate) fn time(&mut self) -> &mut VirtualClock {
        &mut self.time
    }

    /// How far each artifact is.
    pub(crate) fn artifacts(&mut self) -> &mut ArtifactStages {
        &mut self.artifacts
    }

    /// An effect: happens once, however often the worker is run.
    ///
    /// # Errors
    /// Refused at a limit; stopped if the log says otherwise or is not to be had.
    pub(crate) async fn effect(&mut self, event: Event) -> Result<Seq, CallError> {
        self.budget.admit(&event)?;
        Ok(self.step(event).await?)
    }

    /// Meets `event` with the log: finds it there while replaying, appends it while live.
    pub(super) async fn step(&mut self, event: Event) -> Result<Seq, Stop> {
        match self.meet(&event).await? {
            Some((seq, _)) => Ok(seq),
            None => self.append(event).await,
        }
    }

    /// What the log has where the worker does `did`, with what the host answered then; nothing while live.
    pub(super) async fn meet(&mut self, did: &Event) -> Result<Option<(Seq, Event)>, Stop> {
        let Some(logged) = self.journal.next() else {
            return Ok(None);
        };
        if !logged.event.is_same_call(did) {
            return Err(Stop::mismatch(logged.seq, &logged.event, did));
        }
        let event = self.pass().await?;
        Ok(Some((self.position, event)))
    }

    /// Goes on behind the next entry of the log.
    pub(super) async fn pass(&mut self) -> Result<Event, Stop> {
        let Some(logged) = self.journal.pass() else {
            return Err(Stop::Unavailable("the log ended too early".to_owned()));
        };
        feed(&*self.log, &mut self.journal).await?;
        self.tell_whether_live();
        self.budget.count(&logged.event);
        self.apply(logged.seq, logged.at);
        self.pace.fall_back();
        self.replayed += 1;
        Ok(logged.event)
    }

    /// The worker is about to do what no run did before.
    ///
    /// # Errors
    /// [`Stop::EndOfLog`] if it is only tried.
    pub(super) fn go_live(&self) -> Result<(), Stop> {
        if self.probing {
            return Err(Stop::EndOfLog);
        }
        Ok(())
    }

    pub(super) async fn append(&mut self, event: Event) -> Result<Seq, Stop> {
        self.go_live()?;
        self.budget.count(&event);
        let (seq, at) = self.log.record(event).await?;
        self.appended(seq, at);
        Ok(seq)
    }

    /// An entry was appended.
    pub(super) fn appended(&mut self, seq: Seq, at: Timestamp) {
        self.apply(seq, at);
        self.pace.catch_up();
    }

    fn apply(&mut self, seq: Seq, at: Timestamp) {
        self.position = seq;
        self.time.reach(at);
        self.pace.not_idle();
    }

    /// Hands the message of an entry to the worker; it is read again if it was not kept.
    pub(super) async fn message(
        &mut self,
        seq: Seq,
        kept: Option<Message>,
    ) -> Result<Message, Stop> {
        let message = match kept {
            Some(message) => message,
            None => self.read_message(seq).await?,
        };
        self.referred.note(&message);
        Ok(message)
    }

    async fn read_message(&self, seq: Seq) -> Result<Message, Stop> {
        match self.log.entry(seq).await?.map(|entry| entry.event) {
            Some(Event::Received { message }) => Ok(message),
            Some(Event::Provided(provided)) => Ok(provided.message),
            _ => Err(Stop::Unavailable(format!(
                "the message in entry {seq} is gone"
            ))),
        }
    }

    fn tell_whether_live(&self) {
        if !self.is_replaying() && !self.probing {
            self.outlet.open();
        }
    }
}

/// Reads on until it is clear how it goes on.
async fn feed(log: &dyn TaskLog, journal: &mut Journal) -> Result<(), Stop> {
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

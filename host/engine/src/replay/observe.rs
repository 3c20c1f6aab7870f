//! Calls that tell the worker, without waiting, what came from outside.

use taskyard_task::{Event, Message, Observation, Seq};

use super::gate::Gate;
use super::stop::{CallError, Stop};

/// How often the worker looked.
#[derive(Debug, Default)]
pub(super) struct Observations {
    /// Observing calls so far: the number of the last one.
    calls: u64,
}

/// What the log knows about a look at the outside.
enum Seen {
    /// It saw this.
    Logged(Observation),
    /// It saw nothing new.
    Nothing,
    /// It was not done before.
    Live,
}

impl Gate {
    /// Whether the client asked to cancel.
    ///
    /// # Errors
    /// Stopped if the log says otherwise or is not to be had.
    pub(crate) async fn cancel_requested(&mut self) -> Result<bool, Stop> {
        let seen = self.look()?;
        if self.canceled {
            self.cancel_untold = false;
            return Ok(true);
        }
        let canceled = match seen {
            Seen::Logged(_) => true,
            Seen::Nothing => false,
            Seen::Live => self.log.cancel_requested(),
        };
        if canceled {
            // Not refused at the limit of entries: it is one entry at most, and the last chance.
            self.observe(Observation::Cancel).await?;
            self.canceled = true;
        }
        Ok(canceled)
    }

    /// The oldest message that is in line.
    ///
    /// # Errors
    /// Refused at the limit of entries; stopped if the log says otherwise or is not to be had.
    pub(crate) async fn next_message(&mut self) -> Result<Option<Message>, CallError> {
        let seen = self.look()?;
        self.budget.admit_entry()?;
        match seen {
            // An observation of the other kind is a mismatch, and found to be one when it is met.
            Seen::Logged(Observation::Cancel) => Ok(Some(self.take_message(Seq::ZERO).await?)),
            Seen::Logged(Observation::Message(seq)) => Ok(Some(self.take_message(seq).await?)),
            Seen::Nothing => Ok(None),
            Seen::Live => Ok(self.live_message().await?),
        }
    }

    async fn live_message(&mut self) -> Result<Option<Message>, Stop> {
        if self.journal.outside.front().is_none() {
            self.read_outside().await?;
        }
        match self.journal.outside.front() {
            Some(seq) => self.take_message(seq).await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes a message that is in line.
    async fn take_message(&mut self, seq: Seq) -> Result<Message, Stop> {
        self.observe(Observation::Message(seq)).await?;
        let Some(kept) = self.journal.outside.take(seq) else {
            let problem = format!("the message in entry {seq} is not in line");
            return Err(Stop::Unavailable(problem));
        };
        self.message(seq, kept).await
    }

    /// Counts the call and finds out what the log knows about it.
    fn look(&mut self) -> Result<Seen, Stop> {
        self.observations.calls += 1;
        let this = self.observations.calls;
        let Some(logged) = self.journal.next() else {
            self.go_live()?;
            return Ok(Seen::Live);
        };
        match logged.event {
            Event::Observed { call, what } if call == this => Ok(Seen::Logged(what)),
            // A call before this one should have seen it.
            Event::Observed { call, what } if call < this => {
                let did = Event::Observed { call: this, what };
                Err(Stop::mismatch(logged.seq, &logged.event, &did))
            }
            _ => Ok(Seen::Nothing),
        }
    }

    async fn observe(&mut self, what: Observation) -> Result<Seq, Stop> {
        let call = self.observations.calls;
        self.step(Event::Observed { call, what }).await
    }
}

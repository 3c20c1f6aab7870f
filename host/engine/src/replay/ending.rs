//! The end of the worker.

use std::time::Duration;

use taskyard_task::Continuation;

use super::gate::Gate;
use super::stop::{Refusal, Stop};

/// How long requests that nobody waits for may take after the worker's end.
const LINGER: Duration = Duration::from_secs(5);
/// The largest state that a worker can continue with.
const MAX_STATE_BYTES: usize = 1 << 20;

impl Gate {
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

    /// Gives requests that nobody waits for the time to get out.
    pub(crate) async fn linger(&mut self) {
        if !self.flights.any() || self.is_replaying() || self.go_live().is_err() {
            return;
        }
        self.launch();
        while let Some((ticket, _)) = self.take_lost() {
            self.break_off(ticket);
        }
        let log = std::sync::Arc::clone(&self.log);
        let land = async {
            while self.flights.any()
                && let Some((ticket, _)) = self.flights.next().await
            {
                // A stream that nobody reads need not be read to its end.
                self.break_off(ticket);
            }
        };
        tokio::select! {
            () = land => {}
            () = log.sleep(LINGER) => {}
        }
    }

    /// What the worker takes with it if it continues as new with `state`.
    ///
    /// # Errors
    /// Refused if children are open, or the state is too large.
    pub(crate) fn continuation(&self, state: Vec<u8>) -> Result<Continuation, Refusal> {
        if state.len() > MAX_STATE_BYTES {
            let limit = format!("bytes of a state to continue with: {MAX_STATE_BYTES}");
            return Err(Refusal::Limit(limit));
        }
        if !self.tickets.attached_children().is_empty() {
            return Err(Refusal::invalid(
                "children are not over; wait for them or start them detached",
            ));
        }
        Ok(Continuation {
            state,
            inbox: self.journal.outside.untaken(),
            read: self.journal.outside.read(),
            artifacts: self.artifacts.carry_over(),
            artifact_bytes: self.budget.artifact_bytes(),
            canceled: self.canceled,
        })
    }
}

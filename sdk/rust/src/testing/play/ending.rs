//! How an attempt ends, and what is left of a task.

use super::attempt::{Attempt, differs};
use super::entry::{Carried, Entry, What};
use crate::millis::Millis;
use crate::testing::{End, Event, LogLine, Question};
use crate::{Disposition, Error, Outcome};

/// The largest state that a task continues with.
const MAX_STATE_BYTES: usize = 1 << 20;
/// How often a test continues a task. One that goes on longer does not end.
const MAX_CONTINUATIONS: usize = 1_000;

/// What comes after an attempt.
pub(in crate::testing) enum Next {
    /// The task ended.
    Ended(End),
    /// The task goes on with an empty log.
    ContinueAsNew,
}

impl Attempt {
    /// The worker returned.
    ///
    /// # Panics
    /// When an earlier attempt did more.
    pub(in crate::testing) fn finish(&mut self, ended: Result<Outcome, Error>) -> Next {
        self.check_end(&ended);
        let next = match ended {
            Ok(Outcome::ContinueAsNew(state)) => match self.problem_with(&state) {
                Some(problem) => Next::Ended(End::Failed(Error::permanent("bad-outcome", problem))),
                None => {
                    self.continue_as_new(state);
                    Next::ContinueAsNew
                }
            },
            Ok(outcome) => {
                self.close_children();
                Next::Ended(End::Finished(outcome))
            }
            Err(error) => {
                if error.disposition() == Disposition::Permanent {
                    self.close_children();
                }
                Next::Ended(End::Failed(error))
            }
        };
        // What was under way at a crash goes out, although nobody waits for it.
        self.go_live();
        next
    }

    /// Compares the end with the log: behind it there are only children that went with the worker.
    fn check_end(&self, ended: &Result<Outcome, Error>) {
        if let Some(logged) = self.journal.logged()
            && !matches!(logged.what, What::GaveUp { .. })
        {
            differs(&logged.what, ended);
        }
    }

    fn problem_with(&self, state: &[u8]) -> Option<&'static str> {
        if state.len() > MAX_STATE_BYTES {
            return Some("the state of a continued task has at most 1 MiB");
        }
        let has_child = !self.tickets.attached_children().is_empty();
        has_child.then_some("children must have ended, or be detached, before a task is continued")
    }

    fn continue_as_new(&mut self, state: Vec<u8>) {
        let continued = self.carried.continued + 1;
        assert!(
            continued <= MAX_CONTINUATIONS,
            "the task was continued {MAX_CONTINUATIONS} times: does the worker ever end?"
        );
        let mut carried = Carried {
            state: Some(state),
            continued,
            ..self.carried.clone()
        };
        carried.outside.withdraw_all();
        self.journal.about_to_append();
        self.append(What::ContinuedAsNew(Box::new(carried)));
    }

    /// The state that the worker continues with.
    pub(in crate::testing) fn continued_state(&self) -> Option<Vec<u8>> {
        self.carried.state.clone()
    }

    pub(in crate::testing) fn log(&self) -> &[Entry] {
        self.journal.entries()
    }

    /// What clients see, over all incarnations.
    pub(in crate::testing) fn events(&self) -> Vec<Event> {
        let event = |entry: &Entry| match &entry.what {
            What::Did(event) => Some(event.clone()),
            _ => None,
        };
        self.log().iter().filter_map(event).collect()
    }

    pub(in crate::testing) fn logs(&self) -> Vec<LogLine> {
        self.carried.logs.clone()
    }

    pub(in crate::testing) fn continued(&self) -> usize {
        self.carried.continued
    }

    pub(in crate::testing) fn ended_at(&self) -> Millis {
        self.carried.now
    }

    pub(in crate::testing) fn open_question(&self) -> Option<Question> {
        self.tickets.open_question().cloned()
    }
}

//! What a stream ends with.

use a2a::StreamResponse;
use taskyard_task::wire;
use taskyard_task::{Entry, Header, Seq, TaskState};

/// What a stream ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The end of the task.
    Ended,
    /// The end of the task, or the next question after this entry.
    InputRequired {
        /// The entry that the client's message made.
        after: Seq,
    },
}

impl Until {
    /// Whether a stream is over with the entry `seq`.
    pub(super) fn is_reached_with(self, seq: Seq, entry: &Entry) -> bool {
        let state = entry.event.state();
        state.is_some_and(|state| self.is_reached(seq, state))
    }

    /// Whether a stream is over with this event of the entry `seq`.
    pub(crate) fn is_reached_by(self, seq: Seq, event: &StreamResponse) -> bool {
        let state = match event {
            StreamResponse::StatusUpdate(update) => &update.status.state,
            StreamResponse::Message(_) => return true,
            StreamResponse::Task(_) | StreamResponse::ArtifactUpdate(_) => return false,
        };
        let state = wire::state_from_a2a(state);
        state.is_some_and(|state| self.is_reached(seq, state))
    }

    /// Whether nothing that a stream is to show can follow on a task that is like this.
    pub(super) fn is_reached_at(self, header: &Header) -> bool {
        match self {
            Self::Ended => header.is_ended(),
            // The message made an interrupted task work again, so this is a question after it.
            Self::InputRequired { .. } => {
                header.is_ended() || header.state == TaskState::InputRequired
            }
        }
    }

    /// Whether a stream is over with the entry `seq`, which left the task in `state`.
    fn is_reached(self, seq: Seq, state: TaskState) -> bool {
        let answers = match self {
            Self::Ended => false,
            Self::InputRequired { after } => state == TaskState::InputRequired && seq > after,
        };
        state.is_terminal() || answers
    }
}

#[cfg(test)]
mod tests {
    use taskyard_task::{Event, InputKind, Timestamp};

    use super::*;

    fn check_ends(until: Until, event: Event) -> bool {
        let at = Timestamp(0);
        until.is_reached_with(Seq(5), &Entry { at, event })
    }

    fn asked(kind: InputKind) -> Event {
        Event::Asked {
            kind,
            prompt: Vec::new(),
        }
    }

    #[test]
    fn every_stream_ends_with_the_task() {
        let behind = |after| Until::InputRequired { after: Seq(after) };
        for until in [Until::Ended, behind(4), behind(9)] {
            assert!(check_ends(until, Event::Canceled));
            assert!(!check_ends(until, Event::Working));
            assert!(!check_ends(until, asked(InputKind::Auth)));
        }
    }

    #[test]
    fn the_stream_of_a_message_ends_with_the_question_that_follows_it() {
        let behind = |after| Until::InputRequired { after: Seq(after) };
        assert!(check_ends(behind(4), asked(InputKind::Input)));
        assert!(!check_ends(behind(5), asked(InputKind::Input)));
        assert!(!check_ends(Until::Ended, asked(InputKind::Input)));
    }
}

//! Following a task for one client: what it begins with, what comes next, when it is over.
//!
//! A stream reads the log at the client's pace: nothing is buffered for slow clients, and a client that
//! goes away changes nothing (A2A 3.5.2). Bindings say how events are written, by [`Events`].

use a2a::StreamResponse;
use taskyard_broker::{self as broker, TaskSnapshot, Watch};
use taskyard_task::wire::{self, Projection};
use taskyard_task::{Entry, Header, Seq, TaskState, TaskView};

use crate::error::ApiError;
use crate::extension;

/// Small events are sent together up to this many bytes: about what one write to a socket takes.
const CHUNK_BYTES: usize = 64 << 10;

/// What a stream begins with.
#[derive(Debug)]
pub(crate) enum Start {
    /// The task as this entry, which the client's message made, left it; then everything since. It
    /// begins once clients may be shown the task, and is a direct message instead if it ends in one.
    Sent(Seq),
    /// This snapshot, which the watch goes on behind.
    With(Box<TaskSnapshot>),
    /// The first event behind this one; the client has seen what was before.
    After(Seq),
}

/// What a stream ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The end of the task.
    Ended,
    /// The end of the task, or the next question behind this entry.
    InputRequired {
        /// The entry that the client's message made.
        after: Seq,
    },
}

/// How a binding writes events.
pub(crate) trait Events {
    /// Some events, as they are handed on.
    type Chunk;

    /// An event, under the number of its entry.
    fn event(&mut self, seq: Seq, event: &StreamResponse);

    /// The last thing that a client hears when something goes wrong in the middle.
    fn error(&mut self, error: &ApiError);

    /// Roughly how many bytes wait to be taken.
    fn len(&self) -> usize;

    /// What was written since the last time; `None` if nothing was.
    fn take(&mut self) -> Option<Self::Chunk>;
}

/// What a client is to see of a task.
#[derive(Debug)]
pub(crate) struct Follow {
    pub(crate) watch: Watch,
    pub(crate) start: Start,
    pub(crate) until: Until,
    pub(crate) projection: Projection,
    /// Whether events carry their numbers in their metadata, too.
    pub(crate) numbered: bool,
}

impl Follow {
    /// The client's view, written by `events`.
    pub(crate) fn written_by<E: Events>(self, events: E) -> Following<E> {
        Following {
            watch: self.watch,
            events,
            start: Some(self.start),
            until: self.until,
            projection: self.projection,
            numbered: self.numbered,
            read: Vec::new().into_iter(),
        }
    }
}

/// Some events, and whether others may follow.
#[derive(Debug)]
pub(crate) struct Chunk<T> {
    pub(crate) events: Option<T>,
    pub(crate) is_last: bool,
}

/// One client's view of a task.
#[derive(Debug)]
pub(crate) struct Following<E> {
    watch: Watch,
    events: E,
    /// Until the stream has begun.
    start: Option<Start>,
    until: Until,
    projection: Projection,
    numbered: bool,
    /// Entries that were read and not yet written.
    read: std::vec::IntoIter<(Seq, Entry)>,
}

impl<E: Events> Following<E> {
    /// The next events, once there are some. Must not be called again after the last ones.
    pub(crate) async fn next(&mut self) -> Chunk<E::Chunk> {
        let step = match self.start.take() {
            Some(start) => self.begin(start).await,
            None => self.go_on().await,
        };
        let is_last = step.unwrap_or_else(|error| {
            self.events.error(&error.into());
            true
        });
        Chunk {
            events: self.events.take(),
            is_last,
        }
    }

    /// Whether that was all.
    async fn begin(&mut self, start: Start) -> Result<bool, broker::Error> {
        match start {
            Start::With(snapshot) => {
                self.show(snapshot.header.last, &snapshot.view);
                Ok(false)
            }
            Start::Sent(seq) => self.begin_at(seq).await,
            Start::After(seq) => self.resume(seq).await,
        }
    }

    /// Shows the task as the client's message left it, or the direct message. Whether that was all.
    /// However fast the worker was, the client sees all that the message led to as events.
    async fn begin_at(&mut self, sent: Seq) -> Result<bool, broker::Error> {
        let snapshot = self.watch.announced().await?;
        if self.reply(&snapshot) {
            return Ok(true);
        }
        self.watch.resume_after(Seq::ZERO);
        let mut view = TaskView::default();
        while is_before(&view, sent) {
            if self.read.as_slice().is_empty() {
                self.read = self.watch.next().await?.into_iter();
            }
            // The entry is durable, so the log cannot end before it.
            let Some((seq, entry)) = self.read.next() else {
                break;
            };
            view.apply(seq, entry);
        }
        self.show(view.last, &view);
        Ok(false)
    }

    /// Goes on behind `seq`. Whether the client has seen all there is.
    async fn resume(&mut self, seq: Seq) -> Result<bool, broker::Error> {
        if !self.watch.header().announced {
            let snapshot = self.watch.announced().await?;
            if self.reply(&snapshot) {
                return Ok(true);
            }
        }
        self.watch.resume_after(seq);
        let header = self.watch.header();
        Ok(header.last <= seq && self.is_over_at(header))
    }

    /// Shows the task as of entry `seq`.
    fn show(&mut self, seq: Seq, view: &TaskView) {
        let place = self.watch.header().place();
        let task = wire::task_to_a2a(place, view, self.projection);
        self.tell(seq, StreamResponse::Task(task));
    }

    fn tell(&mut self, seq: Seq, mut event: StreamResponse) {
        if self.numbered {
            extension::number(&mut event, seq);
        }
        self.events.event(seq, &event);
    }

    /// Shows the direct message if the task ended in one that nobody was shown before.
    fn reply(&mut self, snapshot: &TaskSnapshot) -> bool {
        let Some((seq, parts)) = &snapshot.view.reply else {
            return false;
        };
        if snapshot.header.announced {
            return false;
        }
        let message = wire::reply_to_a2a(snapshot.header.place(), *seq, parts);
        self.tell(*seq, StreamResponse::Message(message));
        true
    }

    /// Whether nothing that the stream is to show can follow on a task that is like this.
    fn is_over_at(&self, header: &Header) -> bool {
        match self.until {
            Until::Ended => header.is_ended(),
            // The message made an interrupted task work again, so this is a question behind it.
            Until::InputRequired { .. } => {
                header.is_ended() || header.state == TaskState::InputRequired
            }
        }
    }

    /// Writes events until there are enough for one chunk. Whether that was all.
    async fn go_on(&mut self) -> Result<bool, broker::Error> {
        loop {
            if self.read.as_slice().is_empty() {
                if self.events.len() > 0 {
                    return Ok(false);
                }
                let entries = self.watch.next().await?;
                if entries.is_empty() {
                    return Ok(true);
                }
                self.read = entries.into_iter();
            }
            if self.write() {
                return Ok(true);
            }
            if self.events.len() >= CHUNK_BYTES {
                return Ok(false);
            }
        }
    }

    /// Writes what was read, up to the size of a chunk. Whether the stream is over with it.
    fn write(&mut self) -> bool {
        while let Some((seq, entry)) = self.read.next() {
            let place = self.watch.header().place();
            if let Some(event) = wire::event_to_a2a(place, seq, &entry) {
                self.tell(seq, event);
            }
            if ends(self.until, seq, &entry) {
                return true;
            }
            if self.events.len() >= CHUNK_BYTES {
                break;
            }
        }
        false
    }
}

/// Whether the task was not yet as the message `sent` left it. A message to a task that waited also
/// made it work again, in the entry behind its own: nobody must take the old question for a new one.
fn is_before(view: &TaskView, sent: Seq) -> bool {
    view.last < sent || (view.last == sent && view.state.is_interrupted())
}

fn ends(until: Until, seq: Seq, entry: &Entry) -> bool {
    let state = entry.event.state();
    state.is_some_and(|state| until.is_reached(seq, state))
}

impl Until {
    /// Whether a stream is over with the entry `seq`, which left the task in `state`.
    fn is_reached(self, seq: Seq, state: TaskState) -> bool {
        let answers = match self {
            Self::Ended => false,
            Self::InputRequired { after } => state == TaskState::InputRequired && seq > after,
        };
        state.is_terminal() || answers
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
}

impl Start {
    /// The last entry that a client knows once the stream has begun, where it is one that it chose.
    pub(crate) fn known(&self) -> Option<Seq> {
        match self {
            Self::Sent(_) => None,
            Self::With(snapshot) => Some(snapshot.header.last),
            Self::After(seq) => Some(*seq),
        }
    }
}

#[cfg(test)]
mod tests {
    use taskyard_task::{Event, InputKind, Timestamp};

    use super::*;

    fn check_ends(until: Until, event: Event) -> bool {
        let at = Timestamp(0);
        ends(until, Seq(5), &Entry { at, event })
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

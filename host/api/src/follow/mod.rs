//! Following a task for one client: what it begins with, what comes next, when it is over.
//!
//! A stream reads the log at the client's pace: nothing is buffered for slow clients, and a client that
//! goes away changes nothing (A2A 3.5.2). Bindings say how events are written, by [`Events`].
//!
//! A stream ends without an error only if it has shown what it is to end with. Whatever else ends it is
//! said by the binding's error event, as clients take a stream that just ends for the end of the task.

mod until;

use a2a::StreamResponse;
use taskyard_broker::{TaskSnapshot, Watch};
use taskyard_task::header::is_taken_back;
use taskyard_task::wire::{self, Projection};
use taskyard_task::{Entry, Event, Seq, TaskView};
use tokio_util::sync::CancellationToken;

use crate::Door;
use crate::error::ApiError;
use crate::extension;

pub(crate) use until::Until;

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

/// How a binding writes events.
pub(crate) trait Events {
    /// Some events, as they are handed on.
    type Chunk;

    /// An event, under the number of its entry.
    ///
    /// # Errors
    /// If it cannot be written; nothing of it was.
    fn event(&mut self, seq: Seq, event: &StreamResponse) -> Result<(), ApiError>;

    /// The last thing that a client hears if the stream ends before its time. It has no number, so a client
    /// that comes back goes on after the last event that it saw.
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
    /// The client's view, written by `events`, for as long as `door` is open.
    pub(crate) fn written_by<E: Events>(self, door: &Door, events: E) -> Following<E> {
        let rewound = self.watch.header().rewound.clone();
        Following {
            watch: self.watch,
            stopping: door.stopping.clone(),
            events,
            start: Some(self.start),
            until: self.until,
            projection: self.projection,
            numbered: self.numbered,
            read: Vec::new().into_iter(),
            rewound,
            shown: Seq::ZERO,
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
    /// The host shuts down.
    stopping: CancellationToken,
    events: E,
    /// Until the stream has begun.
    start: Option<Start>,
    until: Until,
    projection: Projection,
    numbered: bool,
    /// Entries that were read and not yet written.
    read: std::vec::IntoIter<(Seq, Entry)>,
    /// What operators had taken back when the stream began: it does not show that.
    rewound: Vec<(Seq, Seq)>,
    /// Up to where the client may know of what the worker did.
    shown: Seq,
}

impl<E: Events> Following<E> {
    /// The next events, once there are some. Must not be called again after the last ones.
    pub(crate) async fn next(&mut self) -> Chunk<E::Chunk> {
        let stopping = self.stopping.clone();
        let step = tokio::select! {
            biased;
            // What was read and not written yet is read again by the client that comes back.
            () = stopping.cancelled() => Err(ApiError::StreamCut("the host is shutting down")),
            step = self.step() => step,
        };
        let is_last = step.unwrap_or_else(|error| {
            self.events.error(&error);
            true
        });
        Chunk {
            events: self.events.take(),
            is_last,
        }
    }

    /// Whether that was all.
    async fn step(&mut self) -> Result<bool, ApiError> {
        match self.start.take() {
            Some(start) => self.begin(start).await,
            None => self.go_on().await,
        }
    }

    /// Whether that was all.
    async fn begin(&mut self, start: Start) -> Result<bool, ApiError> {
        match start {
            Start::With(snapshot) => {
                self.begin_with(*snapshot)?;
                Ok(false)
            }
            Start::Sent(seq) => self.begin_at(seq).await,
            Start::After(seq) => self.resume(seq).await,
        }
    }

    /// Shows the task as it is.
    fn begin_with(&mut self, snapshot: TaskSnapshot) -> Result<(), ApiError> {
        self.show(snapshot.header.last, &snapshot.view)?;
        self.rewound = snapshot.header.rewound;
        Ok(())
    }

    /// Shows the task as the client's message left it, or the direct message. Whether that was all.
    /// However fast the worker was, the client sees all that the message led to as events.
    async fn begin_at(&mut self, sent: Seq) -> Result<bool, ApiError> {
        let snapshot = self.watch.announced().await?;
        if self.reply(&snapshot)? {
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
            view.apply_counting(&self.rewound, seq, entry);
        }
        self.show(view.last, &view)?;
        Ok(false)
    }

    /// Goes on behind `seq`, or begins anew for a client that saw what was taken back since. Whether the client
    /// has seen all there is.
    async fn resume(&mut self, seq: Seq) -> Result<bool, ApiError> {
        if !self.watch.header().announced {
            let snapshot = self.watch.announced().await?;
            if self.reply(&snapshot)? {
                return Ok(true);
            }
        }
        let knows_too_much = |(to, at): &(Seq, Seq)| *to < seq && seq <= *at;
        if self.rewound.iter().any(knows_too_much) {
            let snapshot = self.watch.snapshot().await?;
            let is_over = self.until.is_reached_at(&snapshot.header);
            self.begin_with(snapshot)?;
            return Ok(is_over);
        }
        self.watch.resume_after(seq);
        self.shown = seq;
        let header = self.watch.header();
        Ok(header.last <= seq && self.until.is_reached_at(header))
    }

    /// Shows the task as of entry `seq`.
    fn show(&mut self, seq: Seq, view: &TaskView) -> Result<(), ApiError> {
        let place = self.watch.header().place();
        let task = wire::task_to_a2a(place, view, self.projection);
        self.shown = seq;
        self.tell(seq, StreamResponse::Task(task))
    }

    fn tell(&mut self, seq: Seq, mut event: StreamResponse) -> Result<(), ApiError> {
        if self.numbered {
            extension::number(&mut event, seq);
        }
        self.events.event(seq, &event)
    }

    /// Shows the direct message if the task ended in one that nobody was shown before.
    fn reply(&mut self, snapshot: &TaskSnapshot) -> Result<bool, ApiError> {
        let Some((seq, parts)) = &snapshot.view.reply else {
            return Ok(false);
        };
        if snapshot.header.announced {
            return Ok(false);
        }
        let message = wire::reply_to_a2a(snapshot.header.place(), *seq, parts);
        self.tell(*seq, StreamResponse::Message(message))?;
        Ok(true)
    }

    /// Writes events until there are enough for one chunk. Whether that was all.
    async fn go_on(&mut self) -> Result<bool, ApiError> {
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
            if self.write()? {
                return Ok(true);
            }
            if self.events.len() >= CHUNK_BYTES {
                return Ok(false);
            }
        }
    }

    /// Writes what was read, up to the size of a chunk. Whether the stream is over with it.
    fn write(&mut self) -> Result<bool, ApiError> {
        while let Some((seq, entry)) = self.read.next() {
            self.check_rewind(seq, &entry.event)?;
            if is_taken_back(&self.rewound, seq, &entry.event) {
                continue;
            }
            let place = self.watch.header().place();
            if let Some(event) = wire::event_to_a2a(place, seq, &entry) {
                if entry.event.is_journaled() {
                    self.shown = seq;
                }
                self.tell(seq, event)?;
            }
            if self.until.is_reached_with(seq, &entry) {
                return Ok(true);
            }
            if self.events.len() >= CHUNK_BYTES {
                break;
            }
        }
        Ok(false)
    }
}

impl<E> Following<E> {
    /// Events cannot take back what a client was shown: it must begin anew.
    fn check_rewind(&self, seq: Seq, event: &Event) -> Result<(), ApiError> {
        let was_known = || self.rewound.iter().any(|(_, at)| at.next() == seq);
        match event {
            Event::Rewound { to } if self.shown > *to && !was_known() => Err(ApiError::StreamCut(
                "an operator took back some of what the worker did",
            )),
            _ => Ok(()),
        }
    }
}

/// Whether the task was not yet as the message `sent` left it. A message to a task that waited also
/// made it work again, in the entry behind its own: nobody must take the old question for a new one.
fn is_before(view: &TaskView, sent: Seq) -> bool {
    view.last < sent || (view.last == sent && view.state.is_interrupted())
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

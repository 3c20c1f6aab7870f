//! Following a task for one client: what it begins with, what comes next, when it is over.
//!
//! A stream reads the log at the client's pace: nothing is buffered for slow clients, and a client that
//! goes away changes nothing (A2A 3.5.2). Bindings say how events are written, by [`Events`].
//!
//! A stream ends without an error only if it has shown what it is to end with. Whatever else ends it is
//! said by the binding's error event, as clients take a stream that just ends for the end of the task.

mod until;

use std::fmt;

use a2a::StreamResponse;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use taskyard_broker::{self as broker, TaskSnapshot, Watch};
use taskyard_task::header::is_taken_back;
use taskyard_task::wire::{self, Projection};
use taskyard_task::{Entry, Event, Seq};
use tokio_util::sync::CancellationToken;

use crate::Door;
use crate::error::ApiError;
use crate::extension;
use crate::memory::{Account, Holder};
use crate::operation::{Holes, held_by_whole};

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

/// Something that is written in pieces, as it is read.
pub(crate) type InPieces<T> = BoxStream<'static, Result<T, broker::Error>>;

/// How a binding writes events.
pub(crate) trait Events {
    /// Some events, as they are handed on.
    type Chunk;

    /// Whether an event can be begun before all of it is known.
    const IN_PIECES: bool;

    /// What was written since the last time, with the content where its holes are. Asked only of those that
    /// can.
    ///
    /// # Errors
    /// [`ApiError::Internal`] if what was written does not have these holes.
    fn take_in_pieces(&mut self, holes: Holes) -> Result<InPieces<Self::Chunk>, ApiError>;

    /// An event, under the number of its entry.
    ///
    /// # Errors
    /// If it cannot be written; nothing of it was.
    fn event(&mut self, seq: Seq, event: &StreamResponse) -> Result<(), ApiError>;

    /// The last thing that a client hears if the stream ends before its time. It has no number, so a client
    /// that comes back goes on after the last event that it saw; one that breaks off in the middle of it does not
    /// count.
    fn error(&mut self, error: &ApiError, breaks_event: bool);

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
    /// Where what is missing in an event goes.
    pub(crate) holes: Holes,
}

impl Follow {
    /// The client's view, written by `events`, for as long as `door` is open.
    pub(crate) fn written_by<E: Events>(self, door: &Door, events: E) -> Following<E> {
        let rewound = self.watch.header().rewound.clone();
        let tenant = &self.watch.header().tenant;
        let account = door.memory.account(tenant, Holder::Streams);
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
            holes: self.holes,
            account,
            pieces: None,
            is_over: false,
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
pub(crate) struct Following<E: Events> {
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
    /// What is missing in an event that is made.
    holes: Holes,
    /// What holds events that are large, until the client has taken them.
    account: Account,
    /// The event that the stream begins with, while it is being written.
    pieces: Option<InPieces<E::Chunk>>,
    /// Whether nothing comes after it.
    is_over: bool,
}

impl<E: fmt::Debug + Events> fmt::Debug for Following<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Following")
            .field("watch", &self.watch)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl<E: Events> Following<E> {
    /// The next events, once there are some. Must not be called again after the last ones.
    pub(crate) async fn next(&mut self) -> Chunk<E::Chunk> {
        let stopping = self.stopping.clone();
        // The client has taken what was written before.
        self.account.hold_anyway(0);
        let step = tokio::select! {
            biased;
            // What was read and not written yet is read again by the client that comes back.
            () = stopping.cancelled() => Err(ApiError::StreamCut("the host is shutting down")),
            step = self.step() => step,
        };
        step.unwrap_or_else(|error| {
            self.events.error(&error, self.pieces.is_some());
            self.written(true)
        })
    }

    async fn step(&mut self) -> Result<Chunk<E::Chunk>, ApiError> {
        if let Some(start) = self.start.take() {
            self.is_over = self.begin(start).await?;
            let is_last = self.is_over && self.pieces.is_none();
            return Ok(self.written(is_last));
        }
        match self.next_piece().await? {
            Some(piece) => Ok(Chunk {
                events: Some(piece),
                is_last: false,
            }),
            None => {
                let is_last = self.is_over || self.go_on().await?;
                Ok(self.written(is_last))
            }
        }
    }

    /// The next piece of an event that is being written.
    async fn next_piece(&mut self) -> Result<Option<E::Chunk>, ApiError> {
        let Some(pieces) = &mut self.pieces else {
            return Ok(None);
        };
        let piece = pieces.next().await.transpose()?;
        if piece.is_none() {
            self.pieces = None;
        }
        Ok(piece)
    }

    fn written(&mut self, is_last: bool) -> Chunk<E::Chunk> {
        Chunk {
            events: self.events.take(),
            is_last,
        }
    }

    /// Whether that was all.
    async fn begin(&mut self, start: Start) -> Result<bool, ApiError> {
        match start {
            Start::With(snapshot) => {
                self.show(*snapshot)?;
                Ok(false)
            }
            Start::Sent(seq) => self.begin_at(seq).await,
            Start::After(seq) => self.resume(seq).await,
        }
    }

    /// Shows the task as the client's message left it, or the direct message. Whether that was all.
    /// However fast the worker was, the client sees all that the message led to as events.
    async fn begin_at(&mut self, sent: Seq) -> Result<bool, ApiError> {
        let snapshot = self.watch.announced().await?;
        if self.reply(&snapshot)? {
            return Ok(true);
        }
        let began = self.watch.snapshot_of_sent(sent).await?;
        self.show(began)?;
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
            self.show(snapshot)?;
            return Ok(is_over);
        }
        self.watch.resume_after(seq);
        self.shown = seq;
        let header = self.watch.header();
        Ok(header.last <= seq && self.until.is_reached_at(header))
    }

    /// Holds what is to be written, if it is more than connections have buffers for.
    fn hold(&mut self) -> Result<(), ApiError> {
        match self.events.len() {
            ..=CHUNK_BYTES => Ok(()),
            large => Ok(self.account.hold(large)?),
        }
    }

    /// Shows the task as it was then: its large artifacts piece by piece, if the binding can.
    fn show(&mut self, snapshot: TaskSnapshot) -> Result<(), ApiError> {
        self.rewound.clone_from(&snapshot.header.rewound);
        self.shown = snapshot.outline.view.last;
        let broker = self.watch.broker();
        if !E::IN_PIECES {
            let content = snapshot.outline.content_bytes();
            self.account.hold(held_by_whole(content))?;
            let view = broker.whole(&snapshot)?;
            let task = wire::task_to_a2a(snapshot.header.place(), &view, self.projection);
            return self.tell(self.shown, StreamResponse::Task(task));
        }
        let task = self.holes.show(broker, snapshot, self.projection);
        self.tell(self.shown, StreamResponse::Task(task))?;
        let holes = self.holes.take();
        if !holes.is_empty() {
            self.pieces = Some(self.events.take_in_pieces(holes)?);
        }
        Ok(())
    }

    fn tell(&mut self, seq: Seq, mut event: StreamResponse) -> Result<(), ApiError> {
        if self.numbered {
            extension::number(&mut event, seq);
        }
        self.events.event(seq, &event)?;
        self.hold()
    }

    /// Shows the direct message if the task ended in one that nobody was shown before.
    fn reply(&mut self, snapshot: &TaskSnapshot) -> Result<bool, ApiError> {
        let Some((seq, parts)) = &snapshot.outline.view.reply else {
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

impl<E: Events> Following<E> {
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

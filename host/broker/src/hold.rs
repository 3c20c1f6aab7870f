//! What need not be on the disk at once: what is decided while something is held back, and the newest chunk
//! of an artifact.
//!
//! A worker that closes an artifact does so after its last chunk, and clients are to be told with that chunk:
//! many keep nothing but the event with `lastChunk`. So the newest chunk waits, for the next one, for the
//! close, for anything else that is to be seen, for a wait of the worker that may be long, or for
//! [`CHUNK_PATIENCE`]. It is decided all the same: its number and its time are what they would have been, a replay
//! cannot tell, and a crash takes it back like any entry that is not on the disk yet.

use std::sync::{Arc, Weak};
use std::time::Duration;

use taskyard_task::{Commit, Decision, Event, Input};
use tokio::time::Instant;

use crate::broker::Broker;
use crate::error::Error;
use crate::run::Run;
use crate::slots::{Slot, Turn};

/// How long a chunk is held back at most: nobody notices, and most models say within that time that it was the last.
pub const CHUNK_PATIENCE: Duration = Duration::from_millis(50);

/// Which decisions may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It must go to the disk, with everything before it.
    Never,
    /// As long as what is held back does: nobody but the run itself has to do with it.
    Along,
    /// It is a chunk.
    Chunk,
    /// It closes this artifact.
    Close(String),
}

impl Wait {
    /// Whether the decision about `input` may wait.
    pub(crate) fn of(input: &Input) -> Self {
        match input {
            Input::Start => Self::Along,
            Input::Record { event, .. } => match event {
                Event::ArtifactAppended { .. } => Self::Chunk,
                Event::ArtifactClosed { id } => Self::Close(id.clone()),
                _ => Self::Along,
            },
            _ => Self::Never,
        }
    }
}

impl Turn<'_> {
    /// What goes to the disk now that `decision` was made; nothing if all of it may wait.
    pub(crate) fn next_commit(&mut self, wait: Wait, decision: Decision) -> Option<Commit> {
        if let Wait::Close(id) = &wait {
            self.seal(id);
        }
        let holds_chunk = self.holds_chunk_since().is_some();
        let is_seen = decision
            .entries()
            .any(|(_, entry)| entry.event.is_visible());
        let waits_along = match wait {
            Wait::Never => false,
            // The beginning of a task is seen by nobody.
            _ if self.holds_beginning() => decision.only_appends(),
            Wait::Along => holds_chunk && !is_seen && decision.only_appends(),
            Wait::Chunk => return self.hold_chunk(decision.into_commit(), Instant::now()),
            Wait::Close(_) => false,
        };
        match waits_along {
            true => self.with_held_unless_waiting(decision.into_commit()),
            false => Some(self.with_held(decision.into_commit())),
        }
    }
}

impl Broker {
    /// Sees to it that a chunk is not held back for long. One timer does for a task, however many chunks it
    /// writes meanwhile.
    pub(crate) fn look_after_chunks(&self, slot: &Slot, turn: &mut Turn<'_>) {
        if turn.holds_chunk_since().is_some() && !turn.time_chunks(true) {
            let slot = Arc::downgrade(&self.shared.slots.get(slot.task));
            let broker = self.clone();
            self.in_background(async move { broker.time_chunks(&slot).await });
        }
    }

    /// Keeps nobody else's task from being forgotten: if nobody has the slot any more, the chunk is taken back as
    /// in a crash, and its worker is run again.
    async fn time_chunks(&self, slot: &Weak<Slot>) {
        while let Some((slot, since)) = chunk_of(slot) {
            let due = since + CHUNK_PATIENCE;
            if Instant::now() < due {
                drop(slot);
                tokio::time::sleep_until(due).await;
            } else if let Err(error) = self.write_held(&slot).await {
                // Nothing can be stored any more, and whoever waits is told so.
                tracing::debug!(%error, "a chunk cannot be stored");
                return;
            }
        }
    }
}

impl Run {
    /// The worker begins a wait that may be long: clients are shown the chunk that is held back.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if nothing can be stored: drop the run.
    pub async fn show_chunk(&self) -> Result<(), Error> {
        let holds = self.slot.turn().holds_chunk_since().is_some();
        match holds {
            true => self.broker.write_held(&self.slot).await,
            false => Ok(()),
        }
    }
}

/// Where a chunk is held back, and since when; if none is, nobody looks after them any more.
fn chunk_of(slot: &Weak<Slot>) -> Option<(Arc<Slot>, Instant)> {
    let slot = slot.upgrade()?;
    let since = {
        let mut turn = slot.turn();
        let since = turn.holds_chunk_since();
        if since.is_none() {
            turn.time_chunks(false);
        }
        since
    };
    Some((slot, since?))
}

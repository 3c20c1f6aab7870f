//! What need not be on the disk at once: what is decided while something is held back, and the newest chunk
//! of each artifact.
//!
//! A worker that closes an artifact does so after its last chunk, and clients are to be told with that chunk:
//! many keep nothing but the event with `lastChunk`. So the newest chunk waits, for the next one, for the
//! close, for anything else that is to be seen, for a wait of the worker that may be long, or for
//! [`CHUNK_PATIENCE`]; and what comes after it waits along, such as chunks of other artifacts. It is decided all
//! the same: its number and its time are what they would have been, a replay cannot tell, and a crash takes it
//! back like any entry that is not on the disk yet.

use std::sync::{Arc, Weak};
use std::time::Duration;

use taskyard_storage::Reservation;
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
    /// It is a chunk of this artifact.
    Chunk(String),
    /// It closes this artifact.
    Close(String),
}

impl Wait {
    /// Whether the decision about `input` may wait.
    pub(crate) fn of(input: &Input) -> Self {
        match input {
            Input::Start => Self::Along,
            Input::Record { event, .. } => match event {
                Event::ArtifactAppended { id, .. } => Self::Chunk(id.clone()),
                Event::ArtifactClosed { id } => Self::Close(id.clone()),
                _ => Self::Along,
            },
            _ => Self::Never,
        }
    }
}

impl Turn<'_> {
    /// What goes to the disk by `place` now that `decision` was made; nothing if all of it may wait.
    pub(crate) fn next_commit(
        &mut self,
        wait: Wait,
        decision: Decision,
        place: &mut Reservation<'_>,
    ) -> Option<Commit> {
        if let Wait::Close(id) = &wait {
            self.held().seal(id);
        }
        if !self.may_wait(&wait, &decision) {
            return Some(self.with_held(place, decision.into_commit()));
        }
        let newest_of = match wait {
            Wait::Chunk(id) => Some(id),
            _ => None,
        };
        let now = Instant::now();
        self.held()
            .join(decision.into_commit(), newest_of, place, now)
    }

    fn may_wait(&mut self, wait: &Wait, decision: &Decision) -> bool {
        match wait {
            Wait::Never => false,
            // The beginning of a task is seen by nobody.
            _ if self.held().is_beginning() => decision.only_appends(),
            Wait::Chunk(_) => true,
            Wait::Along | Wait::Close(_) => {
                let mut entries = decision.entries();
                decision.only_appends() && !entries.any(|(_, entry)| entry.event.is_visible())
            }
        }
    }
}

impl Broker {
    /// Sees to it that a chunk is not held back for long. One timer does for a task, however many chunks it
    /// writes meanwhile.
    pub(crate) fn look_after_chunks(&self, slot: &Slot, turn: &mut Turn<'_>) {
        if turn.held().chunk_since().is_some() && !turn.time_chunks(true) {
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
            } else if let Err(error) = self.write_due(&slot).await {
                // Nothing can be stored any more, and whoever waits is told so.
                tracing::debug!(%error, "a chunk cannot be stored");
                return;
            }
        }
    }

    /// Hands over the chunks that were held back for long enough; younger ones may still be sealed.
    async fn write_due(&self, slot: &Arc<Slot>) -> Result<(), Error> {
        let mut place = self.shared.storage.reserve_place().await?;
        let mut turn = slot.turn();
        if let Some(commit) = turn.held().release_due(&mut place, Instant::now()) {
            drop(turn.submit(place, commit, Arc::clone(slot) as _));
        }
        Ok(())
    }
}

impl Run {
    /// The worker begins a wait that may be long: clients are shown the chunk that is held back.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if nothing can be stored: drop the run.
    pub async fn show_chunk(&self) -> Result<(), Error> {
        let holds = self.slot.turn().held().chunk_since().is_some();
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
        let since = turn.held().chunk_since();
        if since.is_none() {
            turn.time_chunks(false);
        }
        since
    };
    Some((slot, since?))
}

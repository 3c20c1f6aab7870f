//! What was decided about a task and not handed over yet, in the order of the decisions.

use std::collections::VecDeque;

use taskyard_storage::{Reservation, ReservedBytes};
use taskyard_task::{Change, Commit, Event};
use tokio::time::Instant;

use crate::hold::CHUNK_PATIENCE;

/// What is held back at most, beyond the oldest chunk, before it goes to the disk.
pub(crate) const MAX_HELD_BYTES: usize = 64 << 10;

/// The beginning of a task, with everything that joined it; or newest chunks, with everything after them.
#[derive(Default)]
pub(crate) struct Held {
    pieces: VecDeque<Piece>,
    /// Of all pieces.
    size: usize,
    /// They begin a task that may be over at once.
    begins: bool,
}

struct Piece {
    commit: Commit,
    size: usize,
    /// They wait for the committer like any others.
    bytes: ReservedBytes,
    /// Ends with the newest chunk of an artifact, which may be the last one.
    newest: Option<Newest>,
}

struct Newest {
    artifact: String,
    since: Instant,
}

impl Held {
    /// Whether nothing is held back.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether the beginning of the task is held back.
    pub(crate) fn is_beginning(&self) -> bool {
        self.begins
    }

    /// Since when a chunk has been held back, if one is.
    pub(crate) fn chunk_since(&self) -> Option<Instant> {
        Some(self.pieces.front()?.newest.as_ref()?.since)
    }

    /// Holds the beginning of a task back, until something must be on the disk: what follows within a
    /// moment shares one write with it. Whoever holds releases it after that moment.
    pub(crate) fn begin(&mut self, commit: Commit, bytes: ReservedBytes) {
        self.begins = true;
        self.push(commit, bytes, None);
    }

    /// Holds back a commit that may wait, and gives what need not wait any more, for `place`: whatever comes
    /// before the oldest chunk that may still be the last one, and what is too much.
    pub(crate) fn join(
        &mut self,
        commit: Commit,
        newest_of: Option<String>,
        place: &mut Reservation<'_>,
        now: Instant,
    ) -> Option<Commit> {
        let newest = newest_of.map(|artifact| {
            // The one before was not the last.
            self.let_go(&artifact);
            Newest {
                artifact,
                since: now,
            }
        });
        self.push(commit, place.take_bytes(), newest);
        match self.begins {
            false => self.release_while(place, |held| !held.waits()),
            true if self.size > MAX_HELD_BYTES => self.release(place),
            true => None,
        }
    }

    /// The artifact `id` is closed: its newest chunk tells so, if it is still held back.
    pub(crate) fn seal(&mut self, id: &str) {
        let pieces = self.pieces.iter_mut().rev();
        let mut changes = pieces.flat_map(|piece| piece.commit.changes.iter_mut().rev());
        let newest = changes.find_map(|change| match change {
            Change::Append { entry, .. } => match &mut entry.event {
                Event::ArtifactAppended { id: of, last, .. } if of == id => Some(last),
                _ => None,
            },
            _ => None,
        });
        if let Some(last) = newest {
            *last = true;
        }
        self.let_go(id);
    }

    /// Everything, for `place`; nothing is held back any more.
    pub(crate) fn release(&mut self, place: &mut Reservation<'_>) -> Option<Commit> {
        self.release_while(place, |_| true)
    }

    /// Chunks that have waited for long enough by `now`, with everything before the next that has not.
    pub(crate) fn release_due(
        &mut self,
        place: &mut Reservation<'_>,
        now: Instant,
    ) -> Option<Commit> {
        let is_due = |held: &Self| {
            let since = held.chunk_since();
            since.is_some_and(|since| since + CHUNK_PATIENCE <= now)
        };
        self.release_while(place, |held| !held.waits() || is_due(held))
    }

    /// Whether the oldest chunk may still be the last one, and there is not too much after it.
    fn waits(&self) -> bool {
        let first = self.pieces.front();
        first
            .is_some_and(|first| first.newest.is_some() && self.size - first.size <= MAX_HELD_BYTES)
    }

    fn release_while(
        &mut self,
        place: &mut Reservation<'_>,
        goes: impl Fn(&Self) -> bool,
    ) -> Option<Commit> {
        let mut released: Option<Commit> = None;
        while goes(self)
            && let Some(piece) = self.pieces.pop_front()
        {
            self.size -= piece.size;
            self.begins = false;
            place.add_bytes(piece.bytes);
            released = Some(match released {
                Some(before) => before.and(piece.commit),
                None => piece.commit,
            });
        }
        released
    }

    fn push(&mut self, commit: Commit, bytes: ReservedBytes, newest: Option<Newest>) {
        let size = commit.size();
        self.size += size;
        self.pieces.push_back(Piece {
            commit,
            size,
            bytes,
            newest,
        });
    }

    /// Nothing waits for the end of artifact `id` any more.
    fn let_go(&mut self, id: &str) {
        for piece in &mut self.pieces {
            piece.newest.take_if(|newest| newest.artifact == id);
        }
    }
}

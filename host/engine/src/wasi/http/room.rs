//! How much the host holds in memory for the requests of one worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Headers, bodies that are written or on their way, and bodies of responses that the worker has taken,
/// all together. Several of the largest requests fit; a worker that needs more reads before it sends.
const MAX_HELD_BYTES: usize = 64 << 20;

/// The room of one instance. Only calls of the worker change it, so a replay finds the same room.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Arc<AtomicUsize>);

/// A part of the room that is taken. Given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    room: Room,
    bytes: usize,
}

/// There is no room left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the worker holds more than {MAX_HELD_BYTES} bytes of requests and responses")]
pub(super) struct Full;

impl Room {
    /// Takes so many bytes.
    ///
    /// # Errors
    /// If there are not so many left.
    pub(super) fn hold(&self, bytes: usize) -> Result<Held, Full> {
        let mut held = Held {
            room: self.clone(),
            bytes: 0,
        };
        held.grow(bytes)?;
        Ok(held)
    }
}

impl Held {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// If there are not so many left.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let used = self.room.0.load(Ordering::Relaxed).saturating_add(bytes);
        if used > MAX_HELD_BYTES {
            return Err(Full);
        }
        self.room.0.store(used, Ordering::Relaxed);
        self.bytes += bytes;
        Ok(())
    }

    /// Gives so many bytes back.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.room.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_and_given_back() {
        let room = Room::default();
        let first = room.hold(MAX_HELD_BYTES - 10).unwrap();
        let mut second = room.hold(0).unwrap();
        second.grow(10).unwrap();
        assert_eq!(second.grow(1), Err(Full));
        assert_eq!(room.hold(1).unwrap_err(), Full);
        drop(first);
        second.grow(1).unwrap();
        second.shrink(5);
        room.hold(MAX_HELD_BYTES - 6).unwrap();
    }
}

//! The client's messages that the worker has not taken yet.

use std::collections::VecDeque;

use taskyard_task::{Message, Seq, Timestamp};

/// How many bytes of messages one run keeps in memory. Those beyond are read again when they are
/// taken; their number is bounded by what a task accepts.
const KEPT_BYTES: usize = 4 << 20;

/// The client's messages that the worker has not taken yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: VecDeque<Received>,
    kept_bytes: usize,
    /// The last message that was ever in here.
    last: Seq,
}

/// A message that arrived.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Received {
    /// Its entry.
    pub(super) seq: Seq,
    /// When it arrived.
    pub(super) at: Timestamp,
    /// The message, if it is kept in memory.
    pub(super) message: Option<Message>,
}

impl Inbox {
    /// A message arrived.
    pub(super) fn push(&mut self, seq: Seq, at: Timestamp, message: Message) {
        let size = message.size();
        let keep = self.kept_bytes.saturating_add(size) <= KEPT_BYTES;
        if keep {
            self.kept_bytes += size;
        }
        self.last = seq;
        self.waiting.push_back(Received {
            seq,
            at,
            message: keep.then_some(message),
        });
    }

    /// A message was taken right where it arrived.
    pub(super) fn passed(&mut self, seq: Seq) {
        self.last = seq;
    }

    /// The last message that was ever in here.
    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// The oldest message, left in line.
    pub(super) fn front(&self) -> Option<Seq> {
        self.waiting.front().map(|received| received.seq)
    }

    /// Takes the message of that entry.
    pub(super) fn take(&mut self, seq: Seq) -> Option<Received> {
        self.take_first(|received| received.seq == seq)
    }

    /// Takes the first message behind an entry: the answer, if the entry is a question.
    pub(super) fn take_after(&mut self, seq: Seq) -> Option<Received> {
        self.take_first(|received| received.seq > seq)
    }

    fn take_first(&mut self, wanted: impl FnMut(&Received) -> bool) -> Option<Received> {
        let index = self.waiting.iter().position(wanted)?;
        let received = self.waiting.remove(index)?;
        let size = received.message.as_ref().map_or(0, Message::size);
        self.kept_bytes -= size;
        Some(received)
    }
}

//! One writer per task: who wants to change a task takes turns here.
//!
//! A slot exists while somebody works with its task, follows it, or has a commit of it on the way to
//! the disk. It holds the header as decided last, which can be ahead of the disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use taskyard_storage::{ReadError, Storage};
use taskyard_task::{Entry, Header, TaskId};
use tokio::sync::watch;

/// Independent locks, so that tasks rarely wait for each other's look-up.
const SHARDS: usize = 64;

/// The largest first entry that is kept in memory for a run; reading larger ones costs little by
/// comparison.
const MAX_KEPT_BYTES: usize = 64 << 10;

pub(crate) struct Slots {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    slots: HashMap<TaskId, Weak<Slot>>,
    /// When the map reaches this size, slots that nobody holds are swept out.
    sweep_at: usize,
}

/// A task that somebody works with.
pub(crate) struct Slot {
    pub(crate) task: TaskId,
    decided: Mutex<Decided>,
    /// How a task that was just submitted begins, so that its first run need not wait until that can
    /// be read from the disk. Whatever leaves the sandbox still waits for it.
    beginning: Mutex<Option<Entry>>,
    /// Changes with each commit that became durable.
    applied: watch::Sender<u64>,
    /// Changes with each decision, durable or not.
    decisions: watch::Sender<u64>,
}

/// A task as decided last, which can be ahead of the disk.
enum Decided {
    /// As it is on the disk.
    Stored,
    /// With this header.
    As(Box<Header>),
    /// It was forgotten. What is still on the disk is about to go.
    Gone,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Slots {
    /// The slot of `task`, made if nobody holds it.
    pub(crate) fn get(&self, task: TaskId) -> Arc<Slot> {
        let mut shard = self.shard(task);
        if let Some(slot) = shard.slots.get(&task).and_then(Weak::upgrade) {
            return slot;
        }
        shard.sweep();
        let slot = Arc::new(Slot {
            task,
            decided: Mutex::new(Decided::Stored),
            beginning: Mutex::new(None),
            applied: watch::Sender::new(0),
            decisions: watch::Sender::new(0),
        });
        shard.slots.insert(task, Arc::downgrade(&slot));
        slot
    }

    /// Wakes whoever follows `task`: a commit of it is durable.
    pub(crate) fn wake(&self, task: TaskId) {
        let slot = self.shard(task).slots.get(&task).and_then(Weak::upgrade);
        if let Some(slot) = slot {
            slot.applied.send_modify(|count| *count += 1);
        }
    }

    fn shard(&self, task: TaskId) -> MutexGuard<'_, Shard> {
        // Not the partition, which is the low bits of the last byte: any other random byte.
        let [.., random, _] = task.to_bytes();
        let shard = self
            .shards
            .get(usize::from(random) % SHARDS)
            .or(self.shards.first());
        lock(shard.expect("there is at least one shard"))
    }
}

impl Shard {
    fn sweep(&mut self) {
        const SMALLEST: usize = 64;
        if self.slots.len() >= self.sweep_at.max(SMALLEST) {
            self.slots.retain(|_, slot| slot.strong_count() > 0);
            self.sweep_at = self.slots.len() * 2;
        }
    }
}

impl Slot {
    /// Takes the turn. The header is there once [`Turn::header`] was asked for it.
    pub(crate) fn turn(&self) -> Turn<'_> {
        Turn {
            slot: self,
            decided: lock(&self.decided),
        }
    }

    /// Keeps the first entry for the first run, unless it is large.
    pub(crate) fn keep_beginning(&self, entry: &Entry) {
        if entry.event.size() <= MAX_KEPT_BYTES {
            *lock(&self.beginning) = Some(entry.clone());
        }
    }

    /// The first entry, if it was kept.
    pub(crate) fn take_beginning(&self) -> Option<Entry> {
        lock(&self.beginning).take()
    }

    /// Follows the commits of the task that become durable.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// Follows the decisions about the task, durable or not.
    pub(crate) fn follow_decisions(&self) -> watch::Receiver<u64> {
        self.decisions.subscribe()
    }
}

/// The right to decide about a task.
pub(crate) struct Turn<'a> {
    slot: &'a Slot,
    decided: MutexGuard<'a, Decided>,
}

impl Turn<'_> {
    /// The header as decided last.
    pub(crate) fn header(&mut self, storage: &Storage) -> Result<Option<&Header>, ReadError> {
        if let Decided::Stored = *self.decided
            && let Some(header) = storage.header(self.slot.task)?
        {
            *self.decided = Decided::As(Box::new(header));
        }
        match &*self.decided {
            Decided::As(header) => Ok(Some(header)),
            Decided::Stored | Decided::Gone => Ok(None),
        }
    }

    /// Whether the task was forgotten.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(*self.decided, Decided::Gone)
    }

    /// From here on, this is the header.
    pub(crate) fn decide(&mut self, header: Header) {
        self.become_as(Decided::As(Box::new(header)));
    }

    /// From here on, there is no such task.
    pub(crate) fn forget(&mut self) {
        self.become_as(Decided::Gone);
    }

    fn become_as(&mut self, decided: Decided) {
        *self.decided = decided;
        self.slot.decisions.send_modify(|count| *count += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

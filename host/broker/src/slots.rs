//! One writer per task: who wants to change a task takes turns here.
//!
//! A slot exists while somebody works with its task, follows it, or has a commit of it on the way to
//! the disk. It holds the header as decided last, which can be ahead of the disk.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::FutureExt;
use futures::future::Shared;
use taskyard_storage::{Durable, ReadError, Reservation, Storage};
use taskyard_task::{Change, Commit, Entry, Header, LightEntry, Outline, TaskId};
use tokio::sync::watch;

use crate::held::Held;
use crate::operations::TaskSnapshot;

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
    state: Mutex<State>,
    /// How a task that was just submitted begins, so that its first run need not wait until that can
    /// be read from the disk. Whatever leaves the sandbox still waits for it.
    beginning: Mutex<Option<Entry>>,
    /// Changes with each commit that became durable.
    applied: watch::Sender<u64>,
    /// Changes with each decision, durable or not.
    decisions: watch::Sender<u64>,
}

/// Resolves once a commit is durable, for as many as want to know.
pub(crate) type Committed = Shared<Durable>;

struct State {
    decided: Decided,
    /// What was decided and not handed over yet.
    held: Held,
    /// Whether somebody looks after the chunk that is held, and those that follow it.
    chunks_are_timed: bool,
    /// Resolves once the last commit that was handed over is durable.
    last_commit: Option<Committed>,
    /// What a task came to that was handed over whole, for the one who waits for that.
    whole: Option<Box<TaskSnapshot>>,
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
            state: Mutex::new(State {
                decided: Decided::Stored,
                held: Held::default(),
                chunks_are_timed: false,
                last_commit: None,
                whole: None,
            }),
            beginning: Mutex::new(None),
            applied: watch::Sender::new(0),
            decisions: watch::Sender::new(0),
        });
        shard.slots.insert(task, Arc::downgrade(&slot));
        slot
    }

    /// Everybody's.
    pub(crate) fn all(&self) -> Vec<Arc<Slot>> {
        let shards = self.shards.iter();
        shards
            .flat_map(|shard| {
                let shard = lock(shard);
                let slots: Vec<_> = shard.slots.values().filter_map(Weak::upgrade).collect();
                slots
            })
            .collect()
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
            state: lock(&self.state),
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
    state: MutexGuard<'a, State>,
}

impl Turn<'_> {
    /// The header as decided last.
    pub(crate) fn header(&mut self, storage: &Storage) -> Result<Option<&Header>, ReadError> {
        if let Decided::Stored = self.state.decided
            && let Some(header) = storage.header(self.slot.task)?
        {
            self.state.decided = Decided::As(Box::new(header));
        }
        match &self.state.decided {
            Decided::As(header) => Ok(Some(header)),
            Decided::Stored | Decided::Gone => Ok(None),
        }
    }

    /// Whether the task was forgotten.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state.decided, Decided::Gone)
    }

    /// From here on, this is the header.
    pub(crate) fn decide(&mut self, header: Header) {
        self.become_as(Decided::As(Box::new(header)));
    }

    /// From here on, there is no such task.
    pub(crate) fn forget(&mut self) {
        self.become_as(Decided::Gone);
    }

    /// What is held back, to be looked at and to be changed.
    pub(crate) fn held(&mut self) -> &mut Held {
        &mut self.state.held
    }

    /// Somebody looks after chunks from here on, or nobody does any more. What it was before.
    pub(crate) fn time_chunks(&mut self, are_timed: bool) -> bool {
        std::mem::replace(&mut self.state.chunks_are_timed, are_timed)
    }

    /// Whether the task has ended, as decided last.
    pub(crate) fn has_ended(&self) -> bool {
        match &self.state.decided {
            Decided::As(header) => header.is_ended(),
            Decided::Stored => false,
            Decided::Gone => true,
        }
    }

    /// What goes to the disk with a decision, by its place: what was held back, and then that.
    pub(crate) fn with_held(&mut self, place: &mut Reservation<'_>, next: Commit) -> Commit {
        let is_whole = self.state.held.is_beginning();
        let Some(commit) = self.state.held.release(place) else {
            return next;
        };
        let commit = commit.and(next);
        if is_whole
            && let Decided::As(header) = &self.state.decided
            && (header.is_ended() || header.state.is_interrupted())
        {
            self.state.whole = Some(Box::new(whole(header, &commit)));
        }
        commit
    }

    /// What the task came to by the first commit of it, if that was its end or a question: known without
    /// reading it again, and good once that commit is durable.
    pub(crate) fn take_whole(&mut self) -> Option<TaskSnapshot> {
        Some(*self.state.whole.take()?)
    }

    /// Hands a commit over. Must be called within the turn that decided it, so that commits of a task queue in
    /// the order of its decisions.
    pub(crate) fn submit(
        &mut self,
        place: Reservation<'_>,
        commit: Commit,
        keep: Arc<dyn Any + Send + Sync>,
    ) -> Committed {
        let committed = place.submit(commit, keep).shared();
        self.state.last_commit = Some(committed.clone());
        committed
    }

    /// The last commit that was handed over since the slot is there. Commits queue in order, so it stands for
    /// all before it.
    pub(crate) fn last_commit(&self) -> Option<Committed> {
        self.state.last_commit.clone()
    }

    fn become_as(&mut self, decided: Decided) {
        self.state.decided = decided;
        self.slot.decisions.send_modify(|count| *count += 1);
    }
}

/// What the first commit of a task amounts to.
fn whole(header: &Header, commit: &Commit) -> TaskSnapshot {
    let mut outline = Outline::default();
    for change in &commit.changes {
        if let Change::Append { task, seq, entry } = change
            && *task == header.id
        {
            outline.apply(&header.rewound, *seq, LightEntry::whole(entry.clone()));
        }
    }
    TaskSnapshot {
        header: header.clone(),
        outline,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

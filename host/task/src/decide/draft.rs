//! A decision in the making: keeps header, entries and notifications in step.

use crate::child::{ChildLink, Letter, News};
use crate::commit::{Change, Commit};
use crate::entry::{Entry, Event};
use crate::header::{Header, Phase};
use crate::id::{Digest, Seq, TaskId, Ticket, Timestamp};
use crate::state::TaskState;

use super::Breakdown;

/// What one input does to a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What it was before; `None` for a new task.
    pub before: Option<Header>,
    /// What it is from here on.
    pub header: Header,
    changes: Vec<Change>,
    /// Instead of what the header is from here on: that there is none, and the idempotency keys that go.
    forgets: Option<Vec<Digest>>,
}

impl Decision {
    /// Whether anything changes at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        !self.forgets() && self.changes.is_empty() && self.before.as_ref() == Some(&self.header)
    }

    /// Whether there is no task from here on.
    #[must_use]
    pub fn forgets(&self) -> bool {
        self.forgets.is_some()
    }

    /// The entries to append, in order.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (Seq, &Entry)> {
        self.changes.iter().filter_map(|change| match change {
            Change::Append { seq, entry, .. } => Some((*seq, entry)),
            _ => None,
        })
    }

    /// Whether the log and the header are all that changes: nothing that another task can see.
    #[must_use]
    pub fn only_appends(&self) -> bool {
        let append = |change: &Change| matches!(change, Change::Append { .. });
        !self.forgets() && self.changes.iter().all(append)
    }

    /// This decision and one about another task of the same partition, to be written together.
    #[must_use]
    pub fn into_commit_with(self, other: Self) -> Commit {
        let mut commit = self.into_commit();
        commit.changes.extend(other.into_commit().changes);
        commit
    }

    /// Adds a change that belongs to the decision.
    pub fn add(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Everything that must be written, as one value.
    #[must_use]
    pub fn into_commit(self) -> Commit {
        let partition = self.header.id.partition();
        let epoch = self.header.epoch;
        let mut changes = self.changes;
        changes.push(match self.forgets {
            Some(keys) => Change::Forget {
                header: Box::new(self.header),
                keys,
            },
            None => Change::Header {
                before: self.before.map(Box::new),
                after: Box::new(self.header),
            },
        });
        Commit::new(partition, epoch, changes)
    }
}

pub(super) struct Draft {
    pub(super) header: Header,
    before: Option<Header>,
    now: Timestamp,
    changes: Vec<Change>,
    forgets: Option<Vec<Digest>>,
}

impl Draft {
    pub(super) fn of(header: &Header, now: Timestamp) -> Self {
        Self {
            header: header.clone(),
            before: Some(header.clone()),
            now,
            changes: Vec::new(),
            forgets: None,
        }
    }

    pub(super) fn new_task(header: Header, now: Timestamp) -> Self {
        Self {
            header,
            before: None,
            now,
            changes: Vec::new(),
            forgets: None,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Appends `event` and lets the header follow. What clients are to see announces the task, and is
    /// never the first thing they see of a task that still looks idle.
    pub(super) fn record(&mut self, event: Event) -> Seq {
        if event.is_visible() {
            let looks_idle = self.header.state == TaskState::Submitted;
            let ends = event.state().is_some_and(TaskState::is_terminal);
            let stops = matches!(event, Event::Parked { .. });
            if looks_idle && !ends && !stops && event != Event::Working {
                self.append(Event::Working);
            }
            self.header.announced = true;
        }
        self.append(event)
    }

    /// Appends the terminal `event`; nothing can follow. Children that are not detached follow, and the
    /// parent learns of it.
    pub(super) fn end(&mut self, event: Event) {
        self.record(event);
        self.header.phase = Phase::Ended;
        self.header.broken = None;
        for child in std::mem::take(&mut self.header.children) {
            if !child.detached {
                self.cancel_child(child);
            }
        }
        if let Some(parent) = self.header.parent {
            let (to, ticket) = (parent.task, parent.ticket);
            self.post(to, ticket, News::ChildEnded);
        }
        if self.header.has_state {
            let task = self.header.id;
            self.change(Change::DropState { task });
        }
    }

    /// From here on, there is no such task.
    pub(super) fn forget(&mut self, keys: Vec<Digest>) {
        self.forgets = Some(keys);
    }

    /// Stops the task until an operator looks at it.
    pub(super) fn park(&mut self, at: Breakdown) {
        self.record(Event::Parked {
            code: at.code,
            reason: at.reason,
            position: at.position,
            backtrace: at.backtrace,
        });
        self.header.phase = Phase::Parked;
        self.header.broken = None;
    }

    /// Appends what came from outside.
    pub(super) fn record_outside(&mut self, event: Event) -> Seq {
        let seq = self.record(event);
        self.header.last_outside = seq;
        seq
    }

    /// Something happened that a suspended task may wait for.
    pub(super) fn wake(&mut self) {
        match self.header.phase {
            Phase::Suspended { .. } => self.queue(),
            // Whoever wants to cancel does not wait for the next try.
            Phase::Delayed { .. } if self.header.cancel_requested => self.queue(),
            _ => {}
        }
    }

    /// Asks a child to cancel.
    pub(super) fn cancel_child(&mut self, child: ChildLink) {
        match child.task {
            Some(task) => self.post(task, child.ticket, News::Cancel),
            None => {
                let since = child.since;
                self.post(self.header.id, child.ticket, News::CancelRemote { since });
            }
        }
    }

    fn post(&mut self, to: TaskId, ticket: Ticket, news: News) {
        let from = self.header.id;
        self.change(Change::Post {
            letter: Letter {
                to,
                from,
                ticket,
                news,
            },
        });
    }

    /// Puts the task in line for a run.
    pub(super) fn queue(&mut self) {
        self.header.phase = Phase::Queued;
        self.header.queued_at = self.now;
    }

    pub(super) fn finish(self) -> Decision {
        Decision {
            before: self.before,
            header: self.header,
            changes: self.changes,
            forgets: self.forgets,
        }
    }

    fn append(&mut self, event: Event) -> Seq {
        let seq = self.header.last.next();
        self.header.last = seq;
        if let Some(state) = event.state() {
            self.header.state = state;
            self.header.status_at = self.now;
        }
        let (visible, state) = (event.is_visible(), event.state());
        self.changes.push(Change::Append {
            task: self.header.id,
            seq,
            entry: Entry {
                at: self.now,
                event,
            },
        });
        if visible {
            self.header.visible += 1;
            self.notify(seq, state);
        }
        seq
    }

    fn notify(&mut self, seq: Seq, state: Option<TaskState>) {
        let header = &self.header;
        let task = header.id;
        let wanted = header
            .push
            .iter()
            .filter(|config| header.wants(config, state));
        let due = wanted.map(|config| Change::Notify {
            task,
            config: config.clone(),
            seq,
        });
        self.changes.extend(due);
    }
}

//! What the worker started and can wait for.
//!
//! All of it follows from the calls and from the entries applied so far.

use std::collections::BTreeMap;

use taskyard_task::{Seq, TaskId, Ticket};

use super::requests::RequestState;

/// How many tickets a task may have at once. Those of timers, questions and children are small.
pub(super) const MAX_TICKETS: usize = 100_000;

/// What the worker started and can wait for.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    last: Ticket,
    things: BTreeMap<Ticket, Thing>,
    /// Those of `things` that are requests and were open lately.
    requests: Vec<Ticket>,
    /// Counts completions.
    completions: u64,
    /// The one ticket for messages, once it was asked for.
    messages: Option<Ticket>,
}

/// One of them.
#[derive(Debug)]
pub(super) enum Thing {
    Timer { due_ns: u64 },
    Messages,
    Question { answer: Option<Answer>, taken: bool },
    Child(ChildState),
    Request(Box<RequestState>),
}

/// The answer to a question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) seq: Seq,
    pub(super) completed: Completed,
}

/// A child, as far as the worker knows.
#[derive(Debug)]
pub(super) struct ChildState {
    pub(super) task: Option<TaskId>,
    pub(super) detached: bool,
    /// Whether it was asked to cancel.
    pub(super) given_up: bool,
    /// The entry that tells its end.
    pub(super) end: Option<Answer>,
}

/// When something was complete: what was first stays first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Completed {
    at_ns: u64,
    order: u64,
}

impl Tickets {
    /// Names a new thing.
    pub(super) fn add(&mut self, thing: Thing) -> Ticket {
        self.last = self.last.next();
        if matches!(thing, Thing::Request(_)) {
            self.requests.push(self.last);
        }
        self.things.insert(self.last, thing);
        self.last
    }

    /// The name that the next thing will get.
    pub(super) fn upcoming(&self) -> Ticket {
        self.last.next()
    }

    /// Whether there is room for one more.
    pub(super) fn is_full(&self) -> bool {
        self.things.len() >= MAX_TICKETS
    }

    /// The ticket for messages.
    pub(super) fn messages(&mut self) -> Ticket {
        if let Some(ticket) = self.messages {
            return ticket;
        }
        let ticket = self.add(Thing::Messages);
        self.messages = Some(ticket);
        ticket
    }

    pub(super) fn get(&self, ticket: Ticket) -> Option<&Thing> {
        self.things.get(&ticket)
    }

    pub(super) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Thing> {
        self.things.get_mut(&ticket)
    }

    pub(super) fn remove(&mut self, ticket: Ticket) {
        self.things.remove(&ticket);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Ticket, &Thing)> {
        self.things.iter().map(|(ticket, thing)| (*ticket, thing))
    }

    /// Something is complete from now on.
    pub(super) fn complete(&mut self, now_ns: u64) -> Completed {
        self.completions += 1;
        Completed {
            at_ns: now_ns,
            order: self.completions,
        }
    }

    /// How many requests are under way, or have a response that was not taken.
    pub(super) fn open_requests(&mut self) -> usize {
        let things = &self.things;
        self.requests.retain(
            |ticket| matches!(things.get(ticket), Some(Thing::Request(state)) if state.is_open()),
        );
        self.requests.len()
    }

    /// How many children have not ended.
    pub(super) fn open_children(&self) -> usize {
        let open = |thing: &&Thing| matches!(thing, Thing::Child(child) if child.end.is_none());
        self.things.values().filter(open).count()
    }

    /// The children that must end before the worker's end counts.
    pub(super) fn attached_children(&self) -> Vec<(Ticket, bool)> {
        let attached = |(ticket, thing): (Ticket, &Thing)| match thing {
            Thing::Child(child) if child.end.is_none() && !child.detached => {
                Some((ticket, child.given_up))
            }
            _ => None,
        };
        self.iter().filter_map(attached).collect()
    }
}

impl Thing {
    /// When it was complete, if it is. `now_ns` is the worker's time, `messages` tells whether one that the
    /// worker knows of is in line.
    pub(super) fn completed(&self, now_ns: u64, messages: bool) -> Option<Completed> {
        match self {
            Self::Timer { due_ns } if *due_ns <= now_ns => Some(Completed {
                at_ns: *due_ns,
                order: 0,
            }),
            Self::Timer { .. } => None,
            // It was there before whatever completes now.
            Self::Messages => messages.then_some(Completed { at_ns: 0, order: 0 }),
            Self::Question { answer, taken } => {
                answer.filter(|_| !taken).map(|answer| answer.completed)
            }
            Self::Child(child) => child.end.map(|end| end.completed),
            Self::Request(state) => state.completed(),
        }
    }
}

//! What the worker started and can wait for, as far as it knows.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::host::TicketId;
use crate::http::{Request, Response};
use crate::millis::Millis;
use crate::testing::{Question, SentRequest};
use crate::{ChildEnd, Message, OpError};

/// How far an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Opened,
    Growing,
    Sealed,
}

/// What the worker started and can wait for.
#[derive(Default)]
pub(super) struct Tickets {
    last: TicketId,
    things: BTreeMap<TicketId, Thing>,
    /// Counts completions.
    completions: u64,
    messages: Option<TicketId>,
}

/// One of them.
pub(super) enum Thing {
    Timer { due: Millis },
    Messages,
    Question(Asked),
    Child(Started),
    Request(Box<Sent>),
}

/// A question.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) answer: Option<Message>,
    pub(super) completed: Option<Completed>,
    /// Whether its answer was taken, or the question withdrawn.
    pub(super) taken: bool,
}

/// A child.
pub(super) struct Started {
    pub(super) task_id: Option<String>,
    pub(super) detached: bool,
    /// Whether it was asked to cancel.
    pub(super) given_up: bool,
    pub(super) end: Option<ChildEnd>,
    pub(super) completed: Option<Completed>,
}

/// A request.
pub(super) struct Sent {
    pub(super) request: Request,
    pub(super) sent: SentRequest,
    pub(super) streamed: bool,
    /// When it was sent first.
    pub(super) at: Millis,
    /// How many arrivals the worker knows of.
    pub(super) arrived: usize,
    pub(super) head: Option<Response>,
    pub(super) pieces: VecDeque<Vec<u8>>,
    /// How it ended: the whole response, or a stream without its content.
    pub(super) end: Option<Result<Option<Response>, OpError>>,
    pub(super) given_up: bool,
    /// Whether the worker took the whole response, which it can do once.
    pub(super) taken: bool,
    pub(super) completed: Option<Completed>,
}

/// When something was complete: what was first stays first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Completed {
    at: Millis,
    order: u64,
}

impl Tickets {
    /// The name that the next thing will get.
    pub(super) fn upcoming(&self) -> TicketId {
        self.last + 1
    }

    pub(super) fn add(&mut self, thing: Thing) -> TicketId {
        self.last += 1;
        self.things.insert(self.last, thing);
        self.last
    }

    /// The ticket for messages: the same one however often it is asked for.
    pub(super) fn messages(&mut self) -> TicketId {
        if let Some(ticket) = self.messages {
            return ticket;
        }
        let ticket = self.add(Thing::Messages);
        self.messages = Some(ticket);
        ticket
    }

    pub(super) fn get(&self, ticket: TicketId) -> Option<&Thing> {
        self.things.get(&ticket)
    }

    pub(super) fn remove(&mut self, ticket: TicketId) {
        self.things.remove(&ticket);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TicketId, &Thing)> {
        self.things.iter().map(|(ticket, thing)| (*ticket, thing))
    }

    pub(super) fn question(&mut self, ticket: TicketId) -> Option<&mut Asked> {
        match self.things.get_mut(&ticket) {
            Some(Thing::Question(asked)) => Some(asked),
            _ => None,
        }
    }

    pub(super) fn child(&mut self, ticket: TicketId) -> Option<&mut Started> {
        match self.things.get_mut(&ticket) {
            Some(Thing::Child(started)) => Some(started),
            _ => None,
        }
    }

    pub(super) fn request(&mut self, ticket: TicketId) -> Option<&mut Sent> {
        match self.things.get_mut(&ticket) {
            Some(Thing::Request(sent)) => Some(sent),
            _ => None,
        }
    }

    /// Something is complete from now on.
    pub(super) fn complete(&mut self, now: Millis) -> Completed {
        self.completions += 1;
        Completed {
            at: now,
            order: self.completions,
        }
    }

    /// The oldest question that has no answer.
    pub(super) fn open_question(&self) -> Option<&Question> {
        let open = |(_, thing)| match thing {
            &Thing::Question(Asked {
                ref question,
                answer: None,
                taken: false,
                ..
            }) => Some(question),
            _ => None,
        };
        self.iter().find_map(open)
    }

    /// The children that run and must not outlive their parent.
    pub(super) fn attached_children(&self) -> Vec<TicketId> {
        let attached = |(ticket, thing): (TicketId, &Thing)| match thing {
            Thing::Child(child) if child.end.is_none() && !child.detached => Some(ticket),
            _ => None,
        };
        self.iter().filter_map(attached).collect()
    }

    /// Gives a question, a child or a request up.
    pub(super) fn give_up(&mut self, ticket: TicketId) {
        match self.things.get_mut(&ticket) {
            Some(Thing::Question(asked)) => asked.taken = true,
            Some(Thing::Child(child)) => child.given_up = true,
            Some(Thing::Request(sent)) => sent.given_up = true,
            Some(Thing::Timer { .. } | Thing::Messages) | None => {}
        }
    }
}

impl Sent {
    pub(super) fn new(request: Request, sent: SentRequest, streamed: bool, at: Millis) -> Self {
        Self {
            request,
            sent,
            streamed,
            at,
            arrived: 0,
            head: None,
            pieces: VecDeque::new(),
            end: None,
            given_up: false,
            taken: false,
            completed: None,
        }
    }

    /// Whether nothing more can come.
    pub(super) fn is_over(&self) -> bool {
        self.given_up || self.end.is_some()
    }
}

impl Thing {
    /// When it was complete, if it is.
    pub(super) fn completed(&self, now: Millis, has_message: bool) -> Option<Completed> {
        match self {
            Self::Timer { due } => (*due <= now).then_some(Completed { at: *due, order: 0 }),
            // It was there before whatever completes now.
            Self::Messages => has_message.then_some(Completed { at: 0, order: 0 }),
            Self::Question(asked) => asked.completed.filter(|_| !asked.taken),
            Self::Child(child) => child.completed,
            Self::Request(sent) => sent.completed,
        }
    }
}

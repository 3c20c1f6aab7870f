//! Requests and children: what leaves the task.

use super::attempt::Attempt;
use super::entry::{Entry, What};
use super::tickets::{Asked, Sent, Started, Thing};
use super::wait::{Wants, invalid};
use crate::children::{Child, Target};
use crate::host::{InputKind, TicketId};
use crate::http::{Request, Response};
use crate::testing::agents::{Agent, Order};
use crate::testing::world::{Arrival, Arrived, Departure, Piece};
use crate::testing::{Event, Question, SentRequest, StartedChild};
use crate::{ChildEnd, Identity, Message, OpError, Part};

/// Methods that change nothing, so that they need no idempotency key.
const SAFE_METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// Questions.
impl Attempt {
    pub(super) fn ask(&mut self, kind: InputKind, prompt: Vec<Part>) -> Result<TicketId, OpError> {
        if self.carried.canceled {
            return Err(OpError::Canceled);
        }
        let question = Question { kind, prompt };
        self.event(Event::Asked(question.clone()));
        let ticket = self.tickets.add(Thing::Question(Asked {
            question,
            answer: None,
            completed: None,
            taken: false,
        }));
        let now = self.now();
        self.carried.outside.asked(ticket, now);
        Ok(ticket)
    }

    pub(super) fn ask_take(&mut self, ticket: TicketId) -> Result<Message, OpError> {
        match self.tickets.question(ticket) {
            Some(asked) if !asked.taken => {}
            _ => return invalid("the ticket is no question, or its answer was taken before"),
        }
        let wants = |_: &Self| Ok(Wants::ticket(ticket));
        self.wait(wants, |attempt| {
            let asked = attempt.tickets.question(ticket)?;
            let answer = asked.answer.take()?;
            asked.taken = true;
            Some(Ok(answer))
        })
    }
}

/// Requests.
impl Attempt {
    pub(super) fn fetch_start(
        &mut self,
        request: Request,
        streamed: bool,
    ) -> Result<TicketId, OpError> {
        let attempts = request.retry.map_or(1, |retry| retry.attempts);
        if !(1..=20).contains(&attempts) {
            return invalid("a request is tried between 1 and 20 times");
        }
        let ticket = self.tickets.upcoming();
        let sent = self.sent(&request, ticket);
        let what = What::Requested {
            ticket,
            sent: sent.clone(),
            at_most_once: request.at_most_once,
            streamed,
        };
        let is_new = self.meet(&what).is_none();
        if is_new {
            self.journal.about_to_append();
            self.append(what);
        }
        let request = Sent::new(request, sent, streamed, self.now());
        self.tickets.add(Thing::Request(Box::new(request)));
        if is_new {
            self.send(ticket);
        }
        Ok(ticket)
    }

    fn sent(&self, request: &Request, ticket: TicketId) -> SentRequest {
        let is_safe = SAFE_METHODS.contains(&request.method.to_ascii_uppercase().as_str());
        let made_up = || {
            let Identity { task_id, .. } = &self.script.identity;
            format!("{task_id}-{}-{ticket}", self.carried.continued)
        };
        let key = request.idempotency_key.clone();
        SentRequest {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            idempotency_key: key.or_else(|| (!is_safe).then(made_up)),
        }
    }

    /// Sends a request, for the first time or again.
    pub(super) fn send(&mut self, ticket: TicketId) {
        let name = self.name(ticket);
        if let Some(sent) = self.tickets.request(ticket) {
            self.world.borrow_mut().send(Departure {
                name,
                request: &sent.request,
                sent: sent.sent.clone(),
                streamed: sent.streamed,
                at: sent.at,
            });
        }
    }

    /// Requests that were under way when the host went down, and whether they must not be sent again.
    pub(super) fn open_requests(&self) -> Vec<(TicketId, bool)> {
        let open = |(ticket, thing): (TicketId, &Thing)| match thing {
            Thing::Request(sent) if !sent.is_over() => {
                Some((ticket, sent.request.at_most_once || sent.arrived > 0))
            }
            _ => None,
        };
        self.tickets.iter().filter_map(open).collect()
    }

    /// What the worker is told about the next request of which nobody knows what became.
    pub(super) fn next_interruption(&mut self) -> Option<What> {
        let error = OpError::Interrupted("the host was restarted in the middle".to_owned());
        while let Some(ticket) = self.lost.pop_front() {
            let Some(sent) = self.tickets.request(ticket).filter(|sent| !sent.is_over()) else {
                continue;
            };
            return Some(match sent.streamed {
                true => What::Streamed {
                    ticket,
                    piece: Piece::Failed(error),
                },
                false => What::Responded {
                    ticket,
                    result: Err(error),
                },
            });
        }
        None
    }

    /// What arrives next.
    pub(super) fn next_response(&self) -> Option<Entry> {
        let world = self.world.borrow();
        let arrival = |(ticket, thing): (TicketId, &Thing)| {
            let Thing::Request(sent) = thing else {
                return None;
            };
            let arrival = world.next_arrival(self.name(ticket), sent.arrived);
            let Arrival { at, what } = arrival.filter(|_| !sent.is_over())?.clone();
            let what = match what {
                Arrived::Response(result) => What::Responded { ticket, result },
                Arrived::Piece(piece) => What::Streamed { ticket, piece },
            };
            Some(Entry { at, what })
        };
        self.tickets
            .iter()
            .filter_map(arrival)
            .min_by_key(|entry| entry.at)
    }

    pub(super) fn fetch_take(&mut self, ticket: TicketId) -> Result<Response, OpError> {
        self.check_request(ticket, |_| true)?;
        self.wait_for_request(ticket, |sent| {
            let whole = sent.head.is_none() && sent.end.is_some();
            if whole && std::mem::replace(&mut sent.taken, true) {
                return Some(invalid("the response was taken before"));
            }
            match (&sent.head, &sent.end) {
                (Some(head), _) => Some(Ok(head.clone())),
                (None, Some(Ok(Some(response)))) => Some(Ok(response.clone())),
                (None, Some(Err(error))) => Some(Err(error.clone())),
                (None, _) => sent.given_up.then(|| invalid("the request was given up")),
            }
        })
    }

    pub(super) fn next_piece(&mut self, ticket: TicketId) -> Result<Option<Vec<u8>>, OpError> {
        self.check_request(ticket, |sent| sent.streamed)?;
        self.wait_for_request(ticket, |sent| {
            let piece = sent.pieces.pop_front();
            if sent.pieces.is_empty() && sent.end.is_none() {
                sent.completed = None;
            }
            match (piece, &sent.end) {
                (Some(piece), _) => Some(Ok(Some(piece))),
                (None, Some(Err(error))) => Some(Err(error.clone())),
                (None, Some(Ok(_))) => Some(Ok(None)),
                (None, None) => sent.given_up.then_some(Ok(None)),
            }
        })
    }

    fn check_request(
        &mut self,
        ticket: TicketId,
        is_fine: impl Fn(&Sent) -> bool,
    ) -> Result<(), OpError> {
        match self.tickets.request(ticket) {
            Some(sent) if is_fine(sent) => Ok(()),
            _ => invalid("the ticket is no request of that kind"),
        }
    }

    fn wait_for_request<R>(
        &mut self,
        ticket: TicketId,
        mut done: impl FnMut(&mut Sent) -> Option<Result<R, OpError>>,
    ) -> Result<R, OpError> {
        let wants = |_: &Self| Ok(Wants::default());
        self.wait(wants, |attempt| {
            let sent = attempt.tickets.request(ticket)?;
            done(sent)
        })
    }
}

/// Children.
impl Attempt {
    pub(super) fn child_start(&mut self, child: Child) -> Result<TicketId, OpError> {
        let agent = self.agent_for(&child)?;
        let ticket = self.tickets.upcoming();
        let what = What::ChildStarted {
            ticket,
            child: child.clone(),
        };
        let task_id = match &child.target {
            Target::Agent(_) => Some(format!("{}.{ticket}", self.script.identity.task_id)),
            Target::Remote(_) => None,
        };
        if self.meet(&what).is_none() {
            self.journal.about_to_append();
            self.start(ticket, &child, task_id.clone(), &agent);
            self.append(what);
        }
        Ok(self.tickets.add(Thing::Child(Started {
            task_id,
            detached: child.detached,
            given_up: false,
            end: None,
            completed: None,
        })))
    }

    fn agent_for(&self, child: &Child) -> Result<Agent, OpError> {
        let agent = |name: &str| self.world.borrow().agent(name);
        match &child.target {
            Target::Agent(name)
                if *name == self.script.identity.agent || self.script.lineage.contains(name) =>
            {
                invalid(&format!(
                    "agent {name:?} is among the ancestors of this task"
                ))
            }
            Target::Agent(name) => agent(name).ok_or_else(|| {
                OpError::Invalid(format!(
                    "there is no agent {name:?}; add `.child({name:?}, ..)`"
                ))
            }),
            Target::Remote(url) => agent(url).ok_or_else(|| {
                OpError::Denied(format!(
                    "the test has no agent at {url}; add `.child({url:?}, ..)`"
                ))
            }),
        }
    }

    fn start(&mut self, ticket: TicketId, child: &Child, task_id: Option<String>, agent: &Agent) {
        let me = &self.script.identity;
        let message = Message {
            metadata: child.metadata.clone(),
            ..Message::new(format!("message-{ticket}"), child.message.clone())
        };
        let (Target::Agent(target) | Target::Remote(target)) = &child.target;
        let order = Order {
            message: message.clone(),
            identity: Identity {
                task_id: task_id.unwrap_or_else(|| format!("remote-{ticket}")),
                agent: target.clone(),
                parent_task: Some(me.task_id.clone()),
                ..me.clone()
            },
            starts_at: self.carried.now,
            parent: &self.script,
        };
        let started = StartedChild {
            target: target.clone(),
            message,
            detached: child.detached,
            canceled: false,
        };
        let name = self.name(ticket);
        self.world.borrow_mut().start(name, started, agent, order);
    }

    pub(super) fn child_take(&mut self, ticket: TicketId) -> Result<ChildEnd, OpError> {
        if self.tickets.child(ticket).is_none() {
            return invalid("the ticket is no child");
        }
        let wants = |_: &Self| Ok(Wants::ticket(ticket));
        self.wait(wants, |attempt| {
            let child = attempt.tickets.child(ticket)?;
            child.end.clone().map(Ok)
        })
    }
}

/// Giving up.
impl Attempt {
    pub(super) fn cancel_ticket(&mut self, ticket: TicketId) -> Result<(), OpError> {
        let is_open = match self.tickets.get(ticket) {
            None => return invalid(&format!("there is no ticket {ticket}")),
            Some(Thing::Timer { .. }) => {
                self.tickets.remove(ticket);
                false
            }
            Some(Thing::Messages) => false,
            Some(Thing::Question(asked)) => asked.completed.is_none() && !asked.taken,
            Some(Thing::Child(child)) => child.end.is_none() && !child.given_up,
            Some(Thing::Request(sent)) => !sent.is_over(),
        };
        if !is_open {
            return Ok(());
        }
        self.give_up(ticket);
        Ok(())
    }

    fn give_up(&mut self, ticket: TicketId) {
        let what = What::GaveUp { ticket };
        if self.meet(&what).is_none() {
            self.journal.about_to_append();
            let (name, now) = (self.name(ticket), self.now());
            if self.tickets.child(ticket).is_some() {
                self.world.borrow_mut().cancel_child(name, now);
            }
            self.append(what);
        }
        self.carried.outside.withdrawn(ticket);
        self.tickets.give_up(ticket);
    }

    /// Children that are not detached go with the worker.
    pub(super) fn close_children(&mut self) {
        for ticket in self.tickets.attached_children() {
            self.give_up(ticket);
        }
    }
}

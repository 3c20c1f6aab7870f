//! Waiting: the only place where what the worker can see changes by what happens outside.
//!
//! A wait ends because something that was applied already satisfies it, or goes on by applying one entry:
//! the next one of the log, else whatever happens first.

use super::attempt::{Attempt, differs};
use super::entry::{Entry, What};
use super::journal::Stop;
use super::tickets::{Completed, Thing};
use crate::OpError;
use crate::host::TicketId;
use crate::millis::Millis;
use crate::testing::world::{Arrived, Piece};

/// The most tickets of one wait.
const MAX_TICKETS: usize = 1_000;

/// What a wait can end with, besides the responses to requests and a cancel, which always can.
#[derive(Debug, Default)]
pub(super) struct Wants {
    /// The earliest moment.
    due: Option<Millis>,
    /// Whether a message that is no answer is wanted.
    messages: bool,
    /// Questions and children.
    tickets: Vec<TicketId>,
}

impl Wants {
    /// Wants one question or child.
    pub(super) fn ticket(ticket: TicketId) -> Self {
        Self {
            tickets: vec![ticket],
            ..Self::default()
        }
    }
}

impl Attempt {
    /// Waits until `done` gives something. A cancel is told once.
    pub(super) fn wait<R>(
        &mut self,
        wants: impl Fn(&Self) -> Result<Wants, OpError>,
        mut done: impl FnMut(&mut Self) -> Option<Result<R, OpError>>,
    ) -> Result<R, OpError> {
        loop {
            if let Some(result) = done(self) {
                return result;
            }
            if std::mem::take(&mut self.cancel_untold) {
                return Err(OpError::Canceled);
            }
            let wants = wants(self)?;
            self.next_event(&wants);
        }
    }

    pub(super) fn sleep_until(&mut self, moment: Millis) -> Result<(), OpError> {
        let wants = |attempt: &Self| attempt.wants(&[], Some(moment));
        self.wait(wants, |attempt| (attempt.now() >= moment).then_some(Ok(())))
    }

    pub(super) fn wait_any(
        &mut self,
        tickets: &[TicketId],
        timeout: Option<Millis>,
    ) -> Result<TicketId, OpError> {
        self.check_tickets(tickets)?;
        if tickets.is_empty() {
            return invalid("there must be at least one ticket");
        }
        let deadline = timeout.map(|span| self.now().saturating_add(span));
        let wants = |attempt: &Self| attempt.wants(tickets, deadline);
        self.wait(wants, |attempt| {
            let completed = |ticket: &TicketId| Some((attempt.completed(*ticket)?, *ticket));
            let first = tickets.iter().filter_map(completed).min();
            first
                .map(|(_, ticket)| Ok(ticket))
                .or_else(|| attempt.timed_out(deadline))
        })
    }

    pub(super) fn wait_all(
        &mut self,
        tickets: &[TicketId],
        timeout: Option<Millis>,
    ) -> Result<(), OpError> {
        self.check_tickets(tickets)?;
        let deadline = timeout.map(|span| self.now().saturating_add(span));
        let wants = |attempt: &Self| attempt.wants(&attempt.open(tickets), deadline);
        self.wait(wants, |attempt| match attempt.open(tickets).is_empty() {
            true => Some(Ok(())),
            false => attempt.timed_out(deadline),
        })
    }

    fn timed_out<R>(&self, deadline: Option<Millis>) -> Option<Result<R, OpError>> {
        let is_over = deadline.is_some_and(|deadline| self.now() >= deadline);
        is_over.then_some(Err(OpError::TimedOut))
    }

    fn open(&self, tickets: &[TicketId]) -> Vec<TicketId> {
        let open = |ticket: &&TicketId| self.completed(**ticket).is_none();
        tickets.iter().filter(open).copied().collect()
    }

    fn completed(&self, ticket: TicketId) -> Option<Completed> {
        let has_message = !self.carried.inbox.is_empty();
        self.tickets.get(ticket)?.completed(self.now(), has_message)
    }

    fn check_tickets(&self, tickets: &[TicketId]) -> Result<(), OpError> {
        if tickets.len() > MAX_TICKETS {
            return invalid("there are more than 1,000 tickets");
        }
        match tickets
            .iter()
            .find(|ticket| self.tickets.get(**ticket).is_none())
        {
            Some(unknown) => invalid(&format!("there is no ticket {unknown}")),
            None => Ok(()),
        }
    }

    /// What can end a wait for some of these tickets.
    fn wants(&self, tickets: &[TicketId], deadline: Option<Millis>) -> Result<Wants, OpError> {
        let mut wants = Wants {
            due: deadline,
            ..Wants::default()
        };
        let mut has_request = false;
        for ticket in tickets {
            match self.tickets.get(*ticket) {
                Some(Thing::Timer { due }) if *due > self.now() => {
                    wants.due = Some(wants.due.map_or(*due, |there| there.min(*due)));
                }
                Some(Thing::Messages) => wants.messages = true,
                Some(Thing::Question(asked)) if asked.taken => {}
                Some(Thing::Question(_) | Thing::Child(_)) => wants.tickets.push(*ticket),
                Some(Thing::Request(sent)) => has_request |= !sent.is_over(),
                Some(Thing::Timer { .. }) | None => {}
            }
        }
        let can_end = wants.due.is_some() || wants.messages || !wants.tickets.is_empty();
        match can_end || has_request {
            true => Ok(wants),
            false => invalid("nothing in the list can complete"),
        }
    }

    /// Applies one entry that a wait can end with: the next one of the log, else whatever happens first.
    ///
    /// # Panics
    /// When an earlier attempt did not wait at this place.
    fn next_event(&mut self, wants: &Wants) {
        if let Some(logged) = self.journal.logged() {
            let fits = match &logged.what {
                What::TimePassed => wants.due == Some(logged.at),
                what => what.ends_a_wait(),
            };
            if !fits {
                differs(&logged.what, &"it waits");
            }
            let what = self.pass();
            self.apply(what);
            return;
        }
        self.go_live();
        let Some(Entry { at, what }) = self.live_event(wants) else {
            Stop::Waiting.now()
        };
        self.journal.about_to_append();
        self.carried.now = at.max(self.now());
        self.append(what.clone());
        self.let_come();
        self.apply(what);
    }

    /// What happens first. Nothing if nothing ever will.
    fn live_event(&mut self, wants: &Wants) -> Option<Entry> {
        if let Some(what) = self.next_interruption() {
            let at = self.now();
            return Some(Entry { at, what });
        }
        loop {
            let candidates = [
                self.cancel(),
                self.next_response(),
                self.next_news(wants),
                self.next_end(wants),
                wants.due.map(|at| Entry {
                    at,
                    what: What::TimePassed,
                }),
            ];
            let next = candidates
                .into_iter()
                .flatten()
                .min_by_key(|entry| entry.at);
            // A message that comes before may be what is wanted.
            match self.carried.outside.next_scheduled() {
                Some(at) if next.as_ref().is_none_or(|next| at <= next.at) => {
                    let calls = self.carried.calls;
                    self.carried.outside.come(at, calls);
                }
                _ => return next,
            }
        }
    }

    fn cancel(&self) -> Option<Entry> {
        let at = self.cancel_due().filter(|_| !self.carried.canceled)?;
        let what = What::Canceled;
        Some(Entry { at, what })
    }

    fn next_news(&self, wants: &Wants) -> Option<Entry> {
        let news = self.carried.outside.first(|news| match news.answers {
            Some(question) => wants.tickets.contains(&question),
            None => wants.messages,
        })?;
        let id = news.message.id.clone();
        Some(Entry {
            at: news.at,
            what: What::Arrived { id },
        })
    }

    fn next_end(&self, wants: &Wants) -> Option<Entry> {
        let world = self.world.borrow();
        let end = |ticket: &TicketId| {
            let is_open = matches!(
                self.tickets.get(*ticket),
                Some(Thing::Child(child)) if child.end.is_none()
            );
            let (at, end) = world.end_of(self.name(*ticket)).filter(|_| is_open)?;
            let (ticket, end) = (*ticket, end.clone());
            Some(Entry {
                at,
                what: What::ChildEnded { ticket, end },
            })
        };
        wants
            .tickets
            .iter()
            .filter_map(end)
            .min_by_key(|entry| entry.at)
    }

    /// The worker sees what an entry brings.
    fn apply(&mut self, what: What) {
        match what {
            What::Responded { ticket, result } => {
                self.arrive(ticket, Arrived::Response(result));
            }
            What::Streamed { ticket, piece } => self.arrive(ticket, Arrived::Piece(piece)),
            What::ChildEnded { ticket, end } => {
                let completed = self.tickets.complete(self.now());
                if let Some(child) = self.tickets.child(ticket) {
                    child.end = Some(end);
                    child.completed = Some(completed);
                }
            }
            What::Arrived { id } => self.hear(&id),
            What::Canceled => {
                self.carried.canceled = true;
                self.cancel_untold = true;
            }
            _ => {}
        }
    }

    fn hear(&mut self, id: &str) {
        let Some(news) = self.carried.outside.take(id) else {
            return;
        };
        let completed = self.tickets.complete(self.now());
        match news
            .answers
            .and_then(|question| self.tickets.question(question))
        {
            Some(asked) => {
                asked.answer = Some(news.message);
                asked.completed = Some(completed);
            }
            None => self.carried.inbox.push_back(news.message),
        }
    }

    fn arrive(&mut self, ticket: TicketId, arrived: Arrived) {
        let completed = self.tickets.complete(self.now());
        let Some(sent) = self.tickets.request(ticket) else {
            return;
        };
        sent.arrived += 1;
        let is_head = matches!(arrived, Arrived::Piece(Piece::Head(_)));
        if !is_head {
            sent.completed.get_or_insert(completed);
        }
        match arrived {
            Arrived::Response(result) => sent.end = Some(result.map(Some)),
            Arrived::Piece(Piece::Head(head)) => sent.head = Some(head),
            Arrived::Piece(Piece::Data(data)) => sent.pieces.push_back(data),
            Arrived::Piece(Piece::End) => sent.end = Some(Ok(None)),
            Arrived::Piece(Piece::Failed(error)) => sent.end = Some(Err(error)),
        }
    }
}

pub(super) fn invalid<R>(reason: &str) -> Result<R, OpError> {
    Err(OpError::Invalid(reason.to_owned()))
}

//! Tickets: making them, waiting for them, giving them up.

use taskyard_task::{Event, Seq, Ticket};

use super::gate::Gate;
use super::stop::{CallError, Refusal, Stop};
use super::tickets::{Completed, MAX_TICKETS, Thing};
use super::wait::Wants;

/// How many tickets one call may wait for.
const MAX_WAITED_FOR: usize = 1_000;
const NS_PER_MS: u64 = 1_000_000;

impl Gate {
    /// A ticket that is complete so many nanoseconds after the task began.
    ///
    /// # Errors
    /// Stopped if there are too many tickets: this call cannot be refused.
    pub(crate) fn timer(&mut self, due_ns: u64) -> Result<Ticket, Stop> {
        if self.tickets.is_full() {
            return Err(Stop::TicketLimit { limit: MAX_TICKETS });
        }
        Ok(self.tickets.add(Thing::Timer { due_ns }))
    }

    /// A ticket that is complete while a message that the worker knows of is in line.
    pub(crate) fn messages(&mut self) -> Ticket {
        self.tickets.messages()
    }

    /// When a span that begins now is over, in nanoseconds since the task began.
    pub(crate) fn after_ms(&self, span_ms: u64) -> u64 {
        let span_ns = span_ms.saturating_mul(NS_PER_MS);
        self.time.now_ns().saturating_add(span_ns)
    }

    /// Waits until one of `tickets` is complete and tells which was first.
    ///
    /// # Errors
    /// Refused if that takes longer than `timeout_ms`, after a cancel, and if it makes no sense.
    pub(crate) async fn any(
        &mut self,
        tickets: &[Ticket],
        timeout_ms: Option<u64>,
    ) -> Result<Ticket, CallError> {
        if tickets.is_empty() {
            return Err(Refusal::invalid("there is nothing in the list").into());
        }
        self.check_known(tickets)?;
        let until = timeout_ms.map(|timeout| self.after_ms(timeout));
        loop {
            if let Some(first) = self.first(tickets) {
                return Ok(first);
            }
            self.wait_once(tickets, until).await?;
        }
    }

    /// Waits until all of `tickets` are complete.
    ///
    /// # Errors
    /// As those of [`Gate::any`].
    pub(crate) async fn all(
        &mut self,
        tickets: &[Ticket],
        timeout_ms: Option<u64>,
    ) -> Result<(), CallError> {
        self.check_known(tickets)?;
        let until = timeout_ms.map(|timeout| self.after_ms(timeout));
        loop {
            let open = |ticket: &&Ticket| self.completed(**ticket).is_none();
            let open: Vec<Ticket> = tickets.iter().filter(open).copied().collect();
            if open.is_empty() {
                return Ok(());
            }
            self.wait_once(&open, until).await?;
        }
    }

    /// Waits until `until_ns`.
    ///
    /// # Errors
    /// Refused after a cancel, once.
    pub(crate) async fn sleep_until(&mut self, until_ns: u64) -> Result<(), CallError> {
        while self.time.now_ns() < until_ns {
            match self.wait_once(&[], Some(until_ns)).await {
                Err(CallError::Refused(Refusal::TimedOut)) => break,
                other => other?,
            }
        }
        Ok(())
    }

    /// Waits until all of `tickets` are complete, for as long as it takes.
    pub(super) async fn wait_for(&mut self, tickets: &[Ticket]) -> Result<(), CallError> {
        self.all(tickets, None).await
    }

    /// One step of a wait for a response that is under way.
    pub(super) async fn wait_for_request(&mut self, ticket: Ticket) -> Result<(), CallError> {
        self.wait_once(&[ticket], None).await
    }

    /// Gives something up.
    ///
    /// # Errors
    /// Like an effect; refused if there is no such thing.
    pub(crate) async fn give_up_ticket(&mut self, ticket: Ticket) -> Result<(), CallError> {
        self.check_known(&[ticket])?;
        if matches!(self.tickets.get(ticket), Some(Thing::Timer { .. })) {
            self.tickets.remove(ticket);
            return Ok(());
        }
        let is_over = match self.tickets.get(ticket) {
            Some(Thing::Question { answer, .. }) => answer.is_some(),
            Some(Thing::Child(child)) => child.end.is_some() || child.given_up,
            Some(Thing::Request(state)) => state.is_over(),
            Some(Thing::Timer { .. } | Thing::Messages) | None => true,
        };
        if is_over {
            return Ok(());
        }
        let seq = self.withdraw(ticket).await?;
        match self.tickets.get_mut(ticket) {
            Some(Thing::Question { taken, .. }) => {
                *taken = true;
                self.questions.retain(|(open, _)| *open != ticket);
                self.journal.outside.withdrawn(ticket, seq);
            }
            Some(Thing::Child(child)) => child.given_up = true,
            Some(Thing::Request(_)) => self.break_off(ticket),
            Some(Thing::Timer { .. } | Thing::Messages) | None => {}
        }
        Ok(())
    }

    /// Like an effect, together with what clients see of it.
    async fn withdraw(&mut self, ticket: Ticket) -> Result<Seq, CallError> {
        let gave_up = Event::GaveUp { ticket };
        self.budget.admit(&gave_up)?;
        if let Some((seq, _)) = self.meet(&gave_up).await? {
            return Ok(seq);
        }
        self.go_live()?;
        let asking = self.asking(Some(ticket));
        let (seq, at) = self
            .log
            .withdraw(ticket, asking)
            .await
            .map_err(Stop::from)?;
        self.budget.count(&gave_up);
        self.appended(seq, at);
        Ok(seq)
    }

    /// Whether there is room for one more ticket.
    pub(super) fn admit_ticket(&self) -> Result<(), Refusal> {
        if self.tickets.is_full() {
            return Err(Refusal::Limit(format!("tickets: {MAX_TICKETS}")));
        }
        Ok(())
    }

    /// The next step of a wait for some of `tickets`.
    async fn wait_once(&mut self, tickets: &[Ticket], until: Option<u64>) -> Result<(), CallError> {
        if std::mem::take(&mut self.cancel_untold) {
            return Err(Refusal::Canceled.into());
        }
        if until.is_some_and(|until| until <= self.time.now_ns()) {
            return Err(Refusal::TimedOut.into());
        }
        let wants = self.wants(tickets, until);
        let nothing_can_come = wants.due_ns.is_none()
            && wants.tickets.is_empty()
            && !wants.messages
            && !self.is_request_open(tickets);
        if nothing_can_come {
            return Err(Refusal::invalid("nothing in the list can complete").into());
        }
        self.next_event(&wants).await?;
        Ok(())
    }

    fn wants(&self, tickets: &[Ticket], until: Option<u64>) -> Wants {
        let mut wants = Wants {
            due_ns: until,
            cancel: !self.canceled,
            ..Wants::default()
        };
        for ticket in tickets {
            match self.tickets.get(*ticket) {
                Some(Thing::Timer { due_ns }) => {
                    let earliest = wants.due_ns.map_or(*due_ns, |due| due.min(*due_ns));
                    wants.due_ns = Some(earliest);
                }
                Some(Thing::Messages) => wants.messages = true,
                Some(Thing::Question { taken: false, .. } | Thing::Child(_)) => {
                    wants.tickets.push(*ticket);
                }
                Some(Thing::Question { .. } | Thing::Request(_)) | None => {}
            }
        }
        wants
    }

    fn is_request_open(&self, tickets: &[Ticket]) -> bool {
        tickets.iter().any(|ticket| {
            matches!(self.tickets.get(*ticket), Some(Thing::Request(state)) if !state.is_over())
        })
    }

    fn first(&self, tickets: &[Ticket]) -> Option<Ticket> {
        let completed = |ticket: &Ticket| Some((self.completed(*ticket)?, *ticket));
        tickets
            .iter()
            .filter_map(completed)
            .min()
            .map(|(_, ticket)| ticket)
    }

    fn completed(&self, ticket: Ticket) -> Option<Completed> {
        let messages = self.journal.outside.has_noticed_message();
        self.tickets
            .get(ticket)?
            .completed(self.time.now_ns(), messages)
    }

    fn check_known(&self, tickets: &[Ticket]) -> Result<(), Refusal> {
        if tickets.len() > MAX_WAITED_FOR {
            let problem = format!("the list has more than {MAX_WAITED_FOR} tickets");
            return Err(Refusal::Invalid(problem));
        }
        match tickets
            .iter()
            .find(|ticket| self.tickets.get(**ticket).is_none())
        {
            Some(unknown) => Err(Refusal::Invalid(format!("there is no ticket {unknown}"))),
            None => Ok(()),
        }
    }
}

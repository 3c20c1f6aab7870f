//! Children of the task.

use taskyard_task::child::MAX_GENERATIONS;
use taskyard_task::{AgentName, ChildCall, ChildEnd, ChildTarget, Event, TaskId, Ticket};

use super::gate::Gate;
use super::stop::{CallError, Refusal, Stop};
use super::tickets::{ChildState, Thing};

impl Gate {
    /// Starts a child. `lineage` are the agents above and the task's own.
    ///
    /// # Errors
    /// Refused at a limit, for a cycle, or because there is no such agent; stopped if the log says
    /// otherwise or is not to be had.
    pub(crate) async fn start_child(
        &mut self,
        call: ChildCall,
        lineage: &[AgentName],
    ) -> Result<Ticket, CallError> {
        self.admit_child(&call, lineage)?;
        let ticket = self.tickets.upcoming();
        let detached = call.detached;
        let did = Event::ChildStarted {
            ticket,
            call: Box::new(call.clone()),
            begun: Ok(None),
        };
        self.budget.admit(&did)?;
        let task = match self.meet(&did).await? {
            Some((_, Event::ChildStarted { begun, .. })) => begun,
            Some(_) => Ok(None),
            None => {
                self.go_live()?;
                let begun = self.log.start_child(ticket, call, lineage.to_vec()).await;
                let (seq, at, begun) = begun.map_err(Stop::from)?;
                self.budget.count(&did);
                self.appended(seq, at);
                begun
            }
        };
        let task = task.map_err(Refusal::Invalid)?;
        Ok(self.tickets.add(Thing::Child(ChildState {
            task,
            detached,
            given_up: false,
            end: None,
        })))
    }

    /// Waits for the end of a child and takes it.
    ///
    /// # Errors
    /// Refused if there is no such child, or after a cancel, once.
    pub(crate) async fn take_child(&mut self, child: Ticket) -> Result<ChildEnd, CallError> {
        self.child(child)?;
        self.wait_for(&[child]).await?;
        let Some(end) = self.child(child)?.end else {
            return Err(Refusal::invalid("the child has not ended").into());
        };
        match self
            .log
            .entry(end.seq)
            .await
            .map_err(Stop::from)?
            .map(|entry| entry.event)
        {
            Some(Event::ChildEnded { end, .. }) => Ok(*end),
            _ => {
                let problem = format!("the child's end in entry {} is gone", end.seq);
                Err(Stop::Unavailable(problem).into())
            }
        }
    }

    /// The task of a child; none if it is a remote one.
    ///
    /// # Errors
    /// Refused if there is no such child.
    pub(crate) fn child_task(&self, child: Ticket) -> Result<Option<TaskId>, Refusal> {
        Ok(self.child(child)?.task)
    }

    /// Children that are not detached go with the worker: they are asked to cancel and waited for.
    ///
    /// # Errors
    /// Stopped if the log says otherwise or is not to be had, and while they take long.
    pub(crate) async fn close_children(&mut self) -> Result<(), Stop> {
        let attached = self.tickets.attached_children();
        for (ticket, given_up) in &attached {
            if !given_up {
                self.step(Event::GaveUp { ticket: *ticket }).await?;
                if let Some(Thing::Child(child)) = self.tickets.get_mut(*ticket) {
                    child.given_up = true;
                }
            }
        }
        while let Some((ticket, _)) = self.tickets.attached_children().first() {
            let wants = super::wait::Wants {
                tickets: vec![*ticket],
                ..Default::default()
            };
            self.next_event(&wants).await?;
        }
        Ok(())
    }

    fn child(&self, ticket: Ticket) -> Result<&ChildState, Refusal> {
        match self.tickets.get(ticket) {
            Some(Thing::Child(child)) => Ok(child),
            _ => Err(Refusal::invalid("the ticket names no child")),
        }
    }

    fn admit_child(&self, call: &ChildCall, lineage: &[AgentName]) -> Result<(), Refusal> {
        self.admit_ticket()?;
        if call.message.is_empty() {
            return Err(Refusal::invalid("the message has no parts"));
        }
        if let ChildTarget::Agent(agent) = &call.target
            && lineage.contains(agent)
        {
            return Err(Refusal::Invalid(format!(
                "agent {agent:?} is among the ancestors of this task; that would be a cycle"
            )));
        }
        if lineage.len() > MAX_GENERATIONS {
            let limit = format!("generations of children: {MAX_GENERATIONS}");
            return Err(Refusal::Limit(limit));
        }
        let most = self.budget.limits().children;
        if self.tickets.open_children() as u64 >= most {
            return Err(Refusal::Limit(format!("children at once: {most}")));
        }
        Ok(())
    }
}

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
    /// Refused at a limit, for a cycle, because there is no such agent, or because its host is not allowed;
    /// stopped if the log says otherwise or is not to be had.
    pub(crate) async fn start_child(
        &mut self,
        call: ChildCall,
        lineage: &[AgentName],
    ) -> Result<Ticket, CallError> {
        self.admit_child(&call, lineage)?;
        let ticket = self.tickets.upcoming();
        let detached = call.detached;
        let refused = match &call.target {
            ChildTarget::Agent(_) => Refusal::Invalid,
            ChildTarget::Remote(_) => Refusal::Denied,
        };
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
                self.begin_child(did, ticket, call, lineage).await?
            }
        };
        let task = task.map_err(refused)?;
        Ok(self.tickets.add(Thing::Child(ChildState {
            task,
            detached,
            given_up: false,
            end: None,
        })))
    }

    async fn begin_child(
        &mut self,
        did: Event,
        ticket: Ticket,
        call: ChildCall,
        lineage: &[AgentName],
    ) -> Result<Result<Option<TaskId>, String>, Stop> {
        if let ChildTarget::Remote(url) = &call.target
            && let Err(denied) = self.flights.permits(url)
        {
            let begun = Err(denied.to_string());
            let call = Box::new(call);
            self.append(Event::ChildStarted {
                ticket,
                call,
                begun: begun.clone(),
            })
            .await?;
            return Ok(begun);
        }
        let begun = self.log.start_child(ticket, call, lineage.to_vec()).await;
        let (seq, at, begun) = begun.map_err(Stop::from)?;
        self.budget.count(&did);
        self.appended(seq, at);
        Ok(begun)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use taskyard_outbound::Request;
    use taskyard_task::http::{HttpError, HttpHead, HttpResponse};
    use taskyard_task::{Part, RunLimits};

    use super::super::gate::Opening;
    use super::super::log::{Body, Network};
    use super::super::world::{self, World};
    use super::*;

    /// A network that may not be used, or may.
    struct Rules {
        allow: bool,
    }

    impl Network for Rules {
        fn fetch(&self, _: Request) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
            async { Err(HttpError::TimedOut) }.boxed()
        }

        fn stream(&self, _: Request) -> BoxFuture<'static, Result<(HttpHead, Body), HttpError>> {
            async { Err(HttpError::TimedOut) }.boxed()
        }

        fn permits(&self, url: &str) -> Result<(), HttpError> {
            match self.allow {
                true => Ok(()),
                false => Err(HttpError::Denied(format!("{url} is not allowed"))),
            }
        }

        fn new_key(&self) -> String {
            String::new()
        }
    }

    async fn run(world: &World, allow: bool) -> Gate {
        let header = world.lease();
        let opening = Opening::of(&header, Duration::from_secs(3_600));
        let log = Arc::new(world.of_run(&header));
        let network = Arc::new(Rules { allow });
        let opened = Gate::open(log, network, world.clock.clone(), opening).await;
        opened.unwrap().0
    }

    fn call(target: ChildTarget) -> ChildCall {
        ChildCall {
            target,
            message: vec![Part::text("go")],
            metadata: None,
            detached: false,
        }
    }

    fn here(agent: &str) -> ChildCall {
        call(ChildTarget::Agent(agent.parse().unwrap()))
    }

    fn elsewhere() -> ChildCall {
        call(ChildTarget::Remote("https://a.example".to_owned()))
    }

    fn refusal(result: Result<Ticket, CallError>) -> Refusal {
        match result {
            Err(CallError::Refused(refusal)) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[tokio::test]
    async fn what_was_denied_once_is_denied_again() {
        let world = World::new(world::Script::default());
        // An operator allows it after the first run.
        for allow in [false, true, true] {
            let mut gate = run(&world, allow).await;
            let denied = refusal(gate.start_child(elsewhere(), &[]).await);
            let text = "https://a.example is not allowed".to_owned();
            assert_eq!(denied, Refusal::Denied(text));
            // The name is not used up.
            let next = gate.start_child(here("child"), &[]).await.unwrap();
            assert_eq!(next, Ticket(1));
        }
    }

    #[tokio::test]
    async fn a_family_has_limits() {
        let limits = RunLimits {
            children: 2,
            ..RunLimits::default()
        };
        let world = World::new(world::Script {
            limits,
            ..world::Script::default()
        });
        let mut gate = run(&world, true).await;
        let ancestors = ["a", "b"].map(|name| name.parse().unwrap());
        let refused = refusal(gate.start_child(here("a"), &ancestors).await);
        assert!(matches!(refused, Refusal::Invalid(_)), "{refused}");
        let generations = vec!["a".parse().unwrap(); MAX_GENERATIONS + 1];
        let refused = refusal(gate.start_child(here("b"), &generations).await);
        assert!(matches!(refused, Refusal::Limit(_)), "{refused}");

        for agent in ["b", "b"] {
            gate.start_child(here(agent), &[]).await.unwrap();
        }
        let refused = refusal(gate.start_child(here("b"), &[]).await);
        assert_eq!(refused, Refusal::Limit("children at once: 2".to_owned()));
    }
}

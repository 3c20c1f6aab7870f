//! How a run starts a child.

use std::sync::Arc;

use taskyard_storage::Reservation;
use taskyard_task::decide::NewTask;
use taskyard_task::entry::REPLAY_CONTRACT;
use taskyard_task::{
    Agent, AgentName, Change, ChildCall, ChildTarget, Event, Input, Message, ParentLink, Refusal,
    RemoteChild, RemoteStage, Seq, Submission, TaskId, Ticket, Timestamp, decide,
};

use crate::error::Error;
use crate::run::Run;

/// The entry about a child, when it was decided, and the child's task, if it has one; or why there is
/// no child.
pub type ChildBegun = (Seq, Timestamp, Result<Option<TaskId>, String>);

/// A child to be, decided with the entry that says so.
enum Beginning {
    Here(Box<NewTask>),
    Elsewhere(Box<RemoteChild>),
}

impl Run {
    /// Starts a child, in one commit with the entry that says so. `lineage` are the agents above it. The
    /// task of a child on this host is in line at once; one on another host is sent afterwards. A child
    /// that cannot be had is recorded too, so that a replay meets the same refusal.
    ///
    /// # Errors
    /// As those of [`Run::record`].
    pub async fn start_child(
        &self,
        ticket: Ticket,
        call: ChildCall,
        lineage: Vec<AgentName>,
    ) -> Result<ChildBegun, Error> {
        let begun = match &call.target {
            ChildTarget::Agent(agent) => self.start_here(agent, ticket, &call, lineage).await,
            ChildTarget::Remote(url) => self.start_elsewhere(url, ticket, &call).await,
        };
        match begun {
            Err(Error::AgentNotFound) => {
                self.refuse(
                    ticket,
                    call,
                    "there is no such agent, or it takes no new tasks",
                )
                .await
            }
            Err(Error::QueueFull { what, .. } | Error::StorageFull { what, .. }) => {
                self.refuse(ticket, call, &what).await
            }
            Err(Error::Refused(refusal @ Refusal::TooManyChildren)) => {
                self.refuse(ticket, call, &refusal.to_string()).await
            }
            begun => begun,
        }
    }

    async fn start_here(
        &self,
        agent: &AgentName,
        ticket: Ticket,
        call: &ChildCall,
        lineage: Vec<AgentName>,
    ) -> Result<ChildBegun, Error> {
        let broker = &self.broker;
        let agent = broker.shared.agents.open_for_new_tasks(agent)?;
        broker.check_disk_for(&self.header.tenant)?;
        broker.check_room(&self.header.tenant)?;
        let new = self.child_task(&agent, ticket, call, lineage);
        let id = new.id;
        let place = self.reserve(call, agent.config.len()).await?;
        let beginning = Beginning::Here(Box::new(new));
        let (seq, at) = self.begin(place, ticket, call, Some(id), beginning)?;
        metrics::counter!("taskyard_tasks_submitted_total", "agent" => agent.name.to_string())
            .increment(1);
        Ok((seq, at, Ok(Some(id))))
    }

    async fn start_elsewhere(
        &self,
        url: &str,
        ticket: Ticket,
        call: &ChildCall,
    ) -> Result<ChildBegun, Error> {
        let ids = &self.broker.shared.sources.ids;
        let child = RemoteChild {
            parent: self.task(),
            ticket,
            // Known once it is decided.
            since: Seq::ZERO,
            agent: self.header.agent.clone(),
            url: url.to_owned(),
            message_id: ids.unique(),
            context_id: ids.unique(),
            call: call.clone(),
            stage: RemoteStage::New,
            cancel: false,
        };
        let place = self.reserve(call, 0).await?;
        let beginning = Beginning::Elsewhere(Box::new(child));
        let (seq, at) = self.begin(place, ticket, call, None, beginning)?;
        Ok((seq, at, Ok(None)))
    }

    async fn refuse(
        &self,
        ticket: Ticket,
        call: ChildCall,
        why: &str,
    ) -> Result<ChildBegun, Error> {
        let (seq, at) = self
            .record(Event::ChildStarted {
                ticket,
                call: Box::new(call),
                begun: Err(why.to_owned()),
            })
            .await?;
        Ok((seq, at, Err(why.to_owned())))
    }

    /// The call is written twice: into the parent's log, and for the child.
    async fn reserve(&self, call: &ChildCall, more: usize) -> Result<Reservation<'_>, Error> {
        let bytes = call.size().saturating_mul(2).saturating_add(more);
        Ok(self.broker.shared.storage.reserve(bytes).await?)
    }

    /// Decides about parent and child, and hands both over as one commit.
    fn begin(
        &self,
        mut place: Reservation<'_>,
        ticket: Ticket,
        call: &ChildCall,
        task: Option<TaskId>,
        beginning: Beginning,
    ) -> Result<(Seq, Timestamp), Error> {
        let broker = &self.broker;
        let input = Input::Record {
            attempt: self.header.attempt,
            event: Event::ChildStarted {
                ticket,
                call: Box::new(call.clone()),
                begun: Ok(task),
            },
        };
        let mut turn = self.slot.turn();
        let header = turn
            .header(&broker.shared.storage)?
            .ok_or(Error::TaskNotFound)?;
        let now = broker.shared.sources.clock.now();
        let mut decision = decide(&broker.rules(), now, header, input)?;
        let seq = decision.header.last;
        turn.decide(decision.header.clone());
        broker.follow(&decision);
        match beginning {
            Beginning::Here(new) => {
                let slot = broker.shared.slots.get(new.id);
                // IMPORTANT: also within the child's turn, so that nothing of a run of it comes first.
                let mut child_turn = slot.turn();
                let child = broker.decide_new(now, *new, &slot, &mut child_turn);
                let keep = Arc::new((Arc::clone(&self.slot), Arc::clone(&slot)));
                let commit = turn.with_held(&mut place, decision.into_commit_with(child));
                drop(turn.submit(place, commit, keep));
            }
            Beginning::Elsewhere(child) => {
                let child = Box::new(RemoteChild {
                    since: seq,
                    ..*child
                });
                decision.add(Change::PutRemote { child });
                let commit = turn.with_held(&mut place, decision.into_commit());
                drop(turn.submit(place, commit, Arc::clone(&self.slot) as _));
            }
        }
        Ok((seq, now))
    }

    fn child_task(
        &self,
        agent: &Agent,
        ticket: Ticket,
        call: &ChildCall,
        lineage: Vec<AgentName>,
    ) -> NewTask {
        let sources = &self.broker.shared.sources;
        let parent = self.task();
        NewTask {
            // Where the parent is, so that both are one commit.
            id: sources.ids.task_id(Some(parent.partition())),
            submission: Submission {
                message: Message {
                    id: sources.ids.unique(),
                    parts: call.message.clone(),
                    metadata: call.metadata.clone(),
                    extensions: Vec::new(),
                    reference_task_ids: vec![parent.to_string()],
                },
                tenant: self.header.tenant.clone(),
                agent: agent.name.clone(),
                context_id: self.header.context_id.clone(),
                digest: agent.digest,
                config: agent.config.clone(),
                limits: agent.limits,
                accepted_output_modes: Vec::new(),
                metadata: None,
                contract: REPLAY_CONTRACT,
                seed: sources.ids.random(),
                parent: Some(ParentLink {
                    task: parent,
                    ticket,
                }),
                lineage,
            },
            epoch: self.header.epoch,
            deadline: self.broker.new_deadline(),
            announced: true,
            priority: self.header.priority,
            not_before: None,
            push: None,
            remember: None,
        }
    }
}

//! One turn of a child: what is to be done about it now.
//!
//! A child that waits for an answer of its client goes on waiting: nobody here can give one. Its parent
//! may cancel it.

use std::time::Duration;

use a2a::{A2AError, SendMessageResponse, StreamResponse, error_code};
use futures::StreamExt;
use futures::stream::BoxStream;
use taskyard_broker::{Error, RemoteWork};
use taskyard_clock::{Clock, IdSource};
use taskyard_task::{ChildEnd, RemoteChild, RemoteId, RemoteStage, TaskState, Timestamp, wire};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::agent::{Agent, Agents};
use crate::desk::Desk;
use crate::pace::Pace;
use crate::problem::Problem;
use crate::schedule::Verdict;

/// Children that are followed by a stream at once, and never more than half of the requests that the host may
/// have under way: each is one, as long as its child works. The others are looked at now and then.
const MAX_STREAMS: usize = 128;
/// How long a child rests when the broker cannot say or take what is known of it.
const DESK_PAUSE: Duration = Duration::from_secs(1);
/// Refusals in a row that are not believed at once: servers that start have nothing to offer yet.
const MOST_REFUSALS: u32 = 5;
/// Attempts to cancel a child of a parent that is over, beyond the parent's deadline.
const LAST_ATTEMPTS: u32 = 10;

/// Does the turns of children.
pub(crate) struct Follower<D> {
    pub(crate) desk: D,
    agents: Agents,
    clock: Clock,
    ids: IdSource,
    pace: Pace,
    streams: Semaphore,
    stop: CancellationToken,
}

/// What turns of a child leave to later ones. After a restart it begins anew.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Requests in a row without an answer.
    failures: u32,
    /// Requests in a row that were refused.
    refusals: u32,
    /// Looks in a row that showed nothing new.
    looks: u32,
    /// Since when the message has been on its way, or may be.
    on_its_way: Option<Timestamp>,
    /// Whether the agent was asked to cancel.
    canceled: bool,
}

/// What follows from a turn.
enum Next {
    Send(Box<Agent>),
    Reached(RemoteStage),
    Ended(ChildEnd),
    Again,
    Later(Duration),
}

impl<D: Desk> Follower<D> {
    pub(crate) fn new(
        desk: D,
        agents: Agents,
        clock: Clock,
        ids: IdSource,
        pace: Pace,
        stop: CancellationToken,
    ) -> Self {
        Self {
            desk,
            clock,
            ids,
            pace,
            streams: Semaphore::new(MAX_STREAMS.min(agents.most_requests() / 2)),
            agents,
            stop,
        }
    }

    /// One turn of a child. `poke` tells that something changed meanwhile.
    pub(crate) async fn turn(&self, id: RemoteId, memory: &mut Memory, poke: &Notify) -> Verdict {
        match self.do_turn(id, memory, poke).await {
            Ok(verdict) => verdict,
            Err(error) => {
                debug!(parent = %id.parent, since = %id.since, %error, "a remote child is put off");
                self.later(DESK_PAUSE)
            }
        }
    }

    async fn do_turn(
        &self,
        id: RemoteId,
        memory: &mut Memory,
        poke: &Notify,
    ) -> Result<Verdict, Error> {
        let Some(mut work) = self.desk.child(id).await? else {
            return Ok(Verdict::Over);
        };
        let mut next = self.next(&mut work, memory, poke).await;
        if let Next::Send(agent) = next {
            // IMPORTANT: durable before the message goes out, so that whoever comes next asks for it first.
            self.desk.reached(id, RemoteStage::Sending).await?;
            next = self.send(&agent, &work, memory).await;
        }
        match next {
            Next::Reached(stage) => {
                self.desk.reached(id, stage).await?;
                Ok(Verdict::Again)
            }
            Next::Ended(end) => {
                metrics::counter!("taskyard_remote_children_total", "how" => how(&end))
                    .increment(1);
                self.desk.ended(id, end).await?;
                Ok(Verdict::Over)
            }
            Next::Again | Next::Send(_) => Ok(Verdict::Again),
            Next::Later(span) => Ok(self.later(span)),
        }
    }

    fn later(&self, span: Duration) -> Verdict {
        let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Verdict::Later(self.clock.now().plus_millis(span))
    }

    async fn next(&self, work: &mut RemoteWork, memory: &mut Memory, poke: &Notify) -> Next {
        let stage = work.child.stage.clone();
        let next = match stage {
            RemoteStage::New => self.begin(work).await,
            RemoteStage::Sending => self.clear_up(work, memory).await,
            RemoteStage::Sent { task } => {
                // It may be followed for long, and its message is not needed any more.
                work.child.call.message = Vec::new();
                self.follow(work, &task, memory, poke).await
            }
        };
        next.unwrap_or_else(|problem| self.after(work, &problem, memory))
    }

    /// Nothing was sent yet.
    async fn begin(&self, work: &RemoteWork) -> Result<Next, Problem> {
        let child = &work.child;
        if let Some(end) = self.too_late(work) {
            return Ok(Next::Ended(end));
        }
        // Who answers now will most likely answer the message, too.
        match self.agents.present(child, &work.egress).await {
            Ok(agent) => Ok(Next::Send(Box::new(agent))),
            Err(problem @ Problem::Unclear(_)) => Err(problem),
            Err(problem) => Ok(Next::Ended(failed(child, problem.text()))),
        }
    }

    /// The end of a child that need not be sent any more.
    fn too_late(&self, work: &RemoteWork) -> Option<ChildEnd> {
        if work.child.cancel {
            return Some(canceled());
        }
        let is_late = self.clock.now() >= work.deadline;
        is_late.then(|| failed(&work.child, "it was not reached before the task's deadline"))
    }

    async fn send(&self, agent: &Agent, work: &RemoteWork, memory: &mut Memory) -> Next {
        let child = &work.child;
        match agent.send(child).await {
            Ok(SendMessageResponse::Task(task)) if !task.id.is_empty() => {
                Next::Reached(RemoteStage::Sent { task: task.id })
            }
            Ok(SendMessageResponse::Message(message)) => {
                Next::Ended(wire::child_reply_from_a2a(message, work.most_bytes))
            }
            Err(problem) if was_not_taken(&problem) => Next::Ended(failed(child, problem.text())),
            Ok(SendMessageResponse::Task(_)) | Err(_) => {
                memory.on_its_way = Some(self.clock.now());
                Next::Later(self.pace.first)
            }
        }
    }

    /// The message was sent, or was about to be, and nobody knows what became of it.
    async fn clear_up(&self, work: &RemoteWork, memory: &mut Memory) -> Result<Next, Problem> {
        let (child, now) = (&work.child, self.clock.now());
        let on_its_way = *memory.on_its_way.get_or_insert(now);
        let agent = self.agents.known(child, &work.egress).await?;
        let found = match agent.find(child).await {
            Err(problem @ Problem::Unclear(_)) => return Err(problem),
            Err(problem) => return Ok(Next::Ended(lost(child, problem.text()))),
            Ok(found) => found,
        };
        if let Some(task) = found {
            return Ok(Next::Reached(RemoteStage::Sent { task: task.id }));
        }
        let settled = Duration::from_millis(now.millis_since(on_its_way));
        if settled < self.pace.settling {
            return Ok(Next::Later(self.pace.settling - settled));
        }
        if let Some(end) = self.too_late(work) {
            return Ok(Next::Ended(end));
        }
        memory.on_its_way = None;
        Ok(Next::Send(Box::new(agent)))
    }

    /// The agent has a task for the child.
    async fn follow(
        &self,
        work: &RemoteWork,
        task: &str,
        memory: &mut Memory,
        poke: &Notify,
    ) -> Result<Next, Problem> {
        let child = &work.child;
        let agent = self.agents.known(child, &work.egress).await?;
        if child.cancel && !memory.canceled {
            self.cancel(&agent, task).await?;
            memory.canceled = true;
        }
        if !work.awaited {
            return Ok(Next::Ended(failed(child, "nobody waits for it")));
        }
        if let Some(end) = self.look(&agent, work, task).await? {
            return Ok(Next::Ended(end));
        }
        memory.failures = 0;
        memory.refusals = 0;
        if agent.streams
            && let Ok(_slot) = self.streams.try_acquire()
            && let Ok(events) = agent.follow(task).await
        {
            match self.watch(events, poke).await {
                Watched::Changed => return Ok(Next::Again),
                Watched::Moved => memory.looks = 0,
                Watched::Nothing => {}
            }
        }
        memory.looks += 1;
        Ok(Next::Later(self.pace.after(memory.looks, &self.ids)))
    }

    async fn cancel(&self, agent: &Agent, task: &str) -> Result<(), Problem> {
        match agent.cancel(task).await {
            Ok(_) => Ok(()),
            Err(problem) if problem.is_unknown_task() => Err(problem),
            // It ended meanwhile, or goes on to its end.
            Err(problem @ Problem::Refused { .. }) => {
                debug!(
                    task,
                    problem = problem.text(),
                    "a remote child cannot be canceled"
                );
                Ok(())
            }
            Err(problem) => Err(problem),
        }
    }

    /// How a task ended, if it has.
    async fn look(
        &self,
        agent: &Agent,
        work: &RemoteWork,
        task: &str,
    ) -> Result<Option<ChildEnd>, Problem> {
        match agent.look(task).await {
            Ok(task) => Ok(wire::child_end_from_a2a(task, work.most_bytes)),
            Err(Problem::TooLarge(text)) => {
                // The list tells how it is without its artifacts.
                let found = agent.find(&work.child).await?;
                let end = found.and_then(|task| wire::child_end_from_a2a(task, work.most_bytes));
                Ok(end.map(|end| ChildEnd {
                    message: failed(&work.child, &text).message,
                    ..end
                }))
            }
            Err(problem) => Err(problem),
        }
    }

    /// Follows a task until it ends or something else is to be done.
    async fn watch(&self, mut events: EventStream, poke: &Notify) -> Watched {
        let mut watched = Watched::Nothing;
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = poke.notified() => return Watched::Changed,
                () = self.stop.cancelled() => return Watched::Nothing,
            };
            match event {
                Some(Ok(event)) if is_end(&event) => return Watched::Changed,
                Some(Ok(_)) => watched = Watched::Moved,
                // Something happened, whatever it was.
                Some(Err(error)) if is_too_large(error.clone()) => watched = Watched::Moved,
                Some(Err(_)) | None => return watched,
            }
        }
    }

    /// What follows when an agent did not answer, or not as it should.
    fn after(&self, work: &RemoteWork, problem: &Problem, memory: &mut Memory) -> Next {
        let child = &work.child;
        // It may have moved.
        self.agents.forget(child);
        let is_late = self.clock.now() >= work.deadline;
        let is_hopeless = match problem {
            Problem::Denied(_) => true,
            Problem::TooLarge(_) | Problem::Refused { .. } if problem.is_unknown_task() => true,
            Problem::TooLarge(_) | Problem::Refused { .. } => {
                memory.refusals += 1;
                memory.refusals >= MOST_REFUSALS
            }
            Problem::Unclear(_) => {
                memory.failures += 1;
                let is_sent = matches!(child.stage, RemoteStage::Sent { .. });
                // A parent that waits ends at its deadline, and asks then to cancel what goes on.
                is_late && (!is_sent || !work.awaited && memory.failures >= LAST_ATTEMPTS)
            }
        };
        if !is_hopeless {
            debug!(parent = %child.parent, url = child.url, problem = problem.text(), "a remote agent does not answer");
            let times = memory.failures.max(memory.refusals);
            return Next::Later(self.pace.after(times, &self.ids));
        }
        warn!(parent = %child.parent, url = child.url, problem = problem.text(), "a remote child is given up");
        Next::Ended(match child.stage {
            RemoteStage::Sending => lost(child, problem.text()),
            RemoteStage::New | RemoteStage::Sent { .. } => failed(child, problem.text()),
        })
    }
}

type EventStream = BoxStream<'static, Result<StreamResponse, A2AError>>;

/// What following a stream showed.
enum Watched {
    /// There is something to do now.
    Changed,
    /// The task is further than it was.
    Moved,
    /// Nothing.
    Nothing,
}

fn is_too_large(error: A2AError) -> bool {
    matches!(Problem::from(error), Problem::TooLarge(_))
}

fn is_end(event: &StreamResponse) -> bool {
    let state = match event {
        StreamResponse::Task(task) => &task.status.state,
        StreamResponse::StatusUpdate(update) => &update.status.state,
        StreamResponse::Message(_) | StreamResponse::ArtifactUpdate(_) => return false,
    };
    wire::state_from_a2a(state).is_some_and(TaskState::is_terminal)
}

/// Whether it is certain that the agent did not take the message.
fn was_not_taken(problem: &Problem) -> bool {
    match problem {
        Problem::Denied(_) => true,
        // Whatever it was, it was no refusal.
        Problem::Refused { code, .. } => *code != error_code::INVALID_AGENT_RESPONSE,
        Problem::TooLarge(_) | Problem::Unclear(_) => false,
    }
}

fn canceled() -> ChildEnd {
    ChildEnd {
        state: TaskState::Canceled,
        message: Vec::new(),
        artifacts: Vec::new(),
    }
}

fn failed(child: &RemoteChild, reason: &str) -> ChildEnd {
    ChildEnd::failed(format!("the remote agent {}: {reason}", child.url))
}

/// It may go on there, and nobody can tell.
fn lost(child: &RemoteChild, reason: &str) -> ChildEnd {
    let reason =
        format!("nobody knows whether it received the message, which is not sent twice: {reason}");
    failed(child, &reason)
}

/// For metrics.
fn how(end: &ChildEnd) -> &'static str {
    match end.state {
        TaskState::Completed => "completed",
        TaskState::Canceled => "canceled",
        TaskState::Rejected => "rejected",
        _ => "failed",
    }
}

//! Earlier tasks of the conversation, and what may be read of them.

use std::collections::VecDeque;

use taskyard_task::context::MAX_LISTED;
use taskyard_task::{
    ContextCall, ContextResult, EarlierTask, Event, Message, Submission, TaskId, TaskSummary,
};

use super::gate::Gate;
use super::stop::{CallError, Refusal, Stop};

/// The most tasks that a worker can read because the client referred to them; of more, the latest ones. A
/// conversation that goes on for long names far fewer at a time.
const MAX_REFERRED: usize = 1_024;

/// The tasks that the client referred to, in messages that the worker got.
#[derive(Debug, Default)]
pub(super) struct Referred(VecDeque<TaskId>);

impl Referred {
    /// As a task begins. The message of a child refers to its parent so that clients find it, and no client
    /// wrote it: what the parent was told is not the child's to read.
    pub(super) fn of(submission: &Submission) -> Self {
        let mut referred = Self::default();
        if submission.parent.is_none() {
            referred.note(&submission.message);
        }
        referred
    }

    /// The worker got a message.
    pub(super) fn note(&mut self, message: &Message) {
        for reference in &message.reference_task_ids {
            if let Ok(task) = reference.parse() {
                self.0.retain(|known| *known != task);
                self.0.push_back(task);
            }
        }
        let surplus = self.0.len().saturating_sub(MAX_REFERRED);
        self.0.drain(..surplus);
    }
}

impl Gate {
    /// The other tasks of the conversation, the one that changed last first.
    ///
    /// # Errors
    /// Refused at the limit of entries, and if `limit` makes no sense; stopped if the log says otherwise or
    /// is not to be had.
    pub(crate) async fn earlier_tasks(
        &mut self,
        limit: u32,
    ) -> Result<Vec<TaskSummary>, CallError> {
        if !(1..=MAX_LISTED).contains(&limit) {
            let problem = format!("a limit is between 1 and {MAX_LISTED}");
            return Err(Refusal::Invalid(problem).into());
        }
        match self.context(ContextCall::List { limit }, false).await? {
            ContextResult::Tasks(tasks) => Ok(tasks),
            ContextResult::Task(_) | ContextResult::Unknown => Ok(Vec::new()),
        }
    }

    /// What a task of the conversation holds, or one that the client referred to.
    ///
    /// # Errors
    /// Refused at the limit of entries, and if the worker may not read such a task; stopped if the log says
    /// otherwise or is not to be had.
    pub(crate) async fn read_task(&mut self, task: &str) -> Result<EarlierTask, CallError> {
        // What cannot be the id of a task is the id of none.
        let task: TaskId = task.parse().map_err(|_| unknown())?;
        let referred = self.referred.0.contains(&task);
        match self.context(ContextCall::Read { task }, referred).await? {
            ContextResult::Task(task) => Ok(*task),
            ContextResult::Tasks(_) | ContextResult::Unknown => Err(unknown().into()),
        }
    }

    async fn context(
        &mut self,
        call: ContextCall,
        referred: bool,
    ) -> Result<ContextResult, CallError> {
        self.budget.admit_entry()?;
        let did = Event::ContextRead {
            call: Box::new(call.clone()),
            result: Box::new(ContextResult::Unknown),
        };
        if let Some((_, logged)) = self.meet(&did).await? {
            return Ok(match logged {
                Event::ContextRead { result, .. } => *result,
                _ => ContextResult::Unknown,
            });
        }
        self.go_live()?;
        let read = self.log.context(call, referred).await;
        let (seq, at, result) = read.map_err(Stop::from)?;
        self.budget.count(&did);
        self.appended(seq, at);
        Ok(result)
    }
}

fn unknown() -> Refusal {
    Refusal::Denied(
        "there is no such task in this conversation, and the client referred to none".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use taskyard_task::{ParentLink, Ticket};

    use super::*;
    use crate::replay::Opening;
    use crate::replay::world::{Script, World, earlier, earlier_id};

    fn script() -> Script {
        Script {
            earlier: vec![earlier(1, "one"), earlier(2, "two")],
            ..Script::default()
        }
    }

    async fn run(world: &World) -> Gate {
        let header = world.lease();
        let opening = Opening::of(&header, Duration::from_secs(1));
        let it = world.of_run(&header);
        let (log, network) = (Arc::new(it.clone()), Arc::new(it));
        let gate = Gate::open(log, network, world.clock.clone(), opening).await;
        gate.unwrap().0
    }

    #[tokio::test]
    async fn a_replay_sees_the_tasks_as_they_were_then() {
        let world = World::new(script());
        for _ in 1..=3 {
            let mut gate = run(&world).await;
            let tasks = gate.earlier_tasks(10).await.unwrap();
            let said: Vec<_> = tasks.iter().map(|task| task.request.as_str()).collect();
            assert_eq!(said, ["one", "two"]);
            let read = gate.read_task(&earlier_id(2).to_string()).await.unwrap();
            assert_eq!(read.summary.request, "two");
            // Whatever becomes of them meanwhile.
            world.forget_earlier();
        }
        assert_eq!(world.journaled().len(), 2);

        let other = run(&world).await.earlier_tasks(9).await;
        assert!(
            matches!(other, Err(CallError::Stopped(Stop::Mismatch(_)))),
            "{other:?}"
        );
    }

    #[tokio::test]
    async fn wrong_calls_are_refused_and_leave_no_entry() {
        let world = World::new(script());
        let mut gate = run(&world).await;
        for limit in [0, MAX_LISTED + 1] {
            let refused = gate.earlier_tasks(limit).await;
            assert!(matches!(
                refused,
                Err(CallError::Refused(Refusal::Invalid(_)))
            ));
        }
        let refused = gate.read_task("nobody").await;
        assert!(matches!(
            refused,
            Err(CallError::Refused(Refusal::Denied(_)))
        ));
        assert_eq!(world.journaled(), []);
    }

    #[tokio::test]
    async fn a_refusal_is_repeated() {
        let world = World::new(script());
        for _ in 1..=2 {
            let mut gate = run(&world).await;
            let refused = gate.read_task(&earlier_id(3).to_string()).await;
            assert!(matches!(
                refused,
                Err(CallError::Refused(Refusal::Denied(_)))
            ));
            world.add_earlier(earlier(3, "late"));
        }
        assert_eq!(world.journaled().len(), 1);
    }

    #[tokio::test]
    async fn what_a_child_is_told_of_its_parent_is_no_reference() {
        for (parent, expected) in [(None, vec![earlier_id(1)]), (Some(earlier_id(1)), vec![])] {
            let world = World::new(script());
            world.change_submission(|submission| {
                submission.message.reference_task_ids = vec![earlier_id(1).to_string()];
                submission.parent = parent.map(|task| ParentLink {
                    task,
                    ticket: Ticket(1),
                });
            });
            assert_eq!(run(&world).await.referred.0, expected);
        }
    }

    #[test]
    fn only_so_many_references_are_kept() {
        let mut referred = Referred::default();
        for number in 0..2 * MAX_REFERRED {
            let mut message = crate::replay::world::message("see");
            let id = earlier_id(u128::try_from(number).unwrap());
            message.reference_task_ids = vec![id.to_string(), "no id".to_owned()];
            referred.note(&message);
            referred.note(&message);
        }
        assert_eq!(referred.0.len(), MAX_REFERRED);
        let last = earlier_id(u128::try_from(2 * MAX_REFERRED - 1).unwrap());
        assert_eq!(referred.0.back(), Some(&last));
    }
}

//! A message that names its context and no task: for agents that are set up so, the answer to the one task
//! that waits for input there.
//!
//! By the specification such a message begins a new task. Frameworks that keep nothing but the context send
//! it in answer to a question.

use taskyard_storage::ListQuery;
use taskyard_task::{Digest, Header, Refusal, TaskId, TaskState};

use crate::broker::Broker;
use crate::error::Error;
use crate::operations::Caller;
use crate::send::{SendRequest, Sent};

/// The most waiting tasks of a context that are looked at. Where there are more, it is anybody's guess which
/// one is meant, even if some of them are being answered at this moment.
const MAX_CANDIDATES: usize = 16;

impl Broker {
    /// Whether `request` is one that may answer a task without naming it.
    pub(crate) fn may_answer_by_context(&self, request: &SendRequest) -> bool {
        let agents = self.agents();
        let agent = agents.get(&request.agent);
        request.task.is_none()
            && request.context_id.is_some()
            && agent.is_some_and(|agent| agent.answer_by_context)
    }

    /// Sends to the one task that waits for input in the request's context. Nothing if none does or several
    /// do: the message then begins a new task.
    pub(crate) async fn answer_by_context(
        &self,
        caller: &Caller,
        request: &SendRequest,
        remember: Option<(Digest, Digest)>,
    ) -> Result<Option<Sent>, Error> {
        let Some(task) = self.waiting_in_context(caller, request)? else {
            return Ok(None);
        };
        // IMPORTANT: asked in the task's turn, so that of two messages only the first one is the answer.
        let waits = |header: &Header| match is_waiting(header) {
            true => Ok(()),
            false => Err(Refusal::NotAsking.into()),
        };
        let sent = self
            .continue_task(caller, task, request.clone(), remember, waits)
            .await;
        match sent {
            Ok(sent) => Ok(Some(sent)),
            // Somebody else answered it meanwhile, or it ended and is gone.
            Err(Error::Refused(Refusal::NotAsking) | Error::TaskNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn waiting_in_context(
        &self,
        caller: &Caller,
        request: &SendRequest,
    ) -> Result<Option<TaskId>, Error> {
        if !self.may_answer_by_context(request) {
            return Ok(None);
        }
        let page = self.shared.storage.list(&ListQuery {
            tenant: caller.tenant.clone(),
            agent: request.agent.clone(),
            context_id: request.context_id.clone(),
            state: Some(TaskState::InputRequired),
            updated_since: None,
            after: None,
            most: MAX_CANDIDATES,
        })?;
        if page.next.is_some() {
            return Ok(None);
        }
        let mut waiting = Vec::new();
        for header in page.tasks {
            // What is on the disk may be behind what was decided.
            let slot = self.shared.slots.get(header.id);
            let mut turn = slot.turn();
            if turn.header(&self.shared.storage)?.is_some_and(is_waiting) {
                waiting.push(header.id);
            }
        }
        match waiting.as_slice() {
            [task] => Ok(Some(*task)),
            _ => Ok(None),
        }
    }
}

fn is_waiting(header: &Header) -> bool {
    header.state == TaskState::InputRequired
}

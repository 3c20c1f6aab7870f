//! Earlier tasks: what a worker reads of its conversation, and which tasks a client may refer to.

use std::cmp::Reverse;

use taskyard_storage::ListQuery;
use taskyard_task::{
    ContextCall, ContextResult, EarlierTask, Event, Header, Message, Seq, TaskId, TaskSummary,
    Timestamp,
};

use crate::broker::Broker;
use crate::error::Error;
use crate::operations::{Caller, TaskSnapshot};
use crate::run::Run;

/// The most tasks that one message may refer to: each is looked up before the message is taken.
const MAX_REFERENCES: usize = 32;

impl Run {
    /// Reads of the earlier tasks of the conversation, and appends the entry that says what was read. Like
    /// [`Run::record`], does not wait for the disk. `referred` says that the client referred to the task
    /// that is to be read.
    ///
    /// # Errors
    /// As those of [`Run::record`]; [`Error::Unavailable`] or [`Error::Internal`] if the tasks cannot be read.
    pub async fn context(
        &self,
        call: ContextCall,
        referred: bool,
    ) -> Result<(Seq, Timestamp, ContextResult), Error> {
        let result = match &call {
            ContextCall::List { limit } => ContextResult::Tasks(self.earlier_tasks(*limit)?),
            ContextCall::Read { task } => self.earlier_task(*task, referred)?,
        };
        let (seq, at) = self
            .record(Event::ContextRead {
                call: Box::new(call),
                result: Box::new(result.clone()),
            })
            .await?;
        Ok((seq, at, result))
    }

    /// The other tasks of the conversation that clients can know, and those that were answered by a direct message,
    /// the one that changed last first. How fast a worker is decides which of the two an exchange is, and
    /// must not decide whether it is remembered.
    fn earlier_tasks(&self, limit: u32) -> Result<Vec<TaskSummary>, Error> {
        let limit = limit as usize;
        let storage = &self.broker.shared.storage;
        let page = storage.list(&ListQuery {
            tenant: self.header.tenant.clone(),
            agent: self.header.agent.clone(),
            context_id: Some(self.header.context_id.clone()),
            state: None,
            updated_since: None,
            after: None,
            // This one may be among them.
            most: limit + 1,
        })?;
        let Header {
            id,
            tenant,
            agent,
            context_id,
            ..
        } = &self.header;
        let mut others = storage.replies(tenant, agent, context_id, limit)?;
        others.extend(page.tasks);
        others.sort_by_key(|header| Reverse(header.status_at));
        let others = others.into_iter().filter(|header| header.id != *id);
        let mut summaries = Vec::new();
        for header in others.take(limit) {
            match self.broker.snapshot_of(header) {
                Ok(it) => summaries.push(TaskSummary::of(&it.header, &it.outline.view)),
                // It was forgotten since the page was read.
                Err(Error::TaskNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(summaries)
    }

    fn earlier_task(&self, task: TaskId, referred: bool) -> Result<ContextResult, Error> {
        let header = self.broker.shared.storage.header(task)?;
        let Some(header) = header.filter(|header| self.may_read(header, referred)) else {
            return Ok(ContextResult::Unknown);
        };
        match self.broker.snapshot_of(header) {
            Ok(TaskSnapshot { header, outline }) => {
                let parts = |place| self.broker.whole_parts(task, &outline, place);
                match EarlierTask::of(&header, &outline, parts) {
                    Ok(task) => Ok(ContextResult::Task(Box::new(task))),
                    Err(Error::TaskNotFound) => Ok(ContextResult::Unknown),
                    Err(error) => Err(error),
                }
            }
            // It was forgotten meanwhile.
            Err(Error::TaskNotFound) => Ok(ContextResult::Unknown),
            Err(error) => Err(error),
        }
    }

    fn may_read(&self, other: &Header, referred: bool) -> bool {
        let me = &self.header;
        let of_conversation = other.agent == me.agent && other.context_id == me.context_id;
        other.id != me.id
            && other.tenant == me.tenant
            // Clients cannot refer to what they were not shown.
            && (other.announced && referred || of_conversation && (other.announced || other.is_reply()))
    }
}

impl Broker {
    /// Drops the references to tasks that the sender of a message may not know, as if they did not exist
    /// (A2A 3.3.2): they are hints, and the message means something without them.
    pub(crate) fn keep_known_references(
        &self,
        caller: &Caller,
        message: &mut Message,
    ) -> Result<(), Error> {
        let references = std::mem::take(&mut message.reference_task_ids);
        if references.len() > MAX_REFERENCES {
            return Err(Error::Invalid {
                field: "message.referenceTaskIds",
                problem: format!("must have at most {MAX_REFERENCES} entries"),
            });
        }
        for reference in references {
            if self.is_known(caller, &reference)? {
                message.reference_task_ids.push(reference);
            }
        }
        Ok(())
    }

    fn is_known(&self, caller: &Caller, reference: &str) -> Result<bool, Error> {
        let Ok(task) = reference.parse() else {
            return Ok(false);
        };
        let header = self.shared.storage.header(task)?;
        Ok(header.is_some_and(|header| caller.may_refer_to(&header)))
    }
}

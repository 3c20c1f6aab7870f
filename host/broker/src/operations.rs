//! What clients ask about tasks: get, list, cancel.

use std::time::Duration;

use taskyard_storage::{ListQuery as StoredQuery, Position};
use taskyard_task::{AgentName, Header, Input, Outline, TaskId, TaskState, Tenant, Timestamp};

use crate::broker::Broker;
use crate::error::Error;

/// What one page of a list may have, in bytes, beyond its first task: it ends early and says where to go on.
/// Ten times what a client reads comfortably, and little enough that many lists fit into memory at once.
const PAGE_BYTES: usize = 4 << 20;
/// What a part or a message takes besides its content.
const PART_BYTES: usize = 256;
/// What a cancel may take beyond the grace time before its caller gets the task as it is.
const CANCEL_SLACK: Duration = Duration::from_secs(2);

/// Who asks. Made by the authorization gate of the doors, and by nobody else.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Whose work it is.
    pub tenant: Tenant,
    /// Who of the tenant, if known.
    pub principal: Option<String>,
    /// The agents that the caller's credentials are good for; all if absent.
    pub agents: Option<Vec<AgentName>>,
}

impl Caller {
    /// Whether the caller could get the task, if need be from another agent than it talks to.
    pub(crate) fn may_refer_to(&self, header: &Header) -> bool {
        let agents = self.agents.as_ref();
        header.announced
            && header.tenant == self.tenant
            && agents.is_none_or(|agents| agents.contains(&header.agent))
    }

    /// Refuses tasks that the caller may not see as if they did not exist (A2A 3.3.2).
    pub(crate) fn may_see(&self, agent: &AgentName, header: &Header) -> Result<(), Error> {
        let visible = header.announced && header.tenant == self.tenant && header.agent == *agent;
        if visible {
            Ok(())
        } else {
            Err(Error::TaskNotFound)
        }
    }
}

/// A task at one moment.
#[derive(Debug, Clone)]
pub struct TaskSnapshot {
    /// Its look-up record.
    pub header: Header,
    /// What its log amounts to, without the content of large artifacts; see [`Broker::content`].
    pub outline: Outline,
}

impl TaskSnapshot {
    /// Roughly how many bytes it takes to be shown, with the content of artifacts that is elsewhere.
    fn size(&self) -> usize {
        let outline = &self.outline;
        let places = 0..outline.view.artifacts.len();
        let content: usize = places.map(|place| outline.size_of(place)).sum();
        let artifacts = outline.view.artifacts.iter();
        let parts: usize = artifacts.map(|artifact| artifact.parts.len()).sum();
        let history = outline.view.history.len();
        outline.view.history_size() + content + (parts + history) * PART_BYTES
    }
}

/// Which tasks to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only those of this conversation.
    pub context_id: Option<String>,
    /// Only those in this state.
    pub state: Option<TaskState>,
    /// Only those whose status is of this moment or later.
    pub updated_since: Option<Timestamp>,
    /// At most this many; fewer if they are large.
    pub page_size: usize,
    /// Where to go on, from the page before.
    pub page_token: Option<String>,
    /// At most this many of the most recent messages of each task; all if absent.
    pub history_length: Option<usize>,
    /// Whether artifacts are wanted.
    pub artifacts: bool,
}

/// A page of tasks.
#[derive(Debug, Clone)]
pub struct TaskPage {
    /// The tasks, newest status first.
    pub tasks: Vec<TaskSnapshot>,
    /// Where the next page begins; empty on the last one.
    pub next_page_token: String,
    /// How many tasks match in all.
    pub total: u64,
}

impl Broker {
    /// A task as it is.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`] if there is none that the caller may see.
    pub async fn get(
        &self,
        caller: &Caller,
        agent: &AgentName,
        task: TaskId,
    ) -> Result<TaskSnapshot, Error> {
        self.get_with_history(caller, agent, task, None).await
    }

    /// Like [`Broker::get`], with at most so many of the most recent messages; all if absent.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`] if there is none that the caller may see.
    pub async fn get_with_history(
        &self,
        caller: &Caller,
        agent: &AgentName,
        task: TaskId,
        history_length: Option<usize>,
    ) -> Result<TaskSnapshot, Error> {
        let header = self.visible(caller, agent, task)?;
        self.snapshot_with(header, history_length)
    }

    /// A page of the tasks that the caller may see.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the page token is not one of ours.
    pub async fn list(
        &self,
        caller: &Caller,
        agent: &AgentName,
        query: ListQuery,
    ) -> Result<TaskPage, Error> {
        let after = query
            .page_token
            .as_deref()
            .map(read_page_token)
            .transpose()?;
        let stored = StoredQuery {
            tenant: caller.tenant.clone(),
            agent: agent.clone(),
            context_id: query.context_id,
            state: query.state,
            updated_since: query.updated_since,
            after,
            most: query.page_size,
        };
        let page = self.shared.storage.list(&stored)?;
        let (mut tasks, mut bytes, mut next) = (Vec::new(), 0, page.next);
        let mut headers = page.tasks.into_iter().peekable();
        while let Some(header) = headers.next() {
            let position = Position {
                status_at: header.status_at,
                task: header.id,
            };
            let mut task = match self.snapshot_with(header, query.history_length) {
                Ok(task) => task,
                // It was forgotten since the page was read.
                Err(Error::TaskNotFound) => continue,
                Err(error) => return Err(error),
            };
            if !query.artifacts {
                task.outline.forget_artifacts();
            }
            bytes += task.size();
            tasks.push(task);
            if bytes >= PAGE_BYTES && headers.peek().is_some() {
                next = Some(position);
                break;
            }
        }
        Ok(TaskPage {
            tasks,
            next_page_token: next.map(page_token).unwrap_or_default(),
            total: page.total,
        })
    }

    /// Cancels a task, and waits for it to end: a worker that runs gets the grace time.
    ///
    /// # Errors
    /// [`Error::Refused`] if it has ended already, [`Error::TaskNotFound`].
    pub async fn cancel(
        &self,
        caller: &Caller,
        agent: &AgentName,
        task: TaskId,
    ) -> Result<TaskSnapshot, Error> {
        let changed = self
            .change_for_caller(task, Input::Cancel, |header| caller.may_see(agent, header))
            .await?;
        if !changed.header.is_ended() {
            let patience = self.shared.config.task.cancel_grace() + CANCEL_SLACK;
            // A worker that cannot be stopped in time is the host's trouble; the client sees the state.
            let _ = tokio::time::timeout(patience, self.ended(task)).await;
        }
        self.get(caller, agent, task).await
    }

    /// The durable header of a task, if the caller may see it.
    pub(crate) fn visible(
        &self,
        caller: &Caller,
        agent: &AgentName,
        task: TaskId,
    ) -> Result<Header, Error> {
        let header = self
            .shared
            .storage
            .header(task)?
            .ok_or(Error::TaskNotFound)?;
        caller.may_see(agent, &header)?;
        Ok(header)
    }
}

pub(crate) fn page_token(position: Position) -> String {
    format!("{:x}.{}", position.status_at.0, position.task)
}

pub(crate) fn read_page_token(token: &str) -> Result<Position, Error> {
    let read = || {
        let (moment, task) = token.split_once('.')?;
        Some(Position {
            status_at: Timestamp(u64::from_str_radix(moment, 16).ok()?),
            task: task.parse().ok()?,
        })
    };
    read().ok_or_else(|| Error::Invalid {
        field: "pageToken",
        problem: "is not a token of this host; begin again without one".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn page_tokens_come_back_as_they_were(at: u64, task: [u8; 16]) {
            let position = Position {
                status_at: Timestamp(at),
                task: TaskId::from_bytes(task),
            };
            prop_assert_eq!(read_page_token(&page_token(position)).ok(), Some(position));
        }
    }
}

//! What clients ask about tasks: get, list, cancel.

use std::time::Duration;

use taskyard_storage::{ListQuery as StoredQuery, Position};
use taskyard_task::{AgentName, Header, Input, TaskId, TaskState, TaskView, Tenant, Timestamp};

use crate::broker::Broker;
use crate::error::Error;
use crate::run::leaves_snapshot;

/// Entries that are read at once while a log is folded.
const FOLD_PAGE: usize = 1_024;
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
    /// What its log amounts to.
    pub view: TaskView,
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
    /// At most this many.
    pub page_size: usize,
    /// Where to go on, from the page before.
    pub page_token: Option<String>,
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
        self.snapshot_of(self.visible(caller, agent, task)?)
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
        let mut tasks = Vec::with_capacity(page.tasks.len());
        for header in page.tasks {
            match self.snapshot_of(header) {
                Ok(task) => tasks.push(task),
                // It was forgotten since the page was read.
                Err(Error::TaskNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(TaskPage {
            tasks,
            next_page_token: page.next.map(page_token).unwrap_or_default(),
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

    /// What the durable log of a task amounts to, up to where `header` says. [`Error::TaskNotFound`] if it
    /// was forgotten meanwhile.
    pub(crate) fn snapshot_of(&self, header: Header) -> Result<TaskSnapshot, Error> {
        let stored = match leaves_snapshot(&header) {
            true => self.shared.storage.snapshot(header.id)?,
            false => None,
        };
        let view = match stored {
            Some(view) => view,
            None => self.fold(&header)?,
        };
        Ok(TaskSnapshot { header, view })
    }

    pub(crate) fn fold(&self, header: &Header) -> Result<TaskView, Error> {
        let (task, last) = (header.id, header.last);
        let mut view = TaskView::default();
        while view.last < last {
            let page = self.shared.storage.log(task, view.last, FOLD_PAGE)?;
            if page.is_empty() {
                if self.shared.storage.header(task)?.is_none() {
                    return Err(Error::TaskNotFound);
                }
                let problem = format!(
                    "the log of task {task} ends at {} instead of {last}",
                    view.last
                );
                return Err(Error::Internal(problem));
            }
            for (seq, entry) in page.into_iter().take_while(|(seq, _)| *seq <= last) {
                view.apply_counting(&header.rewound, seq, entry);
            }
        }
        Ok(view)
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

//! Listing tasks: pages over an index, newest status first, by a cursor that need not exist any more.

use taskyard_task::{AgentName, TaskId, TaskState, Tenant, Timestamp};

use crate::key::{self, Scope};
use crate::open::Storage;
use crate::read::ReadError;
use crate::table::Table;

/// How many rows are walked at most to count the tasks that match a filter which no counter covers.
/// Lists beyond it report this number.
const MAX_COUNTED: u64 = 100_000;

/// Which tasks.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Whose.
    pub tenant: Tenant,
    /// Of which agent.
    pub agent: AgentName,
    /// Only those of this conversation.
    pub context_id: Option<String>,
    /// Only those in this state.
    pub state: Option<TaskState>,
    /// Only those whose status is of this moment or later.
    pub updated_since: Option<Timestamp>,
    /// Only those behind this position.
    pub after: Option<Position>,
    /// At most this many.
    pub most: usize,
}

/// A place in the order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The moment of the status.
    pub status_at: Timestamp,
    /// The task.
    pub task: TaskId,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// The tasks, newest status first.
    pub tasks: Vec<TaskId>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Position>,
    /// How many tasks match in all.
    pub total: u64,
}

impl Storage {
    /// A page of tasks that clients know of.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn list(&self, query: &ListQuery) -> Result<ListPage, ReadError> {
        // The narrowest index first; what it does not cover is filtered row by row.
        let scope = match (&query.context_id, query.state) {
            (Some(context), _) => Scope::Context(context),
            (None, Some(state)) => Scope::State(state),
            (None, None) => Scope::All,
        };
        let prefix = key::index_prefix(&query.tenant, &query.agent, scope);
        let (tasks, next) = self.page(query, &prefix)?;
        let total = match (scope, query.updated_since) {
            (Scope::All | Scope::State(_), None) => self.count(&prefix)?,
            _ => self.count_matches(query, &prefix)?,
        };
        Ok(ListPage { tasks, next, total })
    }

    fn page(
        &self,
        query: &ListQuery,
        prefix: &[u8],
    ) -> Result<(Vec<TaskId>, Option<Position>), ReadError> {
        let mut tasks = Vec::new();
        let mut last = None;
        let mut start = prefix.to_vec();
        if let Some(after) = query.after {
            start.extend_from_slice(&key::index_suffix(after.status_at, after.task));
            // Behind the position itself, should it still exist.
            start.push(0);
        }
        let mut more = false;
        self.walk(query, prefix, &start, |position| {
            if tasks.len() == query.most {
                more = true;
                return false;
            }
            tasks.push(position.task);
            last = Some(position);
            true
        })?;
        Ok((tasks, last.filter(|_| more)))
    }

    fn count_matches(&self, query: &ListQuery, prefix: &[u8]) -> Result<u64, ReadError> {
        let mut count = 0;
        self.walk(query, prefix, prefix, |_| {
            count += 1;
            count < MAX_COUNTED
        })?;
        Ok(count)
    }

    /// Calls `visit` with each match from `start` on, until it returns false.
    fn walk(
        &self,
        query: &ListQuery,
        prefix: &[u8],
        start: &[u8],
        mut visit: impl FnMut(Position) -> bool,
    ) -> Result<(), ReadError> {
        let mut rows = self.rows(Table::Index, start, prefix)?;
        while let Some((key, state)) = rows.next()? {
            let suffix = key.get(prefix.len()..).unwrap_or_default();
            let Some((status_at, task)) = key::read_index_suffix(suffix) else {
                continue;
            };
            if query.updated_since.is_some_and(|since| status_at < since) {
                break;
            }
            let wanted = query.state.is_none_or(|wanted| state == [wanted.number()]);
            if wanted && !visit(Position { status_at, task }) {
                break;
            }
        }
        Ok(())
    }
}

//! Listing tasks: pages over an index, newest status first, by a cursor that need not exist any more.
//!
//! A page, the number of all tasks that match, and the tasks themselves are those of one moment. Neither
//! costs more when there are more tasks: the index has the tasks of each state in order, for the agent and
//! for each conversation, and the committer counts them. Only what is newer than some moment *within one
//! conversation* is counted row by row.

use std::cmp::Reverse;

use rocksdb::{DB, SnapshotWithThreadMode};
use taskyard_task::{AgentName, Header, TaskId, TaskState, Tenant, Timestamp};

use crate::count::{Counter, Tally};
use crate::database::Tables;
use crate::key::{self, SPANS};
use crate::open::Storage;
use crate::read::{ReadError, Rows, decode, end_of_prefix, up_to};
use crate::table::Table;

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
#[derive(Debug, Clone, PartialEq)]
pub struct ListPage {
    /// The tasks, newest status first.
    pub tasks: Vec<Header>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Position>,
    /// How many tasks match in all.
    pub total: u64,
}

impl Position {
    /// Lists begin with what is smallest by this.
    fn order(self) -> (Reverse<Timestamp>, TaskId) {
        (Reverse(self.status_at), self.task)
    }
}

impl Storage {
    /// A page of tasks that clients know of.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn list(&self, query: &ListQuery) -> Result<ListPage, ReadError> {
        let tables = self.tables()?;
        let moment = Moment {
            snapshot: tables.db().snapshot(),
            tables: &tables,
        };
        let total = moment.total(query)?;
        let (tasks, next) = moment.page(query)?;
        Ok(ListPage { tasks, next, total })
    }

    /// At most `most` tasks of a conversation that ended in a direct message, newest first. Clients know
    /// of none of them.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn replies(
        &self,
        tenant: &Tenant,
        agent: &AgentName,
        context: &str,
        most: usize,
    ) -> Result<Vec<Header>, ReadError> {
        let tables = self.tables()?;
        let moment = Moment {
            snapshot: tables.db().snapshot(),
            tables: &tables,
        };
        let prefix = key::replies(tenant, agent, context);
        let mut line = Line {
            rows: moment.rows(Table::Index, &prefix, &end_of_prefix(&prefix))?,
            prefix: prefix.len(),
            head: None,
        };
        line.step()?;
        let mut lines = vec![line];
        let mut tasks = Vec::new();
        while tasks.len() < most
            && let Some(position) = take_first(&mut lines)?
        {
            tasks.extend(moment.header(position.task)?);
        }
        Ok(tasks)
    }
}

/// The tables as they were at one moment.
struct Moment<'a> {
    tables: &'a Tables,
    snapshot: SnapshotWithThreadMode<'a, DB>,
}

impl Moment<'_> {
    fn page(&self, query: &ListQuery) -> Result<(Vec<Header>, Option<Position>), ReadError> {
        let mut lines = Vec::new();
        for state in states(query) {
            lines.push(self.line(query, state)?);
        }
        let mut tasks = Vec::new();
        let mut last = None;
        while let Some(position) = take_first(&mut lines)? {
            if tasks.len() == query.most {
                return Ok((tasks, last));
            }
            last = Some(position);
            tasks.extend(self.header(position.task)?);
        }
        Ok((tasks, None))
    }

    fn header(&self, task: TaskId) -> Result<Option<Header>, ReadError> {
        let table = self.tables.table(Table::Header)?;
        let stored = self.snapshot.get_pinned_cf(table, key::task(task))?;
        stored.map(|row| decode(Table::Header, &row)).transpose()
    }

    /// The tasks in one state that match, behind where the page before ended.
    fn line(&self, query: &ListQuery, state: TaskState) -> Result<Line<'_>, ReadError> {
        let prefix = prefix(query, state);
        let mut start = prefix.clone();
        if let Some(after) = query.after {
            start.extend_from_slice(&key::index_suffix(after.status_at, after.task));
            // Behind the position itself, should it still exist.
            start.push(0);
        }
        let since = query.updated_since.unwrap_or_default();
        let mut line = Line {
            rows: self.rows(Table::Index, &start, &not_before(&prefix, since))?,
            prefix: prefix.len(),
            head: None,
        };
        line.step()?;
        Ok(line)
    }

    fn total(&self, query: &ListQuery) -> Result<u64, ReadError> {
        let ListQuery { tenant, agent, .. } = query;
        let context = query.context_id.as_deref();
        match query.updated_since {
            None => {
                let key = key::tally(tenant, agent, context);
                let table = self.tables.table(Table::Tally)?;
                let row = self.snapshot.get_pinned_cf(table, key)?;
                let tally = row.map_or_else(Tally::default, |row| Tally::from_row(&row));
                Ok(tally.of(query.state))
            }
            Some(since) if context.is_some() => self.count(query, since, Timestamp(u64::MAX)),
            Some(since) => {
                // To the end of the shortest span that the moment is in; from there on in whole spans.
                let until = Timestamp(since.0 | last_of_span(SPANS[0]));
                Ok(self.count(query, since, until)? + self.count_spans(query, since)?)
            }
        }
    }

    /// The tasks that match and whose status is of `since` to `until`, one by one.
    fn count(
        &self,
        query: &ListQuery,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<u64, ReadError> {
        let mut count = 0;
        for state in states(query) {
            let prefix = prefix(query, state);
            let mut start = prefix.clone();
            start.extend_from_slice(&key::index_moment(until));
            let mut rows = self.rows(Table::Index, &start, &not_before(&prefix, since))?;
            while rows.next()?.is_some() {
                count += 1;
            }
        }
        Ok(count)
    }

    /// The tasks that match and whose status is newer than the shortest span that `since` is in: what is
    /// left of each span is the next longer one's first part.
    fn count_spans(&self, query: &ListQuery, since: Timestamp) -> Result<u64, ReadError> {
        let mut count = 0;
        for (place, span) in SPANS.into_iter().enumerate() {
            let number = since.0 >> span;
            let last = match SPANS.get(place + 1) {
                Some(longer) => number | last_of_span(longer - span),
                None => u64::MAX,
            };
            // The one that the moment is in is counted by the shorter ones.
            if let Some(first) = number.checked_add(1).filter(|first| *first <= last) {
                count += self.sum(query, span, first, last)?;
            }
        }
        Ok(count)
    }

    fn sum(&self, query: &ListQuery, span: u32, first: u64, last: u64) -> Result<u64, ReadError> {
        let ListQuery { tenant, agent, .. } = query;
        let start = key::span_tally(tenant, agent, span, first);
        let end = match last.checked_add(1) {
            Some(behind) => Some(key::span_tally(tenant, agent, span, behind)),
            None => end_of_prefix(&key::span_tallies(tenant, agent, span)),
        };
        let mut rows = self.rows(Table::Tally, &start, &end)?;
        let mut sum = 0;
        while let Some((_, row)) = rows.next()? {
            sum += Tally::from_row(row).of(query.state);
        }
        Ok(sum)
    }

    /// The rows from `start` on and before `end`.
    fn rows(
        &self,
        table: Table,
        start: &[u8],
        end: &Option<Vec<u8>>,
    ) -> Result<Rows<'_>, ReadError> {
        let table = self.tables.table(table)?;
        let options = up_to(end.clone());
        let iterator = self.snapshot.raw_iterator_cf_opt(table, options);
        Ok(Rows::from(iterator, start))
    }
}

/// The tasks in one state, in order.
struct Line<'a> {
    rows: Rows<'a>,
    prefix: usize,
    /// The first one.
    head: Option<Position>,
}

impl Line<'_> {
    fn step(&mut self) -> Result<(), ReadError> {
        let prefix = self.prefix;
        let row = self.rows.next()?;
        self.head = row.and_then(|(key, _)| {
            let (status_at, task) = key::read_index_suffix(key.get(prefix..)?)?;
            Some(Position { status_at, task })
        });
        Ok(())
    }
}

/// Takes the first task of all lines.
fn take_first(lines: &mut [Line<'_>]) -> Result<Option<Position>, ReadError> {
    let heads = lines.iter_mut().filter(|line| line.head.is_some());
    let Some(line) = heads.min_by_key(|line| line.head.map(Position::order)) else {
        return Ok(None);
    };
    let first = line.head;
    line.step()?;
    Ok(first)
}

fn states(query: &ListQuery) -> impl Iterator<Item = TaskState> + use<> {
    let wanted = query.state;
    let states = TaskState::ALL.into_iter();
    states.filter(move |state| wanted.is_none_or(|wanted| wanted == *state))
}

fn prefix(query: &ListQuery, state: TaskState) -> Vec<u8> {
    let context = query.context_id.as_deref();
    key::index_prefix(&query.tenant, &query.agent, context, state)
}

/// Where the rows with `prefix` end whose moment is `since` or later. Moments are inverted.
fn not_before(prefix: &[u8], since: Timestamp) -> Option<Vec<u8>> {
    let mut oldest = prefix.to_vec();
    oldest.extend_from_slice(&key::index_moment(since));
    end_of_prefix(&oldest)
}

/// The lowest bits, which tell the moments of a span apart.
fn last_of_span(bits: u32) -> u64 {
    (1 << bits) - 1
}

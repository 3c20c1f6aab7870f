//! What operators look for: tasks that stand still, and tasks by the component that runs them.

use taskyard_task::{Digest, Header, Seq, TaskId, TaskState, Timestamp};

use crate::count::{Counter as _, Tally};
use crate::key;
use crate::open::Storage;
use crate::read::{ReadError, damaged};
use crate::table::Table;

/// A task that stands still until an operator looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParkedRow {
    /// Since when.
    pub since: Timestamp,
    /// Which task.
    pub task: TaskId,
    /// The entry of its log that says why.
    pub entry: Seq,
}

impl Storage {
    /// At most `most` parked tasks behind `after`, those that are parked for longest first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn parked(
        &self,
        after: Option<(Timestamp, TaskId)>,
        most: usize,
    ) -> Result<Vec<ParkedRow>, ReadError> {
        let after = after.map(|(since, task)| key::parked(since, task));
        let mut found = Vec::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Parked, after.as_deref().unwrap_or_default(), &[])?;
        while found.len() < most
            && let Some((key, value)) = rows.next()?
        {
            if after.as_deref() != Some(key) {
                found.push(read_parked(key, value)?);
            }
        }
        Ok(found)
    }

    /// How many tasks are parked. Counts them one by one: asked once, at start.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn count_parked(&self) -> Result<u64, ReadError> {
        let mut count = 0;
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Parked, &[], &[])?;
        while rows.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// How many announced tasks are in `states`, of all tenants and agents; at most `most` pairs of these are
    /// looked at.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn count_in<const N: usize>(
        &self,
        states: [TaskState; N],
        most: usize,
    ) -> Result<[u64; N], ReadError> {
        let (mut sums, mut start) = ([0; N], Vec::new());
        for _ in 0..most {
            let tables = self.tables()?;
            let mut rows = tables.rows(Table::Tally, &start, &[])?;
            let Some((key, row)) = rows.next()? else {
                break;
            };
            let tally = Tally::from_row(row);
            for (sum, state) in sums.iter_mut().zip(states) {
                *sum += tally.of(Some(state));
            }
            start = key::behind_tallies(key);
        }
        Ok(sums)
    }

    /// The entry that says why a task is parked, if it is.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn parked_entry(&self, header: &Header) -> Result<Option<Seq>, ReadError> {
        let key = key::parked(header.status_at, header.id);
        let stored = self.row(Table::Parked, &key)?;
        stored
            .map(|value| Ok(read_parked(&key, &value)?.entry))
            .transpose()
    }

    /// At most `most` tasks behind `after` that a component runs and that have not ended.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn in_flight(
        &self,
        digest: Digest,
        after: Option<TaskId>,
        most: usize,
    ) -> Result<Vec<TaskId>, ReadError> {
        let after = after.map(|task| key::in_flight(digest, task));
        let prefix = key::digest(digest);
        let mut found = Vec::new();
        let start = after.as_deref().unwrap_or(&prefix);
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::InFlight, start, &prefix)?;
        while found.len() < most
            && let Some((key, _)) = rows.next()?
        {
            if after.as_deref() != Some(key) {
                let task = key::read_in_flight(key);
                found.push(task.ok_or_else(|| damaged(Table::InFlight, "its key is too short"))?);
            }
        }
        Ok(found)
    }
}

fn read_parked(key: &[u8], value: &[u8]) -> Result<ParkedRow, ReadError> {
    let read = || {
        let (since, task) = key::read_parked(key)?;
        let entry = Seq(u64::from_be_bytes(value.try_into().ok()?));
        Some(ParkedRow { since, task, entry })
    };
    read().ok_or_else(|| damaged(Table::Parked, "its key or its value is too short"))
}

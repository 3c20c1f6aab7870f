//! Ended tasks, in the order in which they are forgotten, and what else is kept of them.

use taskyard_task::{Digest, TaskId, Tenant, Timestamp};

use crate::key;
use crate::open::Storage;
use crate::read::{ReadError, damaged};
use crate::table::Table;

/// A task that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedTask {
    /// When.
    pub ended_at: Timestamp,
    /// Which task.
    pub task: TaskId,
}

impl Storage {
    /// The first tenant behind `behind` that has ended tasks. `known` is the first one behind it of which it is
    /// known that all its tasks that ended earlier are forgotten: their rows are not walked over again.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn tenant_with_ended(
        &self,
        behind: Option<&Tenant>,
        known: Option<(&Tenant, Timestamp)>,
    ) -> Result<Option<Tenant>, ReadError> {
        let mut start = behind.map(key::ended_behind).unwrap_or_default();
        if let Some((tenant, from)) = known {
            let found = self.first_ended(&start, Some(key::ended_of(tenant)))?;
            if found.is_some() {
                return Ok(found);
            }
            start = key::ended_from(tenant, from);
        }
        self.first_ended(&start, None)
    }

    /// The tenant of the first row from `start` on and before `end`.
    fn first_ended(&self, start: &[u8], end: Option<Vec<u8>>) -> Result<Option<Tenant>, ReadError> {
        let tables = self.tables()?;
        let mut rows = tables.rows_before(Table::Ended, start, end)?;
        let row = rows.next()?;
        row.map(|(key, _)| Ok(read_ended(key)?.0)).transpose()
    }

    /// At most `most` tasks of a tenant that ended at `from` or later, behind `after`, those first that ended
    /// first.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn ended(
        &self,
        tenant: &Tenant,
        from: Timestamp,
        after: Option<EndedTask>,
        most: usize,
    ) -> Result<Vec<EndedTask>, ReadError> {
        let prefix = key::ended_of(tenant);
        let after = after.map(|after| key::ended_row(tenant, after.ended_at, after.task));
        let mut found = Vec::new();
        let start = after
            .clone()
            .unwrap_or_else(|| key::ended_from(tenant, from));
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Ended, &start, &prefix)?;
        while found.len() < most
            && let Some((key, _)) = rows.next()?
        {
            if after.as_deref() != Some(key) {
                let (_, ended_at, task) = read_ended(key)?;
                found.push(EndedTask { ended_at, task });
            }
        }
        Ok(found)
    }

    /// How many ended tasks of a tenant there are.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn count_ended(&self, tenant: &Tenant) -> Result<u64, ReadError> {
        self.count(&key::ended_count(tenant))
    }

    /// The idempotency keys of a task's messages.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn keys_of(&self, task: TaskId) -> Result<Vec<Digest>, ReadError> {
        let prefix = key::task(task);
        let mut keys = Vec::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::TaskKey, &prefix, &prefix)?;
        while let Some((key, _)) = rows.next()? {
            let key = key::read_task_key(key);
            keys.push(key.ok_or_else(|| damaged(Table::TaskKey, "its key is too short"))?);
        }
        Ok(keys)
    }

    /// Whether a task has children on other hosts that are not over.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn has_remotes(&self, parent: TaskId) -> Result<bool, ReadError> {
        let prefix = key::remotes_of(parent);
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Remote, &prefix, &prefix)?;
        Ok(rows.next()?.is_some())
    }
}

fn read_ended(key: &[u8]) -> Result<(Tenant, Timestamp, TaskId), ReadError> {
    key::read_ended(key).ok_or_else(|| damaged(Table::Ended, "its key is too short"))
}

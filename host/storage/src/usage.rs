//! What each tenant keeps on the disk: how many tasks, and the bytes of their records.
//!
//! The committer, the only writer, keeps it exact. What a task keeps is counted with the task as well, so
//! that it is known what goes with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use taskyard_task::commit::StateBefore;
use taskyard_task::{Header, StatePlace, TaskId, Tenant};

use crate::apply::{Applier, ApplyError, Move, Rows};
use crate::count::{Counter, Counts};
use crate::key;
use crate::open::Storage;
use crate::read::{ReadError, damaged, decode};
use crate::table::Table;

/// What is kept on the disk, as the values of its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tasks.
    pub tasks: u64,
    /// Entries of their logs, without what is kept apart.
    pub log_bytes: u64,
    /// What is kept apart because it is large: artifacts, files in messages.
    pub content_bytes: u64,
    /// State under keys.
    pub state_bytes: u64,
}

impl Usage {
    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let state = self.state_bytes;
        let log = self.log_bytes.saturating_add(self.content_bytes);
        log.saturating_add(state)
    }

    pub(crate) fn add(&mut self, growth: Growth) {
        self.tasks = self.tasks.saturating_add_signed(growth.tasks);
        self.log_bytes = self.log_bytes.saturating_add_signed(growth.log);
        self.content_bytes = self.content_bytes.saturating_add_signed(growth.content);
        self.state_bytes = self.state_bytes.saturating_add_signed(growth.state);
    }
}

impl Counter for Usage {
    const TABLE: Table = Table::Usage;

    fn to_row(self) -> Vec<u8> {
        let all = [
            self.tasks,
            self.log_bytes,
            self.content_bytes,
            self.state_bytes,
        ];
        all.iter().flat_map(|count| count.to_be_bytes()).collect()
    }

    fn from_row(row: &[u8]) -> Self {
        let mut counts = row.as_chunks::<8>().0.iter();
        let mut next = || counts.next().map_or(0, |count| u64::from_be_bytes(*count));
        Self {
            tasks: next(),
            log_bytes: next(),
            content_bytes: next(),
            state_bytes: next(),
        }
    }
}

/// By how much it changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) tasks: i64,
    pub(crate) log: i64,
    pub(crate) content: i64,
    pub(crate) state: i64,
}

impl Growth {
    /// All that `usage` holds.
    pub(crate) fn of(usage: Usage) -> Self {
        Self {
            tasks: usage.tasks.cast_signed(),
            log: usage.log_bytes.cast_signed(),
            content: usage.content_bytes.cast_signed(),
            state: usage.state_bytes.cast_signed(),
        }
    }
}

/// The length of a row's value.
pub(crate) fn length(value: &[u8]) -> i64 {
    i64::try_from(value.len()).unwrap_or(i64::MAX)
}

/// Keeps the tallies of what is kept.
#[derive(Default)]
pub(crate) struct Usages {
    pub(crate) counts: Counts<Usage>,
    /// What tasks gain or lose by the batch that is being made.
    grown: BTreeMap<TaskId, Growth>,
    /// The values of state in the batch that is being made, which cannot be read yet.
    fresh: HashMap<Vec<u8>, i64>,
    /// Tasks whose state goes with the batch that is being made.
    dropped: BTreeSet<TaskId>,
}

impl Usages {
    /// Begins a batch.
    pub(crate) fn begin(&mut self) {
        self.grown.clear();
        self.fresh.clear();
        self.dropped.clear();
    }

    fn of(&mut self, task: TaskId) -> &mut Growth {
        self.grown.entry(task).or_default()
    }

    pub(crate) fn appended(&mut self, task: TaskId, log: i64, content: i64) {
        let grown = self.of(task);
        grown.log += log;
        grown.content += content;
    }

    /// A task goes, with its log. Its own state went when it ended. Tells whether it has content.
    pub(crate) fn forgot(&mut self, rows: &Rows<'_>, task: TaskId) -> Result<bool, ApplyError> {
        let held = Growth::of(self.counts.current(rows, &key::usage_of_task(task))?);
        let grown = self.of(task);
        (grown.log, grown.content) = (-held.log, -held.content);
        Ok(held.content != 0)
    }

    /// A key of state has a value of so many bytes now.
    pub(crate) fn put_state(
        &mut self,
        rows: &Rows<'_>,
        (place, key): (&StatePlace, &[u8]),
        before: StateBefore,
        now: i64,
    ) -> Result<(), ApplyError> {
        let was = self.state_before(rows, (place, key), before)?;
        self.fresh.insert(key.to_vec(), now);
        let by = now - was;
        let tenant = match place {
            StatePlace::Task(task) => {
                self.of(*task).state += by;
                return Ok(());
            }
            StatePlace::Context(tenant, _)
            | StatePlace::Plugin(tenant, _)
            | StatePlace::Tenant(tenant) => tenant,
        };
        let growth = Growth {
            state: by,
            ..Growth::default()
        };
        let key = key::usage_of(tenant);
        self.counts.change(rows, key, |usage| usage.add(growth))
    }

    /// What a key holds is read: `before` says only whether it holds anything, and of a key that expired
    /// after its task ended it says that it still does.
    fn state_before(
        &self,
        rows: &Rows<'_>,
        (place, key): (&StatePlace, &[u8]),
        before: StateBefore,
    ) -> Result<i64, ApplyError> {
        if let Some(fresh) = self.fresh.get(key) {
            return Ok(*fresh);
        }
        let is_dropped = |task: &TaskId| self.dropped.contains(task);
        let is_gone = matches!(place, StatePlace::Task(task) if is_dropped(task));
        if is_gone || !before.is_something() {
            return Ok(0);
        }
        let stored = rows.db.get_pinned_cf(rows.table(Table::State)?, key)?;
        Ok(stored.map_or(0, |value| length(&value)))
    }

    /// All state that only this task could see goes.
    pub(crate) fn dropped_state(
        &mut self,
        rows: &Rows<'_>,
        task: TaskId,
    ) -> Result<(), ApplyError> {
        let held = Growth::of(self.counts.current(rows, &key::usage_of_task(task))?);
        self.of(task).state = -held.state;
        self.dropped.insert(task);
        let prefix = key::place(&StatePlace::Task(task));
        self.fresh.retain(|key, _| !key.starts_with(&prefix));
        Ok(())
    }

    /// A task comes, goes or stays; it is called after all of its other changes.
    fn moved(&mut self, task: TaskId, (before, after): Move<'_>) {
        self.of(task).tasks = i64::from(after.is_some()) - i64::from(before.is_some());
    }
}

impl Applier {
    /// Counts what the tasks gained and lost with them and with their tenants.
    pub(crate) fn usage<'a>(
        &mut self,
        rows: &Rows<'_>,
        moves: &BTreeMap<TaskId, Move<'a>>,
    ) -> Result<(), ApplyError> {
        for (task, moved) in moves {
            self.usages.moved(*task, *moved);
        }
        let tenant = |(before, after): &Move<'a>| Some(after.or(*before)?.tenant.clone());
        for (task, growth) in std::mem::take(&mut self.usages.grown) {
            if growth == Growth::default() {
                continue;
            }
            let tenant = match moves.get(&task) {
                Some(moved) => tenant(moved),
                None => rows.tenant_of(task)?,
            };
            self.grow(rows, task, tenant.as_ref(), growth)?;
        }
        Ok(())
    }

    /// Counts what a task gained or lost with it and with its tenant.
    pub(crate) fn grow(
        &mut self,
        rows: &Rows<'_>,
        task: TaskId,
        tenant: Option<&Tenant>,
        growth: Growth,
    ) -> Result<(), ApplyError> {
        let keys = [Some(key::usage_of_task(task)), tenant.map(key::usage_of)];
        for key in keys.into_iter().flatten() {
            let counts = &mut self.usages.counts;
            counts.change(rows, key, |usage| usage.add(growth))?;
        }
        Ok(())
    }
}

impl Rows<'_> {
    fn tenant_of(&self, task: TaskId) -> Result<Option<Tenant>, ApplyError> {
        let table = self.table(Table::Header)?;
        let Some(row) = self.db.get_pinned_cf(table, key::task(task))? else {
            return Ok(None);
        };
        let header: Header = decode(Table::Header, &row)?;
        Ok(Some(header.tenant))
    }
}

impl Storage {
    /// What a tenant keeps.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn usage(&self, tenant: &Tenant) -> Result<Usage, ReadError> {
        let tables = self.tables()?;
        let table = tables.table(Table::Usage)?;
        let row = tables.db().get_pinned_cf(table, key::usage_of(tenant))?;
        Ok(row.map_or_else(Usage::default, |row| Usage::from_row(&row)))
    }

    /// The tenants that keep most, and what they keep.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn largest_tenants(&self, most: usize) -> Result<Vec<(Tenant, Usage)>, ReadError> {
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Usage, key::USAGE_OF, key::USAGE_OF)?;
        let mut largest = Vec::new();
        while let Some((key, row)) = rows.next()? {
            let tenant = key::read_usage_of(key);
            let tenant = tenant.ok_or_else(|| damaged(Table::Usage, "its key is no tenant"))?;
            largest.push((tenant, Usage::from_row(row)));
            if largest.len() >= most.saturating_mul(2) {
                keep_largest(&mut largest, most);
            }
        }
        keep_largest(&mut largest, most);
        Ok(largest)
    }
}

fn keep_largest(tenants: &mut Vec<(Tenant, Usage)>, most: usize) {
    tenants.sort_by_key(|(_, usage)| std::cmp::Reverse(usage.bytes()));
    tenants.truncate(most);
}

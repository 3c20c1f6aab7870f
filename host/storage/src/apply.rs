//! Applying commits: which rows of which tables follow from each change.
//!
//! Deterministic: the same commits on the same tables make the same tables. Rows that follow from a
//! header are derived in `derive`, once for each task and group of commits.

use std::collections::{BTreeMap, BTreeSet};

use rocksdb::{DB, WriteBatch};
use serde::Serialize;
use taskyard_task::{Change, Commit, Digest, Entry, Header, LightEntry, Phase, Seq, TaskId};

use crate::count::{Counts, Number, Tally};
use crate::key;
use crate::read::{ReadError, end_of_prefix, up_to};
use crate::record;
use crate::table::Table;
use crate::usage::{Usages, length};

/// A task's log is deleted entry by entry up to this many, which need not be read for it. A range is one
/// write for any number, but each range that is not in a file yet makes the next reads slower, and many
/// small tasks leave.
const SHORT_LOG: u64 = 64;

/// Why a commit cannot be applied. Always a fault of the host or of its disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error("cannot encode a record: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    #[error(transparent)]
    Database(#[from] rocksdb::Error),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the table {0} is missing")]
    NoTable(&'static str),
}

/// Turns commits into rows. There is one, because it is the only writer.
#[derive(Default)]
pub(crate) struct Applier {
    pub(crate) counts: Counts<Number>,
    pub(crate) tallies: Counts<Tally>,
    pub(crate) usages: Usages,
    /// Keys of tasks' own state that are written in the batch that is being made.
    pub(crate) fresh: BTreeSet<Vec<u8>>,
}

/// A task's header on the disk, and what it is to be.
pub(crate) type Move<'a> = (Option<&'a Header>, Option<&'a Header>);

/// The tasks that a group of commits changes. What lies between its commits is seen by nobody, so it is
/// not written either.
#[derive(Default)]
struct Moves<'a>(BTreeMap<TaskId, Move<'a>>);

impl<'a> Moves<'a> {
    fn add(&mut self, task: TaskId, before: Option<&'a Header>, after: Option<&'a Header>) {
        let (_, last) = self.0.entry(task).or_insert((before, after));
        *last = after;
    }
}

impl Applier {
    /// Adds all that a group of commits changes to `batch`, which is empty.
    pub(crate) fn apply<'a>(
        &mut self,
        db: &DB,
        batch: &mut WriteBatch,
        group: impl IntoIterator<Item = &'a Commit>,
    ) -> Result<(), ApplyError> {
        self.fresh.clear();
        self.usages.begin();
        let mut rows = Rows { db, batch };
        let mut moves = Moves::default();
        for commit in group {
            for change in &commit.changes {
                self.change(&mut rows, &mut moves, commit, change)?;
            }
        }
        self.usage(&rows, &moves.0)?;
        for moved in moves.0.into_values() {
            self.derive(&mut rows, moved)?;
        }
        self.write_counts(&mut rows)
    }

    /// Writes what was counted since the last call.
    pub(crate) fn write_counts(&mut self, rows: &mut Rows<'_>) -> Result<(), ApplyError> {
        self.counts.write(rows)?;
        self.tallies.write(rows)?;
        self.usages.counts.write(rows)
    }

    fn change<'a>(
        &mut self,
        rows: &mut Rows<'_>,
        moves: &mut Moves<'a>,
        commit: &Commit,
        change: &'a Change,
    ) -> Result<(), ApplyError> {
        match change {
            Change::Header { before, after } => {
                moves.add(after.id, before.as_deref(), Some(after));
                // At once, because it names the entry that is the last one now.
                rows.parked(before.as_deref(), after)
            }
            Change::Append { task, seq, entry } => {
                let (log, content) = rows.append(&key::log(*task, *seq), entry)?;
                self.usages.appended(*task, log, content);
                Ok(())
            }
            Change::Forget { header, keys } => {
                moves.add(header.id, Some(header), None);
                if self.usages.forgot(rows, header.id)? {
                    rows.forget_content(header.id)?;
                }
                rows.forget(header, keys)
            }
            Change::PutState {
                place,
                key,
                before,
                after,
            } => self.put_state(rows, (place, key), *before, after.as_ref()),
            Change::DropState { task } => self.drop_state(rows, *task),
            other => rows.simple(commit, other),
        }
    }
}

/// Rows on their way into one batch.
pub(crate) struct Rows<'a> {
    pub(crate) db: &'a DB,
    pub(crate) batch: &'a mut WriteBatch,
}

impl<'a> Rows<'a> {
    fn simple(&mut self, commit: &Commit, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::Outline { task, outline } => {
                self.put(Table::Outline, &key::task(*task), outline)
            }
            Change::Notify { task, config, seq } => {
                self.put_raw(Table::Outbox, &key::outbox(*task, config, *seq), &[])
            }
            Change::Delivered { task, config, seq } => {
                self.delete(Table::Outbox, &key::outbox(*task, config, *seq))
            }
            Change::DeliveryState {
                task,
                config,
                state,
            } => {
                let key = key::lane(*task, config);
                match state {
                    Some(state) => self.put(Table::Delivery, &key, state),
                    None => self.delete(Table::Delivery, &key),
                }
            }
            Change::PutPushConfig { task, config } => {
                // A new registration is a new chance for what is due.
                self.delete(Table::Delivery, &key::lane(*task, &config.id))?;
                self.put(
                    Table::PushConfig,
                    &key::push_config(*task, &config.id),
                    config,
                )
            }
            Change::DeletePushConfig { task, config } => {
                self.delete(Table::PushConfig, &key::push_config(*task, config))?;
                self.delete(Table::Delivery, &key::lane(*task, config))?;
                self.delete_prefix(Table::Outbox, key::lane(*task, config))
            }
            Change::Remember { key, submitted } => {
                let row = key::idempotency(commit.partition, *key);
                self.put(Table::Idempotency, &row, submitted)?;
                self.put_raw(Table::TaskKey, &key::task_key(submitted.task, *key), &[])
            }
            Change::Post { letter } => self.put(Table::Letter, &key::letter(letter), letter),
            Change::Taken { letter } => self.delete(Table::Letter, &key::letter(letter)),
            Change::PutRemote { child } => self.put(Table::Remote, &key::remote(child.id()), child),
            Change::DeleteRemote { child } => self.delete(Table::Remote, &key::remote(*child)),
            Change::PutPlugin { plugin, component } => {
                let key = key::digest(plugin.digest);
                self.put_raw(Table::Component, &key, component)?;
                self.put(Table::Plugin, &key, plugin)
            }
            Change::DeletePlugin { digest } => {
                self.delete(Table::Component, &key::digest(*digest))?;
                self.delete(Table::Plugin, &key::digest(*digest))
            }
            Change::PutAgent { agent } => self.put(Table::Agent, &key::agent(&agent.name), agent),
            Change::DeleteAgent { name } => self.delete(Table::Agent, &key::agent(name)),
            Change::PutApiKey { key } => self.put(Table::ApiKey, &key.id.to_bytes(), key),
            Change::DeleteApiKey { id } => self.delete(Table::ApiKey, &id.to_bytes()),
            Change::Header { .. }
            | Change::Append { .. }
            | Change::Forget { .. }
            | Change::PutState { .. }
            | Change::DropState { .. } => Ok(()),
        }
    }

    /// What is large is kept apart, so that whoever does not need it does not read it. Tells how much is in
    /// the log, and how much apart.
    fn append(&mut self, key: &[u8], entry: &Entry) -> Result<(i64, i64), ApplyError> {
        let whole = record::encode(entry)?;
        if !entry.has_much_content() {
            self.put_raw(Table::Log, key, &whole)?;
            return Ok((length(&whole), 0));
        }
        self.put_raw(Table::Content, key, &whole)?;
        let light = record::encode_light(&LightEntry::of(entry.clone()))?;
        self.put_raw(Table::Log, key, &light)?;
        Ok((length(&light), length(&whole)))
    }

    /// The entry that parks a task is the last one of the decision that does.
    pub(crate) fn parked(
        &mut self,
        before: Option<&Header>,
        after: &Header,
    ) -> Result<(), ApplyError> {
        let since = |header: &Header| (header.phase == Phase::Parked).then_some(header.status_at);
        let (had, has) = (before.and_then(since), since(after));
        if had == has {
            return Ok(());
        }
        if let Some(since) = had {
            self.delete(Table::Parked, &key::parked(since, after.id))?;
        }
        match has {
            Some(since) => {
                let entry = after.last.0.to_be_bytes();
                self.put_raw(Table::Parked, &key::parked(since, after.id), &entry)
            }
            None => Ok(()),
        }
    }

    /// What is kept of a task besides its header and what follows from that.
    fn forget(&mut self, header: &Header, keys: &[Digest]) -> Result<(), ApplyError> {
        let task = header.id;
        if header.last.0 > SHORT_LOG {
            self.delete_prefix(Table::Log, key::task(task))?;
        } else {
            for seq in 1..=header.last.0 {
                self.delete(Table::Log, &key::log(task, Seq(seq)))?;
            }
        }
        // Short logs have none.
        self.delete(Table::Outline, &key::task(task))?;
        for config in &header.push {
            self.delete(Table::PushConfig, &key::push_config(task, config))?;
            self.delete(Table::Delivery, &key::lane(task, config))?;
            self.delete_prefix(Table::Outbox, key::lane(task, config))?;
        }
        for key in keys {
            let row = key::idempotency(task.partition(), *key);
            self.delete(Table::Idempotency, &row)?;
            self.delete(Table::TaskKey, &key::task_key(task, *key))?;
        }
        Ok(())
    }

    /// The rows are durable: a task is forgotten long after its last entry.
    fn forget_content(&mut self, task: TaskId) -> Result<(), ApplyError> {
        let prefix = key::task(task);
        let options = up_to(end_of_prefix(&prefix));
        let table = self.table(Table::Content)?;
        let mut rows = self.db.raw_iterator_cf_opt(table, options);
        rows.seek(&prefix);
        for _ in 0..SHORT_LOG {
            let Some(key) = rows.key() else {
                return Ok(rows.status()?);
            };
            self.batch.delete_cf(table, key);
            rows.next();
        }
        self.delete_prefix(Table::Content, prefix)
    }

    pub(crate) fn put<T: Serialize>(
        &mut self,
        table: Table,
        key: &[u8],
        value: &T,
    ) -> Result<(), ApplyError> {
        self.put_raw(table, key, &record::encode(value)?)
    }

    pub(crate) fn put_raw(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), ApplyError> {
        let table = self.table(table)?;
        self.batch.put_cf(table, key, value);
        Ok(())
    }

    pub(crate) fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), ApplyError> {
        let table = self.table(table)?;
        self.batch.delete_cf(table, key);
        Ok(())
    }

    pub(crate) fn delete_prefix(
        &mut self,
        table: Table,
        prefix: Vec<u8>,
    ) -> Result<(), ApplyError> {
        let mut end = prefix.clone();
        end.extend_from_slice(&[u8::MAX; 9]);
        let table = self.table(table)?;
        self.batch.delete_range_cf(table, prefix, end);
        Ok(())
    }

    pub(crate) fn table(&self, table: Table) -> Result<&'a rocksdb::ColumnFamily, ApplyError> {
        self.db
            .cf_handle(table.name())
            .ok_or(ApplyError::NoTable(table.name()))
    }
}

//! Applying a commit: which rows of which tables follow from each change.
//!
//! Deterministic: the same commits on the same tables make the same tables. Rows that follow from a
//! header (work item, timer, index rows, counts) are derived here and nowhere else.

use std::collections::{BTreeSet, HashMap};

use rocksdb::{DB, WriteBatch};
use serde::Serialize;
use taskyard_task::{Change, Commit, Digest, Header, Phase};

use crate::key::{self, Scope};
use crate::read::WorkItem;
use crate::record;
use crate::table::Table;

/// Counts that are kept in memory between batches; beyond this many they are read again.
const MAX_CACHED_COUNTS: usize = 100_000;

/// Why a commit cannot be applied. Always a fault of the host or of its disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error("cannot encode a record: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    #[error(transparent)]
    Database(#[from] rocksdb::Error),
    #[error("the table {0} is missing")]
    NoTable(&'static str),
}

/// Turns commits into rows. There is one, because it is the only writer.
#[derive(Default)]
pub(crate) struct Applier {
    pub(crate) counts: HashMap<Vec<u8>, i64>,
    /// Keys of tasks' own state that are written in the batch that is being made.
    pub(crate) fresh: BTreeSet<Vec<u8>>,
}

impl Applier {
    pub(crate) fn apply(
        &mut self,
        db: &DB,
        batch: &mut WriteBatch,
        commit: &Commit,
    ) -> Result<(), ApplyError> {
        // Not in the middle of a batch, whose own counts cannot be read yet.
        if batch.is_empty() {
            self.fresh.clear();
            if self.counts.len() > MAX_CACHED_COUNTS {
                self.counts.clear();
            }
        }
        let mut rows = Rows { db, batch };
        for change in &commit.changes {
            match change {
                Change::Header { before, after } => {
                    self.header(&mut rows, before.as_deref(), after)?;
                }
                Change::PutState {
                    place,
                    key,
                    before,
                    after,
                } => self.put_state(&mut rows, (place, key), *before, after.as_ref())?,
                Change::DropState { task } => self.drop_state(&mut rows, *task)?,
                other => rows.simple(commit, other)?,
            }
        }
        Ok(())
    }

    fn header(
        &mut self,
        rows: &mut Rows<'_>,
        before: Option<&Header>,
        after: &Header,
    ) -> Result<(), ApplyError> {
        rows.put(Table::Header, &key::task(after.id), after)?;
        rows.work(before, after)?;
        rows.timer(before, after)?;
        rows.parked(before, after)?;
        rows.in_flight(before, after)?;
        self.index(rows, before, after)?;
        self.held(rows, before, after)
    }

    fn index(
        &mut self,
        rows: &mut Rows<'_>,
        before: Option<&Header>,
        after: &Header,
    ) -> Result<(), ApplyError> {
        let before = before.filter(|header| header.announced);
        if !after.announced || before.is_some_and(|before| same_place(before, after)) {
            return Ok(());
        }
        for old in before.map(key::index_keys).into_iter().flatten() {
            rows.delete(Table::Index, &old)?;
        }
        for new in key::index_keys(after) {
            rows.put_raw(Table::Index, &new, &[after.state.number()])?;
        }
        for (header, by) in before
            .map(|before| (before, -1))
            .into_iter()
            .chain([(after, 1)])
        {
            for scope in [Scope::All, Scope::State(header.state)] {
                let key = key::index_prefix(&header.tenant, &header.agent, scope);
                self.count(rows, key, by)?;
            }
        }
        Ok(())
    }

    /// Keeps count of the tasks that hold a component.
    fn held(
        &mut self,
        rows: &mut Rows<'_>,
        before: Option<&Header>,
        after: &Header,
    ) -> Result<(), ApplyError> {
        let (had, has) = (before.and_then(component), component(after));
        if had == has {
            return Ok(());
        }
        for (digest, by) in [(had, -1), (has, 1)] {
            if let Some(digest) = digest {
                self.count(rows, key::held(&after.agent, digest), by)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, rows: &mut Rows<'_>, key: Vec<u8>, by: i64) -> Result<(), ApplyError> {
        let count = self.current(rows, &key)? + by;
        rows.put_raw(Table::Count, &key, &count.to_be_bytes())?;
        self.counts.insert(key, count);
        Ok(())
    }

    /// A count as it will be once the batch is written.
    pub(crate) fn current(&self, rows: &Rows<'_>, key: &[u8]) -> Result<i64, ApplyError> {
        match self.counts.get(key) {
            Some(count) => Ok(*count),
            None => rows.count(key),
        }
    }
}

fn same_place(before: &Header, after: &Header) -> bool {
    before.state == after.state && before.status_at == after.status_at
}

/// The component that a task holds, until it ends.
fn component(header: &Header) -> Option<Digest> {
    (!header.is_ended()).then_some(header.digest)
}

/// Rows on their way into one batch.
pub(crate) struct Rows<'a> {
    pub(crate) db: &'a DB,
    pub(crate) batch: &'a mut WriteBatch,
}

impl<'a> Rows<'a> {
    fn simple(&mut self, commit: &Commit, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::Append { task, seq, entry } => {
                self.put(Table::Log, &key::log(*task, *seq), entry)
            }
            Change::Snapshot { task, view } => self.put(Table::Snapshot, &key::task(*task), view),
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
            Change::Remember { key, submitted } => self.put(
                Table::Idempotency,
                &key::idempotency(commit.partition, *key),
                submitted,
            ),
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
            Change::Header { .. } | Change::PutState { .. } | Change::DropState { .. } => Ok(()),
        }
    }

    fn work(&mut self, before: Option<&Header>, after: &Header) -> Result<(), ApplyError> {
        let place = |header: &Header| header.phase.has_work().then_some(header.queued_at);
        let (had, has) = (before.and_then(place), place(after));
        match has {
            Some(_) if had == has => Ok(()),
            Some(queued_at) => {
                let item = WorkItem {
                    task: after.id,
                    tenant: after.tenant.clone(),
                    agent: after.agent.clone(),
                    queued_at,
                };
                self.put(Table::Work, &key::work(after.id), &item)
            }
            None if had.is_some() => self.delete(Table::Work, &key::work(after.id)),
            None => Ok(()),
        }
    }

    fn timer(&mut self, before: Option<&Header>, after: &Header) -> Result<(), ApplyError> {
        let (had, has) = (before.and_then(Header::timer), after.timer());
        if had == has {
            return Ok(());
        }
        if let Some(due) = had {
            self.delete(Table::Timer, &key::timer(due, after.id))?;
        }
        match has {
            Some(due) => self.put_raw(Table::Timer, &key::timer(due, after.id), &[]),
            None => Ok(()),
        }
    }

    /// The entry that parks a task is the last one of the decision that does.
    fn parked(&mut self, before: Option<&Header>, after: &Header) -> Result<(), ApplyError> {
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

    fn in_flight(&mut self, before: Option<&Header>, after: &Header) -> Result<(), ApplyError> {
        let (had, has) = (before.and_then(component), component(after));
        if had == has {
            return Ok(());
        }
        if let Some(digest) = had {
            self.delete(Table::InFlight, &key::in_flight(digest, after.id))?;
        }
        match has {
            Some(digest) => self.put_raw(Table::InFlight, &key::in_flight(digest, after.id), &[]),
            None => Ok(()),
        }
    }

    fn count(&self, key: &[u8]) -> Result<i64, ApplyError> {
        let stored = self.db.get_pinned_cf(self.table(Table::Count)?, key)?;
        let count =
            stored.and_then(|bytes| Some(i64::from_be_bytes(bytes.as_ref().try_into().ok()?)));
        Ok(count.unwrap_or_default())
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

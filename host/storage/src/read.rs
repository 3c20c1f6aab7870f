//! Reading: one function for each question, over the tables as they are durable now.

use std::collections::HashMap;

use rocksdb::{ColumnFamily, DBRawIterator, Direction, IteratorMode, ReadOptions};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use taskyard_task::commit::{DeliveryState, Remembered};
use taskyard_task::{
    Agent, AgentName, ApiKey, Digest, Header, Letter, Partition, Plugin, Priority, PushConfig,
    RemoteChild, RemoteId, Seq, TaskId, Tenant, Timestamp,
};

use crate::count::{Counter, Number};
use crate::damage;
use crate::database::Tables;
use crate::key::{self, Lane};
use crate::open::Storage;
use crate::record::{self, RecordError};
use crate::table::Table;

/// The disk or a record on it cannot be read. Always a fault of the host or of its disk.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database says so.
    #[error("cannot read the data folder: {0}")]
    Database(rocksdb::Error),
    /// The database is closed, and could not be opened again so far.
    #[error("cannot read the data folder: its database could not be opened again so far")]
    Closed,
    /// A record makes no sense.
    #[error("cannot read a record of table {table}: {reason}")]
    Record {
        /// Where it is.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl From<rocksdb::Error> for ReadError {
    fn from(error: rocksdb::Error) -> Self {
        damage::note(&error);
        Self::Database(error)
    }
}

/// The right to run a task, in line or taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkItem {
    /// Which task.
    pub task: TaskId,
    /// Whose work it is.
    pub tenant: Tenant,
    /// Which agent does it.
    pub agent: AgentName,
    /// Its place in line.
    pub queued_at: Timestamp,
    /// Its place before others in that line. Rows of earlier versions do not say.
    #[serde(default)]
    pub priority: Priority,
}

impl Storage {
    /// The header of a task.
    ///
    /// # Errors
    /// As all of these: [`ReadError`].
    pub fn header(&self, task: TaskId) -> Result<Option<Header>, ReadError> {
        self.get(Table::Header, &key::task(task))
    }

    /// Every work item: the tasks that are in line or run. Read once, at start.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn work(&self) -> Result<Vec<WorkItem>, ReadError> {
        let mut items = Vec::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Work, &[], &[])?;
        while let Some((_, value)) = rows.next()? {
            items.push(decode(Table::Work, value)?);
        }
        Ok(items)
    }

    /// At most `most` tasks of `partition` whose timer is due between `from` and `until`, and when.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn timers(
        &self,
        partition: Partition,
        from: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(Timestamp, TaskId)>, ReadError> {
        self.timers_behind(partition, &key::timers_from(partition, from), until, most)
    }

    /// Like [`Storage::timers`], behind this one.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn timers_after(
        &self,
        (due, task): (Timestamp, TaskId),
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(Timestamp, TaskId)>, ReadError> {
        let mut start = key::timer(due, task);
        start.push(0);
        self.timers_behind(task.partition(), &start, until, most)
    }

    fn timers_behind(
        &self,
        partition: Partition,
        start: &[u8],
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(Timestamp, TaskId)>, ReadError> {
        let mut due = Vec::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Timer, start, &[partition.number()])?;
        while due.len() < most
            && let Some((key, _)) = rows.next()?
        {
            let (_, moment, task) = key::read_timer(key)
                .ok_or_else(|| damaged(Table::Timer, "its key is too short"))?;
            if moment > until {
                break;
            }
            due.push((moment, task));
        }
        Ok(due)
    }

    /// What an idempotency key stands for.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn remembered(
        &self,
        partition: Partition,
        key: Digest,
    ) -> Result<Option<Remembered>, ReadError> {
        self.get(Table::Idempotency, &key::idempotency(partition, key))
    }

    /// The same where it is not known which task the key is kept with: looks into every partition.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn remembered_anywhere(&self, key: Digest) -> Result<Option<Remembered>, ReadError> {
        for partition in Partition::all() {
            if let Some(remembered) = self.remembered(partition, key)? {
                return Ok(Some(remembered));
            }
        }
        Ok(None)
    }

    /// One notification configuration.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn push_config(&self, task: TaskId, config: &str) -> Result<Option<PushConfig>, ReadError> {
        self.get(Table::PushConfig, &key::push_config(task, config))
    }

    /// All lanes that have something due. Read once, at start.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn lanes(&self) -> Result<Vec<Lane>, ReadError> {
        let mut lanes: Vec<Lane> = Vec::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Outbox, &[], &[])?;
        while let Some((key, _)) = rows.next()? {
            let lane = key::read_lane(key)
                .ok_or_else(|| damaged(Table::Outbox, "its key is too short"))?;
            if lanes.last() != Some(&lane) {
                lanes.push(lane);
            }
        }
        Ok(lanes)
    }

    /// The oldest entry that is due to a lane, after one that is known to be the last that was delivered: the
    /// rows of all before it are deleted, and walking over them again for each would cost more and more.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn next_due(&self, lane: &Lane, after: Seq) -> Result<Option<Seq>, ReadError> {
        let prefix = key::lane(lane.task, &lane.config);
        let start = key::outbox(lane.task, &lane.config, after.next());
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Outbox, &start, &prefix)?;
        let row = rows.next()?;
        Ok(row.and_then(|(key, _)| key::read_outbox_seq(key)))
    }

    /// How the deliveries of a lane go, if not simply well.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn delivery_state(&self, lane: &Lane) -> Result<Option<DeliveryState>, ReadError> {
        self.get(Table::Delivery, &key::lane(lane.task, &lane.config))
    }

    /// At most `most` lanes whose deliveries do not go well.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn delivery_states(&self, most: usize) -> Result<Vec<(Lane, DeliveryState)>, ReadError> {
        let mut states = Vec::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Delivery, &[], &[])?;
        while states.len() < most
            && let Some((key, value)) = rows.next()?
        {
            let lane = key::read_lane(key)
                .ok_or_else(|| damaged(Table::Delivery, "its key is too short"))?;
            states.push((lane, decode(Table::Delivery, value)?));
        }
        Ok(states)
    }

    /// At most `most` letters that were not delivered, in any fixed order, behind `after`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn letters(&self, after: Option<&Letter>, most: usize) -> Result<Vec<Letter>, ReadError> {
        let after = after.map(key::letter);
        let start = after.clone().unwrap_or_default();
        let mut letters = Vec::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Letter, &start, &[])?;
        while letters.len() < most
            && let Some((key, value)) = rows.next()?
        {
            if after.as_deref() != Some(key) {
                letters.push(decode(Table::Letter, value)?);
            }
        }
        Ok(letters)
    }

    /// Whether a letter is still to be delivered.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn is_posted(&self, letter: &Letter) -> Result<bool, ReadError> {
        let found: Option<Letter> = self.get(Table::Letter, &key::letter(letter))?;
        Ok(found.is_some())
    }

    /// All children on other hosts that are not over. Read once, at start.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn remotes(&self) -> Result<Vec<RemoteId>, ReadError> {
        let mut children = Vec::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Remote, &[], &[])?;
        while let Some((key, _)) = rows.next()? {
            let child = key::read_remote(key);
            children.push(child.ok_or_else(|| damaged(Table::Remote, "its key is too short"))?);
        }
        Ok(children)
    }

    /// One child on another host, unless it is over.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn remote(&self, child: RemoteId) -> Result<Option<RemoteChild>, ReadError> {
        self.get(Table::Remote, &key::remote(child))
    }

    /// All deployed agents.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn agents(&self) -> Result<Vec<Agent>, ReadError> {
        self.all(Table::Agent)
    }

    /// All API keys, dead ones too. Read once, at start.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn api_keys(&self) -> Result<Vec<ApiKey>, ReadError> {
        self.all(Table::ApiKey)
    }

    /// One plugin.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn plugin(&self, digest: Digest) -> Result<Option<Plugin>, ReadError> {
        self.get(Table::Plugin, &key::digest(digest))
    }

    /// All plugins.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn plugins(&self) -> Result<Vec<Plugin>, ReadError> {
        self.all(Table::Plugin)
    }

    /// The bytes of a component.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn component(&self, digest: Digest) -> Result<Option<Vec<u8>>, ReadError> {
        self.row(Table::Component, &key::digest(digest))
    }

    /// How many tasks of an agent that have not ended hold which component.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn held(&self, agent: &AgentName) -> Result<Vec<(Digest, u64)>, ReadError> {
        let prefix = key::held_prefix(agent);
        let mut held = Vec::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Count, &prefix, &prefix)?;
        while let Some((key, value)) = rows.next()? {
            match read_count(value) {
                0 => {}
                count => held.push((held_digest(key)?, count)),
            }
        }
        Ok(held)
    }

    /// How many tasks that have not ended hold each component, whatever their agent.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn held_components(&self) -> Result<HashMap<Digest, u64>, ReadError> {
        let mut held = HashMap::new();
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Count, key::HELD, key::HELD)?;
        while let Some((key, value)) = rows.next()? {
            *held.entry(held_digest(key)?).or_default() += read_count(value);
        }
        Ok(held)
    }

    pub(crate) fn count(&self, key: &[u8]) -> Result<u64, ReadError> {
        let tables = self.tables()?;
        let stored = tables
            .db()
            .get_pinned_cf(tables.table(Table::Count)?, key)?;
        Ok(stored.map_or(0, |bytes| read_count(&bytes)))
    }

    fn all<T: DeserializeOwned>(&self, table: Table) -> Result<Vec<T>, ReadError> {
        let tables = self.tables()?;
        let rows = tables.db().iterator_cf(
            tables.table(table)?,
            IteratorMode::From(&[], Direction::Forward),
        );
        rows.map(|row| decode(table, &row?.1)).collect()
    }

    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<T>, ReadError> {
        let tables = self.tables()?;
        let stored = tables.db().get_pinned_cf(tables.table(table)?, key)?;
        stored.map(|bytes| decode(table, &bytes)).transpose()
    }

    pub(crate) fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.tables()?.row(table, key)
    }
}

impl Tables {
    pub(crate) fn row(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.db().get_cf(self.table(table)?, key)?)
    }

    /// The rows from `start` on whose keys begin with `prefix`.
    pub(crate) fn rows(
        &self,
        table: Table,
        start: &[u8],
        prefix: &[u8],
    ) -> Result<Rows<'_>, ReadError> {
        self.rows_before(table, start, end_of_prefix(prefix))
    }

    /// The rows from `start` on and before `end`.
    pub(crate) fn rows_before(
        &self,
        table: Table,
        start: &[u8],
        end: Option<Vec<u8>>,
    ) -> Result<Rows<'_>, ReadError> {
        let table = self.table(table)?;
        let iterator = self.db().raw_iterator_cf_opt(table, up_to(end));
        Ok(Rows::from(iterator, start))
    }

    pub(crate) fn table(&self, table: Table) -> Result<&ColumnFamily, ReadError> {
        let found = self.db().cf_handle(table.name());
        found.ok_or_else(|| damaged(table, "the table is missing"))
    }
}

/// How rows before `end` are read.
pub(crate) fn up_to(end: Option<Vec<u8>>) -> ReadOptions {
    let mut options = ReadOptions::default();
    if let Some(end) = end {
        // Keeps the iterator from walking over deleted rows after it.
        options.set_iterate_upper_bound(end);
    }
    options
}

/// The smallest key that is larger than all keys with `prefix`; `None` if there is none.
pub(crate) fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix.get(..=kept)?.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    Some(end)
}

/// A key and its value, as long as the next row is not asked for.
type Row<'a> = (&'a [u8], &'a [u8]);

/// Rows in key order.
pub(crate) struct Rows<'a> {
    iterator: DBRawIterator<'a>,
    begun: bool,
}

impl<'a> Rows<'a> {
    /// The rows of `iterator` from `start` on.
    pub(crate) fn from(mut iterator: DBRawIterator<'a>, start: &[u8]) -> Self {
        iterator.seek(start);
        Self {
            iterator,
            begun: false,
        }
    }

    /// The next row. Not an `Iterator`: rows are lent, not given.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        if self.begun {
            self.iterator.next();
        }
        self.begun = true;
        if !self.iterator.valid() {
            self.iterator.status()?;
            return Ok(None);
        }
        Ok(self.iterator.item())
    }
}

fn held_digest(key: &[u8]) -> Result<Digest, ReadError> {
    let digest = key.split_last_chunk::<32>();
    let digest = digest.map(|(_, digest)| Digest::from_bytes(*digest));
    digest.ok_or_else(|| damaged(Table::Count, "its key is too short"))
}

fn read_count(bytes: &[u8]) -> u64 {
    Number::from_row(bytes).0
}

pub(crate) fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, ReadError> {
    record::decode(bytes).map_err(|error: RecordError| damaged(table, &error.to_string()))
}

pub(crate) fn damaged(table: Table, reason: &str) -> ReadError {
    damage::found(table.name(), reason);
    ReadError::Record {
        table: table.name(),
        reason: reason.to_owned(),
    }
}

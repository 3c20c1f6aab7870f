//! Where commits are appended: the seam at which one host becomes a cluster.
//!
//! On one host the log is RocksDB itself: appending a group of commits and applying it is one write
//! batch, and what is kept of the log is the number of the last commit of each partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use rocksdb::{WriteBatch, WriteOptions};
use taskyard_task::{Commit, Partition};

use crate::apply::{Applier, ApplyError};
use crate::database::{Database, column};
use crate::key;
use crate::marker::{Acknowledged, Marker};
use crate::read::ReadError;
use crate::recovery;
use crate::table::Table;

/// A commit and the number that it is to get in its partition, from 1.
#[derive(Debug)]
pub struct Numbered {
    /// The number.
    pub number: u64,
    /// The commit.
    pub commit: Commit,
}

/// Why a group of commits was not, or perhaps not, appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A number is taken: somebody else appends to the partition. Nothing was appended.
    #[error("partition {partition:?} is at commit {last} already; another host appends to it")]
    Conflict {
        /// Which partition.
        partition: Partition,
        /// The last number that is taken.
        last: u64,
    },
    /// It is not known whether the group was appended; [`CommitLog::last`] may tell, if need be after
    /// [`CommitLog::recover`].
    #[error("{0}")]
    Unknown(String),
    /// The group can never be appended. Nothing was.
    #[error("{0}")]
    Impossible(String),
}

/// Why a log is not in order again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Something is short that may come back: room, files, memory. Nothing was touched.
    #[error("{0}")]
    Shortage(String),
    /// Nothing seems to be short, and it does not work all the same.
    #[error("{0}")]
    Unclear(String),
    /// It cannot be brought into order.
    #[error("{0}")]
    Final(String),
}

/// An ordered log of commits for each partition.
pub trait CommitLog: Send {
    /// Appends a group, whole or not at all, and returns once it is durable and applied.
    ///
    /// # Errors
    /// See [`AppendError`].
    fn append(&mut self, group: &[Numbered]) -> Result<(), AppendError>;

    /// The number of the last commit of `partition`, 0 if there is none; `None` if that cannot be told.
    fn last(&mut self, partition: Partition) -> Option<u64>;

    /// Brings the log back into order after something did not answer clearly. Afterwards
    /// [`CommitLog::last`] tells what was appended, for good: it counts only what is durable.
    ///
    /// # Errors
    /// See [`Trouble`].
    fn recover(&mut self) -> Result<(), Trouble>;
}

/// The log of a single host.
pub(crate) struct LocalLog {
    db: Arc<Database>,
    applier: Applier,
    write: WriteOptions,
    marker: Marker,
    acknowledged: Acknowledged,
    /// After a failed write, what the disk holds is anybody's guess until the database was opened again.
    failed: bool,
}

impl LocalLog {
    pub(crate) fn new(
        db: Arc<Database>,
        sync: bool,
        marker: Marker,
        acknowledged: Acknowledged,
    ) -> Self {
        let mut write = WriteOptions::default();
        write.set_sync(sync);
        Self {
            db,
            applier: Applier::default(),
            write,
            marker,
            acknowledged,
            failed: false,
        }
    }

    fn write(&mut self, group: &[Numbered]) -> Result<(), ApplyError> {
        let tables = self.db.tables()?;
        let mut batch = WriteBatch::default();
        let commits = group.iter().map(|numbered| &numbered.commit);
        self.applier.apply(tables.db(), &mut batch, commits)?;
        let meta = column(tables.db(), Table::Meta)?;
        let last = last_numbers(group);
        for (&partition, number) in &last {
            batch.put_cf(meta, key::last_commit(partition), number.to_be_bytes());
        }
        tables.db().write_opt(batch, &self.write)?;
        for (partition, number) in last {
            self.acknowledged.set(partition, number);
        }
        self.acknowledged.sequence = tables.db().latest_sequence_number();
        self.marker.write(&self.acknowledged);
        Ok(())
    }

    /// What was acknowledged must be there after the database was opened again.
    fn find_acknowledged(&mut self) -> Result<(), Trouble> {
        let unclear = |error: ReadError| Trouble::Unclear(error.to_string());
        let tables = self.db.tables().map_err(unclear)?;
        let found =
            recovery::found_in(tables.db()).map_err(|error| Trouble::Unclear(error.to_string()))?;
        match self.acknowledged.lost_in(&found) {
            0 => {
                self.acknowledged = found;
                self.marker.write(&self.acknowledged);
                Ok(())
            }
            lost => Err(Trouble::Final(format!(
                "{lost} acknowledged commits are no longer on the disk"
            ))),
        }
    }
}

/// The last commit of each partition in a group.
fn last_numbers(group: &[Numbered]) -> BTreeMap<Partition, u64> {
    let commits = group.iter();
    commits
        .map(|numbered| (numbered.commit.partition, numbered.number))
        .collect()
}

impl CommitLog for LocalLog {
    fn append(&mut self, group: &[Numbered]) -> Result<(), AppendError> {
        let written = self.write(group);
        self.failed |= written.is_err();
        written.map_err(|error| match error {
            ApplyError::Database(_) | ApplyError::Read(_) => {
                AppendError::Unknown(error.to_string())
            }
            ApplyError::Encode(_) | ApplyError::NoTable(_) => {
                AppendError::Impossible(error.to_string())
            }
        })
    }

    fn last(&mut self, partition: Partition) -> Option<u64> {
        if self.failed {
            return None;
        }
        let read = || {
            let tables = self.db.tables().ok()?;
            let meta = tables.db().cf_handle(Table::Meta.name())?;
            match tables.db().get_pinned_cf(meta, key::last_commit(partition)) {
                Ok(Some(bytes)) => Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?)),
                Ok(None) => Some(0),
                Err(_) => None,
            }
        };
        let last = read();
        self.failed |= last.is_none();
        last
    }

    fn recover(&mut self) -> Result<(), Trouble> {
        self.db.reopen()?;
        self.find_acknowledged()?;
        // Its counters are those of batches that may not have been written.
        self.applier = Applier::default();
        self.failed = false;
        Ok(())
    }
}

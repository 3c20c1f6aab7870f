//! Bringing a data folder of an older format forward, when it is opened.
//!
//! Rows that follow from others are made anew. The format's number is written last: after a crash in the
//! middle, all of it begins again.

use rocksdb::{ColumnFamily, DB, IteratorMode, WriteBatch};
use taskyard_task::Header;
use taskyard_task::commit::Remembered;

use crate::apply::{Applier, ApplyError, Rows};
use crate::key;
use crate::read::{ReadError, decode};
use crate::table::Table;

/// Records whose rows are written at once.
const MOST: usize = 1_024;

/// Why a folder cannot be brought forward.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl From<rocksdb::Error> for UpgradeError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Read(error.into())
    }
}

/// From format 2: lists have other rows, ended tasks have some at all, and so have the idempotency keys
/// of a task.
pub(crate) fn from_2(db: &DB) -> Result<(), UpgradeError> {
    tracing::info!("brings the data folder forward from format 2; this happens once");
    for table in [Table::Index, Table::Tally, Table::Ended, Table::TaskKey] {
        clear(db, table, &[u8::MAX; 9])?;
    }
    // Numbers of tasks in lists and of ended ones. What is behind them stays as it is.
    clear(db, Table::Count, &[key::STATE_COUNT])?;
    let tasks = list_tasks(db)?;
    let keys = list_keys(db)?;
    tracing::info!(tasks, keys, "brought the data folder forward to format 3");
    Ok(())
}

fn list_tasks(db: &DB) -> Result<usize, UpgradeError> {
    let mut applier = Applier::default();
    each_page(db, Table::Header, |rows, page| {
        for (_, value) in page {
            let header: Header = decode(Table::Header, value)?;
            applier.lists(rows, (None, Some(&header)))?;
        }
        Ok(applier.write_counts(rows)?)
    })
}

fn list_keys(db: &DB) -> Result<usize, UpgradeError> {
    each_page(db, Table::Idempotency, |rows, page| {
        for (key, value) in page {
            let remembered: Remembered = decode(Table::Idempotency, value)?;
            if let Some(key) = key::read_idempotency(key) {
                rows.put_raw(Table::TaskKey, &key::task_key(remembered.task, key), &[])?;
            }
        }
        Ok(())
    })
}

/// A key and its value.
type Record = (Box<[u8]>, Box<[u8]>);

/// Goes over a table, and writes what `derive` makes of each page of it. Tells how many records it has.
fn each_page(
    db: &DB,
    table: Table,
    mut derive: impl FnMut(&mut Rows<'_>, &[Record]) -> Result<(), UpgradeError>,
) -> Result<usize, UpgradeError> {
    let mut records = db.iterator_cf(column(db, table)?, IteratorMode::Start);
    let mut count = 0;
    loop {
        let page = records.by_ref().take(MOST).collect::<Result<Vec<_>, _>>()?;
        if page.is_empty() {
            return Ok(count);
        }
        let mut batch = WriteBatch::default();
        let mut rows = Rows {
            db,
            batch: &mut batch,
        };
        derive(&mut rows, &page)?;
        // Not synced: the number of the format, which comes after all of this, is.
        db.write(batch)?;
        count += page.len();
    }
}

/// Removes all rows before `end`.
fn clear(db: &DB, table: Table, end: &[u8]) -> Result<(), UpgradeError> {
    Ok(db.delete_range_cf(column(db, table)?, &[][..], end)?)
}

fn column(db: &DB, table: Table) -> Result<&ColumnFamily, ApplyError> {
    let found = db.cf_handle(table.name());
    found.ok_or(ApplyError::NoTable(table.name()))
}

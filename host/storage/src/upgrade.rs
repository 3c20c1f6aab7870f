//! Bringing a data folder of an older format forward, when it is opened.
//!
//! Rows that follow from others are made anew. The format's number is written last: after a crash in the
//! middle, all of it begins again.

use rocksdb::{DB, IteratorMode, WriteBatch};
use taskyard_task::commit::Remembered;
use taskyard_task::{Header, LightEntry, Outline};

use crate::apply::{Applier, ApplyError, Rows};
use crate::count::Counts;
use crate::database::column;
use crate::key;
use crate::read::{self, ReadError, damaged, decode, end_of_prefix, up_to};
use crate::table::Table;
use crate::usage::{Growth, Usage, length};

/// Records whose rows are written at once, and how many bytes of them: some hold all content of a task.
const MOST: usize = 1_024;
/// See [`MOST`].
const MOST_BYTES: usize = 4 << 20;

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

/// From an older format, one step after the other.
pub(crate) fn from(db: &DB, format: u32) -> Result<(), UpgradeError> {
    if format <= 2 {
        from_2(db)?;
    }
    if format <= 3 {
        from_3(db)?;
    }
    from_4(db)
}

/// From format 4: it was not counted what tasks and tenants keep.
fn from_4(db: &DB) -> Result<(), UpgradeError> {
    tracing::info!("brings the data folder forward from format 4; this happens once");
    clear(db, Table::Usage, &[u8::MAX; 9])?;
    let mut counts = Counts::<Usage>::default();
    for table in [Table::Log, Table::Content, Table::State] {
        each_page(db, table, |rows, page| {
            for (key, value) in page {
                if let Some((key, growth)) = kept(table, key, value) {
                    counts.change(rows, key, |usage| usage.add(growth))?;
                }
            }
            Ok(counts.write(rows)?)
        })?;
    }
    let tasks = each_page(db, Table::Header, |rows, page| {
        for (_, value) in page {
            let header: Header = decode(Table::Header, value)?;
            let task = key::usage_of_task(header.id);
            counts.change(rows, task.clone(), |usage| usage.tasks += 1)?;
            let growth = Growth::of(counts.current(rows, &task)?);
            let tenant = key::usage_of(&header.tenant);
            counts.change(rows, tenant, |usage| usage.add(growth))?;
        }
        Ok(counts.write(rows)?)
    })?;
    tracing::info!(tasks, "brought the data folder forward to format 5");
    Ok(())
}

/// Where a row is counted, and by how much.
fn kept(table: Table, key: &[u8], value: &[u8]) -> Option<(Vec<u8>, Growth)> {
    let (mut growth, bytes) = (Growth::default(), length(value));
    match table {
        Table::Log => growth.log = bytes,
        Table::Content => growth.content = bytes,
        _ => {
            growth.state = bytes;
            return Some((key::usage_of_state(key)?, growth));
        }
    }
    let task = key::Reader(key).task()?;
    Some((key::usage_of_task(task), growth))
}

/// From format 3: what the long log of an ended task amounts to had all content of its artifacts, and the
/// chunks of an artifact as one part. It becomes an outline.
fn from_3(db: &DB) -> Result<(), UpgradeError> {
    tracing::info!("brings the data folder forward from format 3; this happens once");
    let found = each_page(db, Table::Snapshot, |rows, page| {
        for (task, _) in page {
            if let Some(outline) = fold(db, task)? {
                rows.put(Table::Outline, task, &outline)?;
            }
        }
        Ok(())
    })?;
    clear(db, Table::Snapshot, &[u8::MAX; 17])?;
    list_replies(db)?;
    tracing::info!(
        snapshots = found,
        "brought the data folder forward to format 4"
    );
    Ok(())
}

/// What the log of a task amounts to.
fn fold(db: &DB, task: &[u8]) -> Result<Option<Outline>, UpgradeError> {
    let Some(header) = db.get_cf(column(db, Table::Header)?, task)? else {
        return Ok(None);
    };
    let header: Header = decode(Table::Header, &header)?;
    let mut outline = Outline::default();
    let options = up_to(end_of_prefix(task));
    let entries = db.raw_iterator_cf_opt(column(db, Table::Log)?, options);
    let mut entries = read::Rows::from(entries, task);
    while let Some((key, entry)) = entries.next()? {
        let seq =
            key::read_log_seq(key).ok_or_else(|| damaged(Table::Log, "its key is too short"))?;
        let entry = decode(Table::Log, entry)?;
        outline.apply(&header.rewound, seq, LightEntry::of(entry));
    }
    Ok(Some(outline))
}

/// From format 2: lists have other rows, ended tasks have some at all, and so have the idempotency keys
/// of a task.
fn from_2(db: &DB) -> Result<(), UpgradeError> {
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

/// Tasks that ended in a direct message were in no list until format 4.
fn list_replies(db: &DB) -> Result<usize, UpgradeError> {
    each_page(db, Table::Header, |rows, page| {
        for (_, value) in page {
            let header: Header = decode(Table::Header, value)?;
            if header.is_reply() {
                rows.put_raw(Table::Index, &key::reply(&header), &[])?;
            }
        }
        Ok(())
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
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < MOST
            && bytes < MOST_BYTES
            && let Some(record) = records.next()
        {
            let (key, value) = record?;
            bytes += value.len();
            page.push((key, value));
        }
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

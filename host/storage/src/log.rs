//! Reading logs: whole, without the content of artifacts, or only some entries.

use taskyard_task::{Entry, LightEntry, Outline, Seq, TaskId};

use crate::database::Tables;
use crate::key;
use crate::open::Storage;
use crate::read::{ReadError, damaged, decode};
use crate::record::{self, Logged};
use crate::table::Table;

/// What one page of a log may hold in memory: entries can be large, and readers are many. A stream whose client
/// reads nothing holds a page for as long.
const MAX_PAGE_BYTES: usize = 256 << 10;

impl Storage {
    /// At most `most` entries of a task's log behind `after`, in order; fewer if they are large, but
    /// none only if there is none.
    ///
    /// # Errors
    /// As all of these: [`ReadError`].
    pub fn log(
        &self,
        task: TaskId,
        after: Seq,
        most: usize,
    ) -> Result<Vec<(Seq, Entry)>, ReadError> {
        self.page(
            task,
            after,
            most,
            |tables, seq, logged, bytes| match logged {
                Logged::Whole(entry) => Ok(Some(entry)),
                Logged::Light(_) => with_content(tables, task, seq, bytes),
            },
        )
    }

    /// Like [`Storage::log`], without the content of artifacts that is worth leaving out.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn light_log(
        &self,
        task: TaskId,
        after: Seq,
        most: usize,
    ) -> Result<Vec<(Seq, LightEntry)>, ReadError> {
        self.page(task, after, most, |_, _, logged, _| {
            Ok(Some(match logged {
                Logged::Light(light) => light,
                // Until format 3, all entries had their content.
                Logged::Whole(entry) => LightEntry::of(entry),
            }))
        })
    }

    /// The first of these entries of a task's log, as many as have about `most_bytes` together, but at least
    /// one. Those that do not exist any more are left out.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entries(
        &self,
        task: TaskId,
        seqs: &[Seq],
        most_bytes: usize,
    ) -> Result<Vec<(Seq, Entry)>, ReadError> {
        let tables = self.tables()?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for seq in seqs {
            let Some(row) = tables.row(Table::Log, &key::log(task, *seq))? else {
                continue;
            };
            bytes += row.len();
            let entry = match decode_logged(&row)? {
                Logged::Whole(entry) => Some(entry),
                Logged::Light(_) => with_content(&tables, task, *seq, &mut bytes)?,
            };
            entries.extend(entry.map(|entry| (*seq, entry)));
            if bytes >= most_bytes {
                break;
            }
        }
        Ok(entries)
    }

    /// What the log of an ended task amounts to, if it left that.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn outline(&self, task: TaskId) -> Result<Option<Outline>, ReadError> {
        self.get(Table::Outline, &key::task(task))
    }

    /// A page of a log, each entry as `read` makes it, which may add to the bytes of the page. It ends where
    /// that finds nothing.
    fn page<T>(
        &self,
        task: TaskId,
        after: Seq,
        most: usize,
        read: impl Fn(&Tables, Seq, Logged, &mut usize) -> Result<Option<T>, ReadError>,
    ) -> Result<Vec<(Seq, T)>, ReadError> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let tables = self.tables()?;
        let mut rows = tables.rows(Table::Log, &key::log(task, after.next()), &key::task(task))?;
        while entries.len() < most
            && bytes < MAX_PAGE_BYTES
            && let Some((key, value)) = rows.next()?
        {
            let seq = key::read_log_seq(key);
            let seq = seq.ok_or_else(|| damaged(Table::Log, "its key is too short"))?;
            bytes += value.len();
            match read(&tables, seq, decode_logged(value)?, &mut bytes)? {
                Some(entry) => entries.push((seq, entry)),
                None => break,
            }
        }
        Ok(entries)
    }
}

/// An entry that the log has without its content. Adds the size of its record to `bytes`. Nothing if the task
/// was forgotten since the log was read.
fn with_content(
    tables: &Tables,
    task: TaskId,
    seq: Seq,
    bytes: &mut usize,
) -> Result<Option<Entry>, ReadError> {
    let key = key::log(task, seq);
    if let Some(row) = tables.row(Table::Content, &key)? {
        *bytes += row.len();
        return Ok(Some(decode(Table::Content, &row)?));
    }
    match tables.row(Table::Log, &key)? {
        Some(_) => Err(damaged(
            Table::Content,
            "the content of an entry is missing",
        )),
        None => Ok(None),
    }
}

fn decode_logged(bytes: &[u8]) -> Result<Logged, ReadError> {
    record::decode_logged(bytes).map_err(|error| damaged(Table::Log, &error.to_string()))
}

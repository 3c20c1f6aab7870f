//! The old database, read without writing anything to it, and around what cannot be read.

use std::fs;
use std::io;
use std::path::Path;

use rocksdb::{DB, DBRawIterator};

use super::DoctorError;
use super::finding::{Findings, Mending};
use super::place::Place;
use crate::database::{self, look, passing};
use crate::error::OpenError;
use crate::format::{self, FORMAT};
use crate::table::Table;

/// Bytes of a key that count when a readable one is looked for after a damaged place.
const KEY_BYTES: usize = 48;

/// A row, copied.
pub(super) type Row = (Vec<u8>, Vec<u8>);

pub(super) struct Source {
    db: DB,
    /// Whether it is the database itself, and not what could be put together of its files.
    pub(super) is_as_it_was: bool,
}

impl Source {
    /// Opens the database of a data folder. If it cannot be opened, that is told; to mend it, a copy is put
    /// together from those of its files that can be read.
    pub(super) fn open(
        data: &Path,
        place: &Place,
        mend: bool,
        findings: &mut Findings<'_>,
    ) -> Result<Option<Self>, OpenError> {
        let folder = data.join("db");
        let (db, is_as_it_was) = match look(&folder) {
            Ok(db) => (db, true),
            Err(error) => {
                let affects = "nothing can be read before it is mended".to_owned();
                findings.files("files", error.to_string(), affects);
                if !mend {
                    return Ok(None);
                }
                let copy = place.copy();
                put_together(&folder, &copy)
                    .map_err(|error| OpenError::system(data, &copy, error))?
                    .map_err(|error| OpenError::database(data, &error))?;
                let copied = look(&copy).map_err(|error| OpenError::database(data, &error))?;
                (copied, false)
            }
        };
        let format = format::number(&db);
        match format.map_err(|error| OpenError::database(data, &error))? {
            // One that cannot be read is told with its row.
            None | Some(FORMAT) => Ok(Some(Self { db, is_as_it_was })),
            Some(found) if found > FORMAT => Err(OpenError::NewerFormat {
                folder: data.to_owned(),
                found,
                known: FORMAT,
            }),
            Some(found) => Err(OpenError::Other {
                folder: data.to_owned(),
                reason: format!(
                    "it has format {found}; `taskyard serve` brings it forward to {FORMAT}, and the doctor knows only that"
                ),
            }),
        }
    }

    pub(super) fn db(&self) -> &DB {
        &self.db
    }

    pub(super) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, DoctorError> {
        let Some(table) = self.db.cf_handle(table.name()) else {
            return Ok(None);
        };
        // What cannot be read was told where its table was walked through, or will be.
        Ok(self.db.get_cf(table, key).unwrap_or_default())
    }

    /// All rows of a table, in their order.
    pub(super) fn walk(&self, table: Table, findings: &mut Findings<'_>) -> Walk<'_> {
        walk(&self.db, table, findings)
    }
}

/// All rows of a table of a database.
pub(super) fn walk<'a>(db: &'a DB, table: Table, findings: &mut Findings<'_>) -> Walk<'a> {
    let rows = db.cf_handle(table.name());
    if rows.is_none() {
        let what = "the table is missing".to_owned();
        let affects = "all that is in it".to_owned();
        findings.row(table, b"", (what, affects), Mending::MadeAnew);
    }
    Walk {
        table,
        rows: rows.map(|rows| db.raw_iterator_cf_opt(rows, passing())),
        last: None,
    }
}

/// Puts a database together from the files of another. Tables are linked: nobody changes those.
fn put_together(folder: &Path, copy: &Path) -> io::Result<Result<(), rocksdb::Error>> {
    fs::create_dir(copy)?;
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        let Some(name) = file.file_name().filter(|_| file.is_file()) else {
            continue;
        };
        match file.extension().is_some_and(|is| is == "sst") {
            true => fs::hard_link(&file, copy.join(name))?,
            false => fs::copy(&file, copy.join(name)).map(drop)?,
        }
    }
    Ok(DB::repair(&database::options(None), copy))
}

/// Goes through a table.
pub(super) struct Walk<'a> {
    table: Table,
    rows: Option<DBRawIterator<'a>>,
    last: Option<Vec<u8>>,
}

impl Walk<'_> {
    /// The next row that can be read.
    pub(super) fn next(&mut self, findings: &mut Findings<'_>) -> Option<Row> {
        let rows = self.rows.as_mut()?;
        match self.last {
            None => rows.seek_to_first(),
            Some(_) => rows.next(),
        }
        loop {
            if let Some((key, value)) = rows.item() {
                self.last = Some(key.to_vec());
                findings.rows += 1;
                return Some((key.to_vec(), value.to_vec()));
            }
            let Err(error) = rows.status() else {
                return None;
            };
            let from = self.last.clone().unwrap_or_default();
            let what = format!("what comes after it cannot be read: {error}");
            let goes_on = pass(rows, &from);
            let affects = match rows.key().filter(|_| goes_on) {
                Some(key) => format!("all rows before {}", super::named::key(self.table, key)),
                None => "all rows to the end of the table".to_owned(),
            };
            findings.row(self.table, &from, (what, affects), Mending::LeftOut);
            if !goes_on {
                self.rows = None;
                return None;
            }
        }
    }
}

/// Goes to the first key after `from` that can be read; tells whether there is one, or the end of the table.
/// Where a damaged block ends is not known, so it looks in growing steps, and then more closely.
fn pass(rows: &mut DBRawIterator<'_>, from: &[u8]) -> bool {
    let mut bad = [0; KEY_BYTES];
    for (to, byte) in bad.iter_mut().zip(from) {
        *to = *byte;
    }
    let mut reads = |key: &[u8]| {
        rows.seek(key);
        rows.valid() || rows.status().is_ok()
    };
    let bits = KEY_BYTES * 8;
    let found = (0..bits).find_map(|bit| {
        let key = plus(bad, bit)?;
        reads(&key).then_some((bit, key))
    });
    let Some((bit, mut good)) = found else {
        return false;
    };
    for bit in (0..bit).rev() {
        let Some(key) = plus(bad, bit) else {
            continue;
        };
        match reads(&key) {
            true => good = key,
            false => bad = key,
        }
    }
    reads(&good)
}

/// A key as a number, and two to the power of `bit`. Nothing if there is no such key.
fn plus(mut key: [u8; KEY_BYTES], bit: usize) -> Option<[u8; KEY_BYTES]> {
    let mut carry = 1_u16 << (bit % 8);
    for byte in key.iter_mut().rev().skip(bit / 8) {
        let sum = u16::from(*byte) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
        if carry == 0 {
            return Some(key);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_added_to_like_numbers() {
        let mut key = [0; KEY_BYTES];
        key[KEY_BYTES - 1] = 0xff;
        let next = plus(key, 0).unwrap();
        assert_eq!(next[KEY_BYTES - 2..], [1, 0]);
        assert_eq!(plus(key, 12).unwrap()[KEY_BYTES - 2..], [0x10, 0xff]);
        assert_eq!(plus([0xff; KEY_BYTES], 0), None);
    }
}

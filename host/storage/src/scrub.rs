//! Reads everything that is stored, so that damage is heard of before somebody needs what is damaged.
//!
//! The database checks the checksum of each block that it reads, and tells of a wrong one only then.

use rocksdb::DB;

use crate::damage;
use crate::database::passing;
use crate::open::Storage;
use crate::read::ReadError;
use crate::table::Table;

/// Tables up to this size are read before the host is ready: together they take a fraction of a second.
const SMALL_BYTES: u64 = 4 << 20;

/// How far a pass over everything has come.
#[derive(Debug, Default)]
pub struct Scrub {
    /// How many tables it is done with.
    done: usize,
    /// Where it goes on in the next one; at its first row if nothing is said.
    from: Option<Vec<u8>>,
    /// In how many tables there is damage.
    damaged: usize,
}

impl Storage {
    /// Reads on, about so many bytes; false at the end of the pass. Damage is told as any other.
    ///
    /// # Errors
    /// If the database is closed; it goes on another time.
    pub fn scrub(&self, scrub: &mut Scrub, bytes: usize) -> Result<bool, ReadError> {
        let tables = self.tables()?;
        Ok(scrub.go_on(tables.db(), bytes))
    }
}

impl Scrub {
    /// In how many tables there is damage, so far.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.damaged
    }

    fn go_on(&mut self, db: &DB, bytes: usize) -> bool {
        let Some(table) = Table::ALL.get(self.done) else {
            return false;
        };
        self.from = self.read(db, *table, bytes);
        if self.from.is_none() {
            self.done += 1;
        }
        true
    }

    /// Reads about so many bytes of a table; tells where the next row is. What comes after damage is left out.
    fn read(&mut self, db: &DB, table: Table, bytes: usize) -> Option<Vec<u8>> {
        let read = read(db, table, self.from.take(), bytes);
        read.unwrap_or_else(|error| {
            damage::found(table.name(), error.as_ref());
            self.damaged += 1;
            None
        })
    }
}

/// Reads the tables that are small; tells how many are damaged.
pub(crate) fn small_tables(db: &DB) -> usize {
    let mut scrub = Scrub::default();
    for table in Table::ALL {
        let size = db.cf_handle(table.name()).map(|family| {
            let size = rocksdb::properties::TOTAL_SST_FILES_SIZE;
            db.property_int_value_cf(family, size)
        });
        if let Some(Ok(Some(..=SMALL_BYTES))) = size {
            scrub.read(db, table, usize::MAX);
        }
    }
    scrub.damaged
}

fn read(
    db: &DB,
    table: Table,
    from: Option<Vec<u8>>,
    bytes: usize,
) -> Result<Option<Vec<u8>>, rocksdb::Error> {
    let Some(family) = db.cf_handle(table.name()) else {
        return Ok(None);
    };
    let mut rows = db.raw_iterator_cf_opt(family, passing());
    match from {
        Some(key) => rows.seek(key),
        None => rows.seek_to_first(),
    }
    let mut read = 0_usize;
    while let Some((key, value)) = rows.item() {
        if read >= bytes {
            return Ok(Some(key.to_vec()));
        }
        read = read.saturating_add(key.len() + value.len());
        rows.next();
    }
    rows.status().map(|()| None)
}

//! The new database: what records are is copied, and what follows from them is derived.

use rocksdb::{DB, WriteBatch};
use taskyard_task::{Header, TaskId, Tenant};

use super::DoctorError;
use super::place::Place;
use crate::apply::{Applier, Rows};
use crate::database;
use crate::error::OpenError;
use crate::key;
use crate::marker::{self, Acknowledged, Marker};
use crate::read::decode;
use crate::recovery;
use crate::table::Table;
use crate::usage::Growth;

/// Bytes that are written at once.
const BATCH_BYTES: usize = 1 << 20;
/// Files of its tables that are open at once.
const MOST_FILES: u32 = 128;

pub(super) struct Target {
    db: DB,
    batch: WriteBatch,
    applier: Applier,
    /// Whether it is to take the old one's place, and so needs what is large as well.
    pub(super) is_whole: bool,
}

impl Target {
    pub(super) fn open(place: &Place, is_whole: bool) -> Result<Self, OpenError> {
        let folder = place.database();
        let db = database::open_tables(&folder, Some(MOST_FILES));
        Ok(Self {
            db: db.map_err(|error| OpenError::database(&folder, &error))?,
            batch: WriteBatch::default(),
            applier: Applier::default(),
            is_whole,
        })
    }

    pub(super) fn db(&self) -> &DB {
        &self.db
    }

    fn rows(&mut self) -> (Rows<'_>, &mut Applier) {
        let rows = Rows {
            db: &self.db,
            batch: &mut self.batch,
        };
        (rows, &mut self.applier)
    }

    /// Whether a row has been written.
    pub(super) fn has(&self, table: Table, key: &[u8]) -> Result<bool, DoctorError> {
        let table = database::column(&self.db, table)?;
        Ok(self.db.get_pinned_cf(table, key)?.is_some())
    }

    /// The header of a task that is whole.
    pub(super) fn header(&self, task: TaskId) -> Result<Option<Header>, DoctorError> {
        let table = database::column(&self.db, Table::Header)?;
        let row = self.db.get_pinned_cf(table, key::task(task))?;
        Ok(row.map(|row| decode(Table::Header, &row)).transpose()?)
    }

    /// Copies a row.
    pub(super) fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), DoctorError> {
        self.rows().0.put_raw(table, key, value)?;
        self.write_if_full()
    }

    /// Writes a header and all that follows from it.
    pub(super) fn task(&mut self, header: &Header, growth: Growth) -> Result<(), DoctorError> {
        let (mut rows, applier) = self.rows();
        applier.derive(&mut rows, (None, Some(header)))?;
        rows.parked(None, header)?;
        applier.grow(&rows, header.id, Some(&header.tenant), growth)?;
        self.write_if_full()
    }

    /// Counts a row of state: with its place, and with whom it belongs to.
    pub(super) fn state(
        &mut self,
        place: &[u8],
        owner: (Option<TaskId>, &Tenant),
        bytes: i64,
    ) -> Result<(), DoctorError> {
        let (rows, applier) = self.rows();
        let count = key::state_count_of(place);
        applier.counts.change(&rows, count, |count| count.add(1))?;
        let growth = Growth {
            state: bytes,
            ..Growth::default()
        };
        match owner {
            (Some(task), tenant) => applier.grow(&rows, task, Some(tenant), growth)?,
            (None, tenant) => {
                let key = key::usage_of(tenant);
                let usages = &mut applier.usages.counts;
                usages.change(&rows, key, |usage| usage.add(growth))?;
            }
        }
        self.write_if_full()
    }

    fn write_if_full(&mut self) -> Result<(), DoctorError> {
        match self.batch.size_in_bytes() < BATCH_BYTES {
            true => Ok(()),
            false => self.write(),
        }
    }

    /// Writes what was not written yet, so that it can be read.
    pub(super) fn write(&mut self) -> Result<(), DoctorError> {
        let (mut rows, applier) = self.rows();
        applier.write_counts(&mut rows)?;
        self.db.write(std::mem::take(&mut self.batch))?;
        Ok(())
    }

    /// Ends the work. If the database is to be used, all of it is on the disk then.
    pub(super) fn close(mut self) -> Result<Acknowledged, DoctorError> {
        self.write()?;
        if self.is_whole {
            for table in Table::ALL {
                self.db.flush_cf(database::column(&self.db, table)?)?;
            }
        }
        Ok(recovery::found_in(&self.db)?)
    }
}

/// The marker says what the new database has, from now on. Written before it takes the old one's place: that
/// one has not less.
pub(super) fn mark(data: &std::path::Path, found: &Acknowledged) -> Result<(), OpenError> {
    let path = marker::path(data);
    let system = |error| OpenError::system(data, &path, error);
    let (turn, _) = marker::read(data).map_err(system)?.into_told();
    let told = Acknowledged {
        // It counts other writes than the old one.
        sequence: 0,
        ..found.clone()
    };
    Marker::start(data, turn, &told).map_err(system).map(drop)
}

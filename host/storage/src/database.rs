//! The database of a data folder: opened, closed and opened again while the host runs.
//!
//! Readers take [`Tables`], the database as it is open now, for as long as one question lasts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, Env,
    ErrorKind, Options, ReadOptions,
};

use crate::apply::ApplyError;
use crate::commit_log::Trouble;
use crate::error::OpenError;
use crate::read::ReadError;
use crate::shortage;
use crate::space::{self, Space};
use crate::table::Table;

/// Memory for blocks that were read lately; the rest is left to the operating system's cache.
const BLOCK_CACHE_BYTES: usize = 8 << 20;
/// Memory for rows that are not yet in sorted files, over all tables. More would make fewer files and
/// a larger process.
const WRITE_BUFFERS_BYTES: usize = 16 << 20;
/// The write-ahead log is cut at this size by flushing the tables that hold it back: bounds both the
/// disk that it takes and the time that a restart needs to read it.
const MAX_WAL_BYTES: u64 = 256 << 20;

/// A file in which this many of so many rows in a row are deletions is rewritten without them soon.
const DENSE_DELETIONS: usize = 512;
/// See [`DENSE_DELETIONS`].
const DENSE_WINDOW: usize = 1_024;

/// Files that an open database needs besides what it has: for a flush and a compaction.
const FILES: usize = 8;
/// Files that opening it takes: its logs and notes, and the first tables.
const FILES_OF_OPENING: usize = 64;

/// How long closing waits for those who read. Each answers one question, which takes far less.
const READERS_TIMEOUT: Duration = Duration::from_secs(5);
/// How often closing looks whether the last of them is done.
const READERS_PAUSE: Duration = Duration::from_millis(1);

/// The database of a data folder.
pub(crate) struct Database {
    folder: PathBuf,
    max_open_files: Option<u32>,
    /// Nothing while it could not be opened again.
    current: RwLock<Option<Arc<DB>>>,
}

/// The database as it is open now. Whoever has it keeps it from being closed, so it is had for one question.
pub struct Tables(Arc<DB>);

impl Tables {
    pub(crate) fn db(&self) -> &DB {
        &self.0
    }
}

impl Database {
    /// Opens the database in `folder`, which exists.
    pub(crate) fn open(folder: &Path, max_open_files: Option<u32>) -> Result<Self, OpenError> {
        let opened = open_tables(folder, max_open_files);
        let opened = opened.map_err(|error| OpenError::database(folder, &error))?;
        Ok(Self {
            folder: folder.to_owned(),
            max_open_files,
            current: RwLock::new(Some(Arc::new(opened))),
        })
    }

    /// How much room the database takes, and how much the file system has left.
    pub(crate) fn space(&self) -> std::io::Result<Space> {
        space::measure(&self.folder)
    }

    /// The tables. Waits while the database is being opened again.
    ///
    /// IMPORTANT: whoever has them must not ask for them once more: closing waits for the first, and would
    /// keep the second waiting.
    pub(crate) fn tables(&self) -> Result<Tables, ReadError> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone().map(Tables).ok_or(ReadError::Closed)
    }

    /// Closes the database and opens it again, if the system looks as if that could work. Afterwards it has
    /// what is on the disk, and nothing else: opening it reads its write-ahead log, writes what is in there
    /// to new files and syncs those. So it does not matter any more which write or sync had failed.
    pub(crate) fn reopen(&self) -> Result<(), Trouble> {
        // Before anything is closed, so that readers go on while there is no point in it.
        self.look()?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = current.take()
            && let Err(used) = close(open)
        {
            *current = Some(used);
            return Err(Trouble::Unclear("somebody reads for too long".to_owned()));
        }
        match open_tables(&self.folder, self.max_open_files) {
            Ok(database) => {
                *current = Some(Arc::new(database));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Corruption => {
                Err(Trouble::Final(error.to_string()))
            }
            Err(error) => Err(Trouble::Unclear(error.to_string())),
        }
    }
}

impl Database {
    /// Whether the system looks as if the database could be opened and written.
    fn look(&self) -> Result<(), Trouble> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let files = match current.is_some() {
            true => FILES,
            false => FILES_OF_OPENING,
        };
        drop(current);
        let looked = shortage::probe(&self.folder, files, WRITE_BUFFERS_BYTES as u64);
        looked.map_err(|error| match shortage::passes(&error) {
            true => Trouble::Shortage(error.to_string()),
            false => Trouble::Final(error.to_string()),
        })
    }
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Closes a database once nobody reads from it any more; gives it back if somebody does not end.
#[expect(
    clippy::disallowed_methods,
    reason = "on a thread of its own, and the only event there is would cost every reader"
)]
fn close(mut database: Arc<DB>) -> Result<(), Arc<DB>> {
    let mut waited = Duration::ZERO;
    loop {
        match Arc::try_unwrap(database) {
            Ok(database) => {
                drop(database);
                return Ok(());
            }
            Err(used) if waited >= READERS_TIMEOUT => return Err(used),
            Err(used) => database = used,
        }
        std::thread::sleep(READERS_PAUSE);
        waited += READERS_PAUSE;
    }
}

/// Opens the database in `folder`, with all of its tables.
pub(crate) fn open_tables(
    folder: &Path,
    max_open_files: Option<u32>,
) -> Result<DB, rocksdb::Error> {
    let mut options = options(max_open_files);
    options.set_env(&patient_compactions()?);
    let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
    let tables = Table::ALL
        .map(|table| ColumnFamilyDescriptor::new(table.name(), table_options(table, &cache)));
    DB::open_cf_descriptors(&options, folder, tables)
}

/// How the database is kept, whatever is in it.
pub(crate) fn options(max_open_files: Option<u32>) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_total_wal_size(MAX_WAL_BYTES);
    // A log that is gone is missed, not taken for one that never was.
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(4);
    if let Some(most) = max_open_files {
        options.set_max_open_files(i32::try_from(most).unwrap_or(i32::MAX));
    }
    options
}

/// A table of a database.
pub(crate) fn column(db: &DB, table: Table) -> Result<&ColumnFamily, ApplyError> {
    let found = db.cf_handle(table.name());
    found.ok_or(ApplyError::NoTable(table.name()))
}

/// Compactions take the processor time that nobody else wants: clients only wait for one if many are due.
fn patient_compactions() -> Result<Env, rocksdb::Error> {
    let mut env = Env::new()?;
    env.lower_thread_pool_cpu_priority();
    Ok(env)
}

/// How a database is looked at without opening it for writing.
pub(crate) fn looking() -> Options {
    let mut options = Options::default();
    // IMPORTANT: as the host has it. RocksDB would note that logs are not tracked any more, and crashes where it
    // may not write.
    options.set_track_and_verify_wals_in_manifest(true);
    options
}

/// Opens all tables of a database without writing anything, so one whose end is damaged is found now.
pub(crate) fn look(folder: &Path) -> Result<DB, rocksdb::Error> {
    let options = looking();
    let tables = DB::list_cf(&options, folder)?;
    DB::open_cf_for_read_only(&options, folder, tables, false)
}

/// How everything is read once: checked, and without taking the place in memory of what clients read lately.
pub(crate) fn passing() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options.fill_cache(false);
    options
}

fn table_options(table: Table, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    // Point look-ups of tasks that do not exist read nothing.
    blocks.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    // Tasks move through lists, timers and queues, and leave deleted rows behind. Whoever reads the first
    // rows of these tables again and again must not walk over many that are gone.
    if let Table::Index
    | Table::Timer
    | Table::Ended
    | Table::Letter
    | Table::Outbox
    | Table::StateExpiry
    | Table::Parked = table
    {
        options.add_compact_on_deletion_collector_factory(DENSE_WINDOW, DENSE_DELETIONS, 0.0);
    }
    options
}

//! Opening a data folder, and the handle to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, Env, Options,
    WriteOptions,
};

use crate::commit_log::{CommitLog, LocalLog, Numbered};
use crate::committer::{Committer, Failed, Reservation};
use crate::error::OpenError;
use crate::key;
use crate::table::Table;
use crate::upgrade;

/// The format that this version writes.
const FORMAT: u32 = 3;
/// The oldest format that it reads, and brings forward. Format 1 belongs to the worker world 0.1, whose components do not link.
const OLDEST_FORMAT: u32 = 2;

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

/// How data is stored.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder; made if it does not exist.
    pub folder: PathBuf,
    /// Whether commits wait for the disk. Without it, a power failure can take back what clients saw.
    pub sync: bool,
}

/// The handle to a data folder. Cheap to clone. The last clone to be dropped writes what was handed
/// over and closes the folder.
#[derive(Clone)]
pub struct Storage {
    // IMPORTANT: dropped before the database, so that what is queued still finds it.
    committer: Arc<Committer>,
    pub(crate) db: Arc<DB>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage")
            .field("path", &self.db.path())
            .finish_non_exhaustive()
    }
}

impl Storage {
    /// Opens a data folder. `on_applied` is called with each group of commits once it is durable, in
    /// order, from the committer's thread: it must be quick.
    ///
    /// # Errors
    /// [`OpenError`], for the operator.
    pub fn open(
        config: &Config,
        on_applied: impl Fn(&[Numbered]) + Send + 'static,
    ) -> Result<Self, OpenError> {
        Self::open_with_log(config, on_applied, |log| log)
    }

    /// Like [`Storage::open`], with something around the log of commits, such as one that fails.
    ///
    /// # Errors
    /// [`OpenError`], for the operator.
    pub fn open_with_log<L: CommitLog + 'static>(
        config: &Config,
        on_applied: impl Fn(&[Numbered]) + Send + 'static,
        around: impl FnOnce(Box<dyn CommitLog>) -> L,
    ) -> Result<Self, OpenError> {
        let folder = config.folder.join("db");
        let other = |reason: String| OpenError::Other {
            folder: folder.clone(),
            reason,
        };
        std::fs::create_dir_all(&folder).map_err(|error| other(error.to_string()))?;
        let db = Arc::new(open_database(&folder)?);
        check_format(&db, &folder)?;
        let log = around(Box::new(LocalLog::new(Arc::clone(&db), config.sync)));
        let committer = Committer::start(log, Box::new(on_applied));
        Ok(Self {
            committer: Arc::new(committer.map_err(|error| other(error.to_string()))?),
            db,
        })
    }

    /// Waits for a place in the committer's queue for a commit of about `bytes`.
    ///
    /// # Errors
    /// [`Failed`] once the disk cannot be written any more.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation<'_>, Failed> {
        self.committer.reserve(bytes).await
    }

    /// Why nothing can be written any more, if so.
    #[must_use]
    pub fn failed(&self) -> Option<Failed> {
        self.committer.failed()
    }
}

impl CommitLog for Box<dyn CommitLog> {
    fn append(&mut self, group: &[Numbered]) -> Result<(), crate::AppendError> {
        self.as_mut().append(group)
    }

    fn last(&mut self, partition: taskyard_task::Partition) -> Option<u64> {
        self.as_mut().last(partition)
    }
}

fn open_database(folder: &Path) -> Result<DB, OpenError> {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_total_wal_size(MAX_WAL_BYTES);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(4);
    options.set_env(&patient_compactions().map_err(|error| open_error(folder, &error))?);
    let cache = Cache::new_lru_cache(BLOCK_CACHE_BYTES);
    let tables = Table::ALL
        .map(|table| ColumnFamilyDescriptor::new(table.name(), table_options(table, &cache)));
    DB::open_cf_descriptors(&options, folder, tables).map_err(|error| open_error(folder, &error))
}

/// Compactions take the processor time that nobody else wants: clients only wait for one if many are due.
fn patient_compactions() -> Result<Env, rocksdb::Error> {
    let mut env = Env::new()?;
    env.lower_thread_pool_cpu_priority();
    Ok(env)
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
    if let Table::Index | Table::Timer | Table::Ended | Table::Letter = table {
        options.add_compact_on_deletion_collector_factory(DENSE_WINDOW, DENSE_DELETIONS, 0.0);
    }
    options
}

fn open_error(folder: &Path, error: &rocksdb::Error) -> OpenError {
    let reason = error.to_string();
    // RocksDB reports its lock file as an ordinary input/output error.
    if reason.contains("LOCK") || reason.contains("lock hold by") {
        OpenError::InUse(folder.to_owned())
    } else {
        OpenError::Other {
            folder: folder.to_owned(),
            reason,
        }
    }
}

fn check_format(db: &DB, folder: &Path) -> Result<(), OpenError> {
    let other = |reason: String| OpenError::Other {
        folder: folder.to_owned(),
        reason,
    };
    let meta = db.cf_handle(Table::Meta.name());
    let meta = meta.ok_or_else(|| other("the table of the host's facts is missing".to_owned()))?;
    let stored = db
        .get_cf(meta, key::FORMAT)
        .map_err(|error| other(error.to_string()))?;
    let found = stored.map(|bytes| <[u8; 4]>::try_from(bytes.as_slice()).map(u32::from_be_bytes));
    match found {
        None => write_format(db).map_err(other),
        Some(Ok(found)) if found < OLDEST_FORMAT => Err(OpenError::OlderFormat {
            folder: folder.to_owned(),
            found,
            known: OLDEST_FORMAT,
        }),
        Some(Ok(FORMAT)) => Ok(()),
        Some(Ok(found)) if found < FORMAT => {
            upgrade::from_2(db).map_err(|error| other(error.to_string()))?;
            write_format(db).map_err(other)
        }
        Some(Ok(found)) => Err(OpenError::NewerFormat {
            folder: folder.to_owned(),
            found,
            known: FORMAT,
        }),
        Some(Err(_)) => Err(other("its format cannot be read".to_owned())),
    }
}

fn write_format(db: &DB) -> Result<(), String> {
    let meta = db.cf_handle(Table::Meta.name());
    let meta = meta.ok_or("the table of the host's facts is missing")?;
    let mut write = WriteOptions::default();
    write.set_sync(true);
    db.put_cf_opt(meta, key::FORMAT, FORMAT.to_be_bytes(), &write)
        .map_err(|error| error.to_string())
}

//! Opening a data folder, and the handle to it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::claim::Claim;
use crate::commit_log::{CommitLog, LocalLog, Numbered, Trouble};
use crate::committer::{Committer, Failed, Reservation};
use crate::damage;
use crate::database::{Database, Tables};
use crate::error::OpenError;
use crate::format;
use crate::health::Health;
use crate::read::ReadError;
use crate::recovery;
use crate::scrub;
use crate::space::Space;

/// How data is stored.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder; made if it does not exist.
    pub folder: PathBuf,
    /// Whether commits wait for the disk. Without it, a power failure can take back what clients saw.
    pub sync: bool,
    /// Files of the tables that may be open at once; all of them if nothing is said.
    pub max_open_files: Option<u32>,
    /// Whether a damaged folder is opened without what cannot be read, instead of being refused.
    pub accept_data_loss: bool,
}

/// The handle to a data folder. Cheap to clone. The last clone to be dropped writes what was handed
/// over and closes the folder.
#[derive(Clone)]
pub struct Storage {
    // IMPORTANT: dropped before the database, so that what is queued still finds it.
    committer: Arc<Committer>,
    pub(crate) db: Arc<Database>,
    _claim: Arc<Claim>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage")
            .field("db", &self.db)
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
        let claim = Claim::take(&config.folder)?;
        damage::start();
        let folder = config.folder.join("db");
        std::fs::create_dir_all(&folder)
            .map_err(|error| OpenError::system(&config.folder, &folder, error))?;
        let expected = recovery::check(config, &folder)?;
        // Opening the database changes the folder, and that of a newer host is not ours to change.
        format::check_unopened(&folder)?;
        let db = Database::open(&folder, config.max_open_files)?;
        let db = Arc::new(db);
        let other = |reason: String| OpenError::Other {
            folder: folder.clone(),
            reason,
        };
        let tables = db
            .tables()
            .map_err(|error| OpenError::reading(&config.folder, &error))?;
        let found = expected.compare(config, tables.db())?;
        format::bring_forward(tables.db(), &folder)?;
        scrub::small_tables(tables.db());
        drop(tables);
        let marker = expected.marker(&config.folder, &found)?;
        let log = LocalLog::new(Arc::clone(&db), config.sync, marker, found);
        let log = around(Box::new(log));
        let committer = Committer::start(log, Box::new(on_applied));
        Ok(Self {
            committer: Arc::new(committer.map_err(|error| other(error.to_string()))?),
            db,
            _claim: Arc::new(claim),
        })
    }

    /// The tables as they are open now, for one question. Waits while the database is being opened again;
    /// whoever has them must not ask for them once more.
    ///
    /// # Errors
    /// [`ReadError::Closed`] if it could not be opened again so far.
    pub fn tables(&self) -> Result<Tables, ReadError> {
        self.db.tables()
    }

    /// Waits for a place in the committer's queue for a commit of about `bytes`.
    ///
    /// # Errors
    /// [`Failed`] once the disk cannot be written any more.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation<'_>, Failed> {
        self.committer.reserve(bytes).await
    }

    /// Waits for a place in the committer's queue for what has its [`ReservedBytes`](crate::ReservedBytes) already.
    ///
    /// # Errors
    /// As [`Storage::reserve`].
    pub async fn reserve_place(&self) -> Result<Reservation<'_>, Failed> {
        self.committer.reserve_place().await
    }

    /// How much room the database takes, and how much the file system has left. Asks the system, which may
    /// take as long as the disk does.
    ///
    /// # Errors
    /// What the system says.
    pub fn space(&self) -> std::io::Result<Space> {
        self.db.space()
    }

    /// Whether anything can be written, now.
    #[must_use]
    pub fn health(&self) -> Health {
        self.committer.health()
    }

    /// How long the oldest commit waits that is not durable yet.
    #[must_use]
    pub fn oldest_waiting(&self) -> std::time::Duration {
        self.committer.oldest_waiting()
    }

    /// Whether something in the folder could not be read since the process started.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        damage::is_found()
    }

    /// Why nothing will be written any more, if so.
    #[must_use]
    pub fn failed(&self) -> Option<Failed> {
        match self.health() {
            Health::Failed(failed) => Some(failed),
            Health::Writable | Health::Waiting { .. } => None,
        }
    }

    /// Resolves once nothing can be written: at once during a shortage, and for good after a failure. For
    /// those who need an answer rather than their turn.
    pub async fn trouble(&self) -> Failed {
        self.committer.trouble().await
    }
}

impl CommitLog for Box<dyn CommitLog> {
    fn append(&mut self, group: &[Numbered]) -> Result<(), crate::AppendError> {
        self.as_mut().append(group)
    }

    fn last(&mut self, partition: taskyard_task::Partition) -> Option<u64> {
        self.as_mut().last(partition)
    }

    fn recover(&mut self) -> Result<(), Trouble> {
        self.as_mut().recover()
    }
}

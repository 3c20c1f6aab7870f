//! The format of a data folder: which one it has, whether this version knows it, and bringing it forward.
//!
//! Opening the database changes its files, so the format is first read without opening it for writing.

use std::path::Path;

use rocksdb::{DB, DEFAULT_COLUMN_FAMILY_NAME, WriteOptions};
use serde::Serialize;

use crate::claim::Claim;
use crate::database::looking;
use crate::error::OpenError;
use crate::key;
use crate::open::{Config, Storage};
use crate::recovery;
use crate::table::Table;
use crate::upgrade;

/// The format that this version writes.
pub(crate) const FORMAT: u32 = 5;
/// The oldest format that it reads, and brings forward. Format 1 belongs to the worker world 0.1, whose components do not link.
const OLDEST_FORMAT: u32 = 2;
/// Files that may be open while the format is read.
const FILES: i32 = 16;

/// What opening a data folder would do to its format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpgradePlan {
    /// The format that the folder has; nothing if there is no database in it yet.
    pub found: Option<u32>,
    /// The format that this version writes.
    pub current: u32,
    /// The formats that the folder would get, one after the other.
    pub steps: Vec<u32>,
    /// Whether a host uses the folder now.
    pub in_use: bool,
}

impl Storage {
    /// Tells what [`Storage::open`] would do to the format of a folder. Changes nothing, whether a host uses the
    /// folder or not.
    ///
    /// # Errors
    /// [`OpenError`], as opening it would give: a format that this version does not know, or damage.
    pub fn plan(config: &Config) -> Result<UpgradePlan, OpenError> {
        let claim = match Claim::take_unchanged(&config.folder) {
            Err(OpenError::InUse(_)) => None,
            claim => Some(claim?),
        };
        let folder = config.folder.join("db");
        let exists = folder.try_exists();
        let exists = exists.map_err(|error| OpenError::system(&config.folder, &folder, error))?;
        // What another process is writing looks torn.
        if exists && claim.is_some() {
            let config = Config {
                accept_data_loss: false,
                ..config.clone()
            };
            recovery::check(&config, &folder)?;
        }
        let found = match exists {
            true => read_unopened(&folder).map_err(|error| OpenError::Other {
                folder: config.folder.clone(),
                reason: error.to_string(),
            })?,
            false => Said::Nothing,
        };
        let found = known(found, &folder)?;
        Ok(UpgradePlan {
            found,
            current: FORMAT,
            steps: (found.unwrap_or(FORMAT)..FORMAT)
                .map(|step| step + 1)
                .collect(),
            in_use: claim.is_none(),
        })
    }
}

/// Refuses a folder whose format this version does not know, before anything in it is changed. What cannot be read
/// so is left to opening it, which says why.
pub(crate) fn check_unopened(folder: &Path) -> Result<(), OpenError> {
    match read_unopened(folder) {
        Ok(found) => known(found, folder).map(drop),
        Err(error) => {
            tracing::debug!(%error, "the format cannot be read before the database is opened");
            Ok(())
        }
    }
}

/// Checks the format of an open database, and brings an older one forward.
pub(crate) fn bring_forward(db: &DB, folder: &Path) -> Result<(), OpenError> {
    let other = |reason: String| OpenError::Other {
        folder: folder.to_owned(),
        reason,
    };
    let found = read(db).map_err(|error| other(error.to_string()))?;
    let found = known(found, folder)?;
    if let Some(found) = found.filter(|found| *found < FORMAT) {
        upgrade::from(db, found).map_err(|error| other(error.to_string()))?;
    }
    match found {
        Some(FORMAT) => Ok(()),
        _ => write(db).map_err(other),
    }
}

/// The format, if this version knows it; nothing if there is none yet.
fn known(said: Said, folder: &Path) -> Result<Option<u32>, OpenError> {
    let folder = folder.to_owned();
    match said {
        Said::Format(found) if found < OLDEST_FORMAT => Err(OpenError::OlderFormat {
            folder,
            found,
            known: OLDEST_FORMAT,
        }),
        Said::Format(found) if found > FORMAT => Err(OpenError::NewerFormat {
            folder,
            found,
            known: FORMAT,
        }),
        Said::Format(found) => Ok(Some(found)),
        Said::Nothing => Ok(None),
        Said::Nonsense => Err(OpenError::Other {
            folder,
            reason: "its format cannot be read".to_owned(),
        }),
    }
}

/// What a database says of its format.
enum Said {
    /// It is new.
    Nothing,
    /// A number.
    Format(u32),
    /// Something else.
    Nonsense,
}

/// Reads the format of a database that is not open here. Reads no table but the one that has it.
fn read_unopened(folder: &Path) -> Result<Said, rocksdb::Error> {
    let mut options = looking();
    options.set_max_open_files(FILES);
    let exists = folder.join("CURRENT").is_file();
    if !exists || !DB::list_cf(&options, folder)?.contains(&Table::Meta.name().to_owned()) {
        return Ok(Said::Nothing);
    }
    let tables = [DEFAULT_COLUMN_FAMILY_NAME, Table::Meta.name()];
    read(&DB::open_cf_for_read_only(&options, folder, tables, false)?)
}

/// The format of a database, if it says a number.
pub(crate) fn number(db: &DB) -> Result<Option<u32>, rocksdb::Error> {
    Ok(match read(db)? {
        Said::Format(number) => Some(number),
        Said::Nothing | Said::Nonsense => None,
    })
}

fn read(db: &DB) -> Result<Said, rocksdb::Error> {
    let Some(meta) = db.cf_handle(Table::Meta.name()) else {
        return Ok(Said::Nothing);
    };
    let stored = db.get_cf(meta, key::FORMAT)?;
    let Some(bytes) = stored else {
        return Ok(Said::Nothing);
    };
    let number = <[u8; 4]>::try_from(bytes.as_slice());
    Ok(number.map_or(Said::Nonsense, |number| {
        Said::Format(u32::from_be_bytes(number))
    }))
}

fn write(db: &DB) -> Result<(), String> {
    let meta = db.cf_handle(Table::Meta.name());
    let meta = meta.ok_or("the table of the host's facts is missing")?;
    let mut write = WriteOptions::default();
    write.set_sync(true);
    db.put_cf_opt(meta, key::FORMAT, FORMAT.to_be_bytes(), &write)
        .map_err(|error| error.to_string())
}

//! Before a database is opened: whether all that was acknowledged can be read.
//!
//! Opening it makes tables of its logs and deletes them, so this comes first. If the logs are whole and reach as far
//! as the marker, nothing more is asked. Otherwise the database is opened without writing anything, to see how
//! far it comes.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rocksdb::DB;
use taskyard_task::Partition;

use crate::database::look;
use crate::error::OpenError;
use crate::key;
use crate::marker::{self, Acknowledged, Found, Marker};
use crate::open::Config;
use crate::table::Table;
use crate::wal::{self, Scan};

/// What the database must have when it is open.
pub(crate) struct Expected {
    turn: u64,
    told: Acknowledged,
}

/// Checks the database in `folder` before it is opened.
///
/// # Errors
/// [`OpenError::Damaged`], unless the operator accepts it.
pub(crate) fn check(config: &Config, folder: &Path) -> Result<Expected, OpenError> {
    let system = |error| OpenError::system(&config.folder, folder, error);
    let exists = is_there(folder).map_err(system)?;
    let found = marker::read(&config.folder)
        .map_err(|error| OpenError::system(&config.folder, &marker::path(&config.folder), error))?;
    if exists && found == Found::Damaged {
        tracing::warn!(
            "the marker of the data folder cannot be read; a loss at the end of the last log would go unnoticed"
        );
    }
    let (turn, told) = found.into_told();
    let expected = Expected { turn, told };
    let loss = match exists {
        true => {
            let scan = wal::scan(folder).map_err(system)?;
            expected.lost_to(folder, &scan)
        }
        false => expected.lost_with_all(folder).map_err(system)?,
    };
    let Some((what, cost)) = loss else {
        return Ok(expected);
    };
    if !config.accept_data_loss {
        return Err(OpenError::Damaged {
            folder: config.folder.clone(),
            what,
            cost,
            can_be_accepted: true,
        });
    }
    let kept = keep_aside(config, folder, exists).map_err(system)?;
    tracing::error!(
        what,
        cost,
        kept,
        "goes on without what cannot be read, as --accept-data-loss says"
    );
    Ok(expected)
}

impl Expected {
    /// What cannot be read of a database that is there, and what that costs.
    fn lost_to(&self, folder: &Path, scan: &Scan) -> Option<(String, String)> {
        let is_whole = scan.damage.is_none() && !scan.has_gap;
        if is_whole && scan.acknowledged >= self.told.sequence {
            return None;
        }
        // How far the database comes, without writing anything.
        let found = match look(folder).and_then(|db| found_in(&db)) {
            Ok(found) => found,
            Err(error) => {
                let cost = "it is not known what that affects".to_owned();
                return Some((self.what(scan, error.as_ref()), cost));
            }
        };
        let commits = self.told.lost_in(&found);
        let sequence = scan.acknowledged.max(self.told.sequence);
        if commits == 0 && found.sequence >= sequence {
            return None;
        }
        let cost = match commits {
            0 => format!(
                "at least {} acknowledged writes after it would be lost",
                sequence.saturating_sub(found.sequence)
            ),
            commits => format!(
                "{commits} acknowledged commits would be lost, of {}",
                self.told.commits()
            ),
        };
        let what = "the end of the last write-ahead log, or a whole one, is missing";
        Some((self.what(scan, what), cost))
    }

    fn what(&self, scan: &Scan, otherwise: &str) -> String {
        match &scan.damage {
            Some(damage) => format!(
                "the write-ahead log {} cannot be read at byte {}, and {} records begin after that",
                damage.file.display(),
                damage.offset,
                scan.records_after
            ),
            None if scan.has_gap => "records are missing between two write-ahead logs".to_owned(),
            None => otherwise.to_owned(),
        }
    }

    /// The same where there is no database.
    fn lost_with_all(&self, folder: &Path) -> std::io::Result<Option<(String, String)>> {
        let commits = self.told.commits();
        let mut rest = false;
        for log in wal::logs(folder)? {
            rest |= log.metadata()?.len() > 0;
        }
        for entry in fs::read_dir(folder)? {
            rest |= entry?.path().extension().is_some_and(|is| is == "sst");
        }
        Ok((commits > 0 || rest).then(|| {
            let what = format!(
                "the database in {} is not there (no CURRENT, or not the manifest that it names)",
                folder.display()
            );
            let cost = match commits {
                0 => "everything in it would be lost".to_owned(),
                commits => format!("all {commits} acknowledged commits would be lost"),
            };
            (what, cost)
        }))
    }

    /// Compares the open database with what was acknowledged; gives what it has.
    ///
    /// # Errors
    /// [`OpenError::Damaged`].
    pub(crate) fn compare(&self, config: &Config, db: &DB) -> Result<Acknowledged, OpenError> {
        let found = found_in(db).map_err(|error| OpenError::database(&config.folder, &error))?;
        let lost = self.told.lost_in(&found);
        if lost > 0 && !config.accept_data_loss {
            return Err(OpenError::Damaged {
                folder: config.folder.clone(),
                what: "the database has fewer commits than were acknowledged".to_owned(),
                cost: format!("{lost} acknowledged commits are lost"),
                can_be_accepted: true,
            });
        }
        if lost > 0 {
            tracing::error!(
                lost,
                "acknowledged commits are given up, as --accept-data-loss says"
            );
        }
        Ok(found)
    }

    /// The marker, from now on.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn marker(&self, folder: &Path, found: &Acknowledged) -> Result<Marker, OpenError> {
        Marker::start(folder, self.turn, found)
            .map_err(|error| OpenError::system(folder, &marker::path(folder), error))
    }
}

/// The last commits that a database has.
pub(crate) fn found_in(db: &DB) -> Result<Acknowledged, rocksdb::Error> {
    let mut found = Acknowledged {
        sequence: db.latest_sequence_number(),
        ..Acknowledged::default()
    };
    let Some(meta) = db.cf_handle(Table::Meta.name()) else {
        return Ok(found);
    };
    for partition in Partition::all().chain([Partition::SYSTEM]) {
        let number = db.get_pinned_cf(meta, key::last_commit(partition))?;
        let number = number.and_then(|bytes| <[u8; 8]>::try_from(bytes.as_ref()).ok());
        if let Some(number) = number {
            found.set(partition, u64::from_be_bytes(number));
        }
    }
    Ok(found)
}

/// Whether there is a database: a file that names the list of its files, and that list.
fn is_there(folder: &Path) -> std::io::Result<bool> {
    match fs::read(folder.join("CURRENT")) {
        Ok(named) => {
            let manifest = Path::new(OsStr::from_bytes(named.trim_ascii_end()));
            let is_name = manifest.file_name() == Some(manifest.as_os_str()) && !named.contains(&0);
            Ok(is_name && folder.join(manifest).try_exists()?)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Keeps what the database is about to delete; tells where.
fn keep_aside(config: &Config, folder: &Path, exists: bool) -> std::io::Result<String> {
    let kept = free_name(&config.folder)?;
    if !exists {
        fs::rename(folder, &kept)?;
        fs::create_dir(folder)?;
        return Ok(kept.display().to_string());
    }
    fs::create_dir(&kept)?;
    for log in wal::logs(folder)? {
        if let Some(name) = log.file_name() {
            fs::copy(&log, kept.join(name))?;
        }
    }
    Ok(kept.display().to_string())
}

/// A name that nothing in the data folder has.
pub(crate) fn free_name(folder: &Path) -> std::io::Result<std::path::PathBuf> {
    for number in 1_u32.. {
        let path = folder.join(format!("damaged-{number}"));
        if !path.try_exists()? {
            return Ok(path);
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

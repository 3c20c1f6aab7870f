//! Where the doctor works: a folder of its own within the data folder, which takes the database's place, or goes.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::error::OpenError;
use crate::recovery;

/// Its name in the data folder. What an earlier look left there is nobody's.
const FOLDER: &str = "doctor";

/// The doctor's own folder. Removed when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    data: PathBuf,
}

impl Place {
    pub(super) fn beside(data: &Path) -> Result<Self, OpenError> {
        let place = Self {
            data: data.to_owned(),
        };
        let folder = place.folder();
        let made = remove(&folder).and_then(|()| fs::create_dir(&folder));
        made.map_err(|error| OpenError::system(data, &folder, error))?;
        Ok(place)
    }

    fn folder(&self) -> PathBuf {
        self.data.join(FOLDER)
    }

    /// Where the new database is made.
    pub(super) fn database(&self) -> PathBuf {
        self.folder().join("new")
    }

    /// Where there is a copy of the old one that may be changed.
    pub(super) fn copy(&self) -> PathBuf {
        self.folder().join("copy")
    }

    /// Puts the new database where the old one is, in one step, and keeps the old one; tells where.
    pub(super) fn swap(&self) -> Result<PathBuf, OpenError> {
        let db = self.data.join("db");
        let new = self.database();
        let system = |path: &Path, error| OpenError::system(&self.data, path, error);
        let kept = recovery::free_name(&self.data).map_err(|error| system(&self.data, error))?;
        renameat_with(CWD, &new, CWD, &db, RenameFlags::EXCHANGE)
            .map_err(|error| system(&db, error.into()))?;
        // The old one is at the new one's place now.
        fs::rename(&new, &kept).map_err(|error| system(&kept, error))?;
        sync(&self.data).map_err(|error| system(&self.data, error))?;
        Ok(kept)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is removed the next time, if not now.
        let _ = remove(&self.folder());
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

//! The claim to a data folder: a lock that one process has, however often it opens the database.
//!
//! RocksDB has a lock of its own and reports every failure of it in the same words, so the host asks the
//! system itself, and knows by the number of the error what is wrong. The lock is also held while the
//! database is closed, to be opened again.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use crate::error::OpenError;

/// The file that is locked, in the data folder. It stays there, empty, and means nothing by itself.
const LOCK: &str = "lock";

/// A folder that this process may use until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    _lock: File,
}

impl Claim {
    /// Claims `folder` without changing anything in it; nothing if nobody ever claimed it.
    pub(crate) fn take_unchanged(folder: &Path) -> Result<Option<Self>, OpenError> {
        let path = folder.join(LOCK);
        match File::open(&path) {
            Ok(file) => Self::lock(folder, &path, file).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::system(folder, &path, error)),
        }
    }

    /// Claims `folder`, which is made if it does not exist.
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        fs::create_dir_all(folder).map_err(|error| OpenError::system(folder, folder, error))?;
        let path = folder.join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| OpenError::system(folder, &path, error))?;
        Self::lock(folder, &path, file)
    }

    fn lock(folder: &Path, path: &Path, file: File) -> Result<Self, OpenError> {
        match file.try_lock() {
            Ok(()) => Ok(Self { _lock: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => Err(OpenError::system(folder, path, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_folder_is_claimed_by_one_at_a_time() {
        let folder = TempDir::new().unwrap();
        let claim = Claim::take(folder.path()).unwrap();
        let second = Claim::take(folder.path());
        assert!(matches!(second, Err(OpenError::InUse(_))), "{second:?}");
        drop(claim);
        Claim::take(folder.path()).unwrap();
    }

    #[test]
    fn what_is_no_folder_is_not_in_use() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("LOCK");
        fs::write(&file, "not a folder").unwrap();
        for (path, kind) in [
            (file.clone(), ErrorKind::AlreadyExists),
            (file.join("below"), ErrorKind::NotADirectory),
        ] {
            match Claim::take(&path) {
                Err(OpenError::System { error, .. }) => assert_eq!(error.kind(), kind),
                other => panic!("{other:?}"),
            }
        }
    }
}

//! Why a data folder cannot be opened, in the terms of the system that refused it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::read::ReadError;

/// Why a data folder cannot be opened. Always for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the folder.
    #[error("the data folder {0} is in use by another process; stop it, or choose another folder")]
    InUse(PathBuf),
    /// The system does not let the host use the folder.
    #[error("cannot use the data folder {folder}: {}: {error}{}", path.display(), advice(error))]
    System {
        /// The folder.
        folder: PathBuf,
        /// The file or folder that the system was asked for.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The folder was written by a newer host.
    #[error(
        "the data folder {folder} has format {found}, and this version of taskyard knows formats up to {known}; \
         run the newer version again"
    )]
    NewerFormat {
        /// The folder.
        folder: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that this version knows.
        known: u32,
    },
    /// The folder was written by a host that is too old.
    #[error(
        "the data folder {folder} has format {found}, and this version of taskyard knows formats from {known} on; \
         let the older version finish its tasks, and begin with an empty folder"
    )]
    OlderFormat {
        /// The folder.
        folder: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest that this version knows.
        known: u32,
    },
    /// Something that was acknowledged cannot be read.
    #[error(
        "the data folder {folder} is damaged: {what}; {cost}. Restore a backup; `taskyard doctor` tells what is \
         wrong, and `taskyard doctor --repair` keeps what can be read{}",
        match can_be_accepted {
            true => "; or start once with `taskyard serve --accept-data-loss` to go on without what cannot be read",
            false => "",
        }
    )]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// Which file, and where.
        what: String,
        /// What going on without it loses.
        cost: String,
        /// Whether the host could go on without it.
        can_be_accepted: bool,
    },
    /// The database cannot be opened.
    #[error("cannot open the database in the data folder {folder}: {reason}")]
    Other {
        /// The folder.
        folder: PathBuf,
        /// What it says.
        reason: String,
    },
}

impl OpenError {
    /// What the database said when it was opened.
    pub(crate) fn database(folder: &Path, error: &rocksdb::Error) -> Self {
        match error.kind() {
            rocksdb::ErrorKind::Corruption => Self::damaged(folder, error.to_string()),
            _ => Self::Other {
                folder: folder.to_owned(),
                reason: error.to_string(),
            },
        }
    }

    /// What is wrong with what is stored there.
    #[must_use]
    pub fn reading(folder: &Path, error: &ReadError) -> Self {
        match error {
            ReadError::Database(error) => Self::database(folder, error),
            ReadError::Record { .. } => Self::damaged(folder, error.to_string()),
            ReadError::Closed => Self::Other {
                folder: folder.to_owned(),
                reason: error.to_string(),
            },
        }
    }

    fn damaged(folder: &Path, what: String) -> Self {
        Self::Damaged {
            folder: folder.to_owned(),
            what,
            cost: "it is not known what that affects".to_owned(),
            can_be_accepted: false,
        }
    }

    /// What the system said when it was asked for `path`.
    pub(crate) fn system(folder: &Path, path: &Path, error: io::Error) -> Self {
        Self::System {
            folder: folder.to_owned(),
            path: path.to_owned(),
            error,
        }
    }
}

/// What the database said, without the files that it names: clients learn what is wrong, and not where things are.
/// It says what it did, to which file, and what the system answered, with `: ` in between.
#[must_use]
pub fn without_paths(text: &str) -> String {
    // The only text of the system that looks like a path.
    const EIO: &str = "Input/output error";
    let is_said = |part: &&str| part.starts_with(EIO) || !part.contains('/');
    let parts = text.split(": ").filter(is_said);
    parts.collect::<Vec<_>>().join(": ")
}

/// What to do about an error of the system, if that is known. Decided by its number, never by its text.
fn advice(error: &io::Error) -> &'static str {
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::PermissionDenied, _) => {
            "; let the user that the host runs as read and write there"
        }
        (ErrorKind::ReadOnlyFilesystem, _) => "; mount it for writing, or choose another folder",
        (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => "; free some space",
        (_, Some(libc::ENOLCK | libc::EOPNOTSUPP | libc::ENOSYS)) => {
            "; its file system has no locks, which keep two hosts apart: choose a local disk, or mount it with locks"
        }
        (_, Some(libc::EMFILE | libc::ENFILE)) => {
            "; too many files are open: raise the limit (ulimit -n, LimitNOFILE=)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_read_no_paths() {
        for (said, told) in [
            (
                "IO error: No space left on device: While appending to file: /my data/db/000012.log: No space left on device",
                "IO error: No space left on device: While appending to file: No space left on device",
            ),
            (
                "Corruption: block checksum mismatch: stored = 1, computed = 2, type = 4  in /data/db/000012.sst offset 0 size 91",
                "Corruption: block checksum mismatch",
            ),
            (
                "IO error: While fsync: a/b.sst: Input/output error",
                "IO error: While fsync: Input/output error",
            ),
            (
                "Input/output error (os error 5)",
                "Input/output error (os error 5)",
            ),
            ("the committer panicked", "the committer panicked"),
            ("", ""),
        ] {
            assert_eq!(without_paths(said), told);
        }
    }

    #[test]
    fn what_the_system_says_is_what_the_operator_reads() {
        for (number, says, advises) in [
            (libc::EACCES, "Permission denied", "the user that the host"),
            (libc::EPERM, "not permitted", "the user that the host"),
            (libc::EROFS, "Read-only file system", "mount it for writing"),
            (libc::ENOLCK, "No locks available", "has no locks"),
            (libc::EOPNOTSUPP, "not supported", "has no locks"),
            (libc::ENOSPC, "No space left", "free some space"),
            (libc::EMFILE, "Too many open files", "raise the limit"),
            (libc::ENOTDIR, "Not a directory", ""),
        ] {
            let error = io::Error::from_raw_os_error(number);
            let error = OpenError::system(Path::new("/data"), Path::new("/data/lock"), error);
            let text = error.to_string();
            assert!(text.contains("/data/lock: "), "{text}");
            assert!(text.contains(says) && text.contains(advises), "{text}");
            assert!(!text.contains("another process"), "{text}");
        }
    }
}

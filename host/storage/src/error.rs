//! Why a data folder cannot be opened.

use std::path::PathBuf;

/// Why a data folder cannot be opened. Always for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the folder.
    #[error("the data folder {0} is in use by another process; stop it, or choose another folder")]
    InUse(PathBuf),
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
    /// The disk or the database says no.
    #[error("cannot open the data folder {folder}: {reason}")]
    Other {
        /// The folder.
        folder: PathBuf,
        /// What it says.
        reason: String,
    },
}

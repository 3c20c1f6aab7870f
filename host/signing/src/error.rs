//! Why the host cannot sign.

use std::path::PathBuf;

/// Why a key cannot be used. All but the last are the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More keys than a rotation needs.
    #[error("signing.keys: there can be at most {0} keys")]
    TooMany(usize),
    /// The same key twice would be two signatures that say the same.
    #[error("signing.keys: {} holds a key that is in the list already", .0.display())]
    Twice(PathBuf),
    /// A key cannot be read.
    #[error("signing.keys: cannot read {}", .path.display())]
    Unreadable {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The first key cannot be written.
    #[error("cannot write {}", .path.display())]
    Unwritable {
        /// Its file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error(
        "signing.keys: {} does not hold a private key that can be used here; make one with \
         `openssl genpkey -algorithm ed25519`, or of the type EC on the curve P-256",
        .0.display()
    )]
    NotAKey(PathBuf),
    /// What was to be signed cannot be written as JSON, or the library refused.
    #[error("cannot sign: {0}")]
    Signing(String),
}

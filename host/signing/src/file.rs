//! The key that the host makes for itself, in the data folder.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use taskyard_clock::IdSource;

use crate::Error;
use crate::key::ed25519_pem;

/// The name of the file within the data folder.
pub(crate) const FILE: &str = "signing-key.pem";

/// Writes a new key to `path`, for its owner's eyes only, unless there is a file already.
pub(crate) fn ensure(path: &Path, ids: &IdSource) -> Result<(), Error> {
    match create(path, &ed25519_pem(ids.random())) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|source| Error::Unwritable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// What a file with a key holds.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn create(path: &Path, pem: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()
}

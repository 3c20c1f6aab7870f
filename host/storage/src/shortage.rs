//! Shortages that pass: what the system says about the folder of the database, asked without the database.
//!
//! RocksDB reports errors of the system as text, and after one of them it may refuse everything until it is
//! opened again. Whether there is a point in that is found out here, by doing what it will do: opening some
//! files and writing to the disk.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The file that is written for this. RocksDB passes over names that it does not know.
const FILE: &str = "probe";
/// What is written at least: some tables, and the database's own notes.
const LEAST_BYTES: u64 = 1 << 20;
/// How much is written at once.
const PIECE: &[u8] = &[0; 64 << 10];

/// Whether an error of the system can be over without anybody looking at the host.
pub(crate) fn passes(error: &io::Error) -> bool {
    let by_kind = matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::OutOfMemory
            | ErrorKind::Interrupted
            | ErrorKind::WouldBlock
            | ErrorKind::TimedOut
    );
    by_kind || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether the database in `folder` could be opened and written now, as far as the system is concerned: with
/// so many files, and as much room as its write-ahead log takes, up to so much.
///
/// # Errors
/// What the system says.
pub(crate) fn probe(folder: &Path, files: usize, most_bytes: u64) -> io::Result<()> {
    let path = folder.join(FILE);
    let bytes = LEAST_BYTES + logs(folder)?.min(most_bytes);
    let written = write(&path, files, bytes);
    // Another look needs the room, whatever this one found.
    let removed = match fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    written.and(removed)
}

/// What the write-ahead logs hold, which becomes tables when the database is opened.
fn logs(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|is| is == "log") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

fn write(path: &Path, files: usize, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let open: io::Result<Vec<File>> = (1..files).map(|_| File::open(path)).collect();
    open?;
    let mut left = bytes;
    while left > 0 {
        let piece = PIECE.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(PIECE.get(..piece).unwrap_or(PIECE))?;
        left -= piece as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn shortages_pass_and_damages_do_not() {
        for (number, expected) in [
            (libc::EMFILE, true),
            (libc::ENFILE, true),
            (libc::ENOSPC, true),
            (libc::EDQUOT, true),
            (libc::EFBIG, true),
            (libc::EINTR, true),
            (libc::EAGAIN, true),
            (libc::ENOMEM, true),
            (libc::ETIMEDOUT, true),
            (libc::EIO, false),
            (libc::EROFS, false),
            (libc::EACCES, false),
            (libc::ENOENT, false),
            (libc::ENODEV, false),
            (libc::ESTALE, false),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(passes(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_look_leaves_nothing_behind() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("000001.log"), [1; 1_000]).unwrap();
        fs::write(folder.path().join(FILE), "left by a crash").unwrap();
        probe(folder.path(), 8, 16 << 20).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let gone = probe(&folder.path().join("gone"), 8, 0).unwrap_err();
        assert!(!passes(&gone), "{gone}");
    }
}

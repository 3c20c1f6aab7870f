//! How much room the database takes, and how much the file system has left.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What the files of the database hold, write-ahead logs included.
    pub used_bytes: u64,
    /// What the file system has left for this user.
    pub free_bytes: u64,
    /// How large the file system is.
    pub total_bytes: u64,
}

/// Looks at the folder of the database, without the database.
///
/// # Errors
/// What the system says.
pub(crate) fn measure(folder: &Path) -> io::Result<Space> {
    let (free_bytes, total_bytes) = file_system(folder)?;
    Ok(Space {
        used_bytes: used(folder)?,
        free_bytes,
        total_bytes,
    })
}

/// What the file system of a folder has left for this user, and how large it is, in bytes.
///
/// # Errors
/// What the system says.
pub fn file_system(folder: &Path) -> io::Result<(u64, u64)> {
    let system = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(system.f_frsize);
    Ok((bytes(system.f_bavail), bytes(system.f_blocks)))
}

fn used(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(folder)? {
        match entry?.metadata() {
            Ok(file) => bytes = bytes.saturating_add(file.len()),
            // The database removes files all the time.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn all_files_of_the_folder_count() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("000001.log"), [1; 1_000]).unwrap();
        fs::write(folder.path().join("000002.sst"), [1; 500]).unwrap();
        let space = measure(folder.path()).unwrap();
        assert_eq!(space.used_bytes, 1_500);
        assert!(space.free_bytes <= space.total_bytes, "{space:?}");
        assert!(space.total_bytes > 0);
        measure(&folder.path().join("gone")).unwrap_err();
    }
}

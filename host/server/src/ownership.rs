//! Whether a file says what its reader's own host said, or anybody else could have written it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context, ensure};
use rustix::process::geteuid;

/// Others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Others may look.
const READABLE_BY_OTHERS: u32 = 0o077;

/// Checks that a file or a folder belongs to this user or to the system's administrator, and that nobody else
/// can change it.
///
/// # Errors
/// What makes it doubtful.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    let about = path.symlink_metadata();
    let about = about.with_context(|| format!("cannot look at {}", path.display()))?;
    ensure!(!about.is_symlink(), "{} leads elsewhere", path.display());
    ensure!(
        [geteuid().as_raw(), 0].contains(&about.uid()),
        "{} belongs to another user",
        path.display()
    );
    ensure!(
        about.mode() & WRITABLE_BY_OTHERS == 0,
        "{} can be written by others",
        path.display()
    );
    Ok(())
}

/// Whether other users of the machine can look into it.
pub(crate) fn is_open_to_others(about: &Metadata) -> bool {
    about.mode() & READABLE_BY_OTHERS != 0
}

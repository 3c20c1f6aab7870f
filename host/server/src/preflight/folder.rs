//! Whether the host may use a folder, found out without making or opening anything in it.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::geteuid;

use crate::findings::Findings;
use crate::ownership::is_open_to_others;

/// Files that are looked at, and those that are named.
const MAX_FILES: usize = 10_000;
const MAX_NAMED: usize = 3;

/// Checks that a folder can be used, or made if it is not there.
pub(super) fn check(key: &str, folder: &Path, findings: &mut Findings) {
    match folder.metadata() {
        Ok(about) if about.is_dir() => check_existing(key, folder, &about, findings),
        Ok(_) => findings.problem(format!("{key}: {} is not a folder", folder.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => check_parent(key, folder, findings),
        Err(error) => {
            findings.problem(format!(
                "{key}: cannot look at {}: {error}",
                folder.display()
            ));
        }
    }
}

fn check_existing(key: &str, folder: &Path, about: &Metadata, findings: &mut Findings) {
    let Err(error) = usable(folder, true) else {
        return;
    };
    let (owner, own) = (about.uid(), geteuid().as_raw());
    let folder = folder.display();
    findings.problem(match owner == own {
        true => format!("{key}: cannot use {folder}: {error}"),
        false => format!(
            "{key}: cannot use {folder}: {error}; it belongs to the user {owner}, and this is {own}: \
             let the user that the host runs as read and write there"
        ),
    });
}

/// The folder is made in the nearest one that is there.
fn check_parent(key: &str, folder: &Path, findings: &mut Findings) {
    let above = folder.ancestors().skip(1).map(|above| match above {
        none if none.as_os_str().is_empty() => Path::new("."),
        above => above,
    });
    let mut above = above.filter(|above| above.symlink_metadata().is_ok());
    let Some(parent) = above.next() else { return };
    let usable = match parent.is_dir() {
        true => usable(parent, true),
        false => Err(ErrorKind::NotADirectory.into()),
    };
    if let Err(error) = usable {
        findings.problem(format!(
            "{key}: cannot make {} in {}: {error}",
            folder.display(),
            parent.display()
        ));
    }
}

/// Checks the files of the data folder: some may belong to another user, under whom the host ran once.
pub(super) fn check_files(data_dir: &Path, findings: &mut Findings) {
    let about = data_dir.metadata().ok();
    let Some(about) = about.filter(Metadata::is_dir) else {
        return;
    };
    if is_open_to_others(&about) {
        findings.warning(format!(
            "data_dir: other users of this machine can look into {}, which holds clients' credentials: chmod 700",
            data_dir.display()
        ));
    }
    // What else is in the folder is not the host's.
    let database = data_dir.join("db");
    let files = fs::read_dir(&database).into_iter().flatten().flatten();
    let files = files.map(|entry| entry.path()).filter(|path| !is_log(path));
    let own = [data_dir.join("lock"), database];
    let unusable = own
        .into_iter()
        .chain(files.take(MAX_FILES))
        .filter_map(|path| {
            let error = usable(&path, path.is_dir()).err()?;
            // The database removes files all the time.
            (error.kind() != ErrorKind::NotFound).then_some((path, error))
        });
    for (path, error) in unusable.take(MAX_NAMED) {
        findings.problem(format!(
            "data_dir: cannot use {}: {error}; let the user that the host runs as read and write it",
            path.display()
        ));
    }
}

/// The database begins a new one of those at each start.
fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b"LOG")
}

/// Whether this process may read and write there.
fn usable(path: &Path, is_dir: bool) -> io::Result<()> {
    let mut access = Access::READ_OK | Access::WRITE_OK;
    if is_dir {
        access |= Access::EXEC_OK;
    }
    Ok(accessat(CWD, path, access, AtFlags::EACCESS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &Path) -> Vec<String> {
        let mut findings = Findings::default();
        check("data_dir", folder, &mut findings);
        findings.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn folders_are_usable_or_can_be_made() {
        let here = tempfile::tempdir().unwrap();
        assert_eq!(found(here.path()), Vec::<String>::new());
        assert_eq!(found(&here.path().join("a/b/c")), Vec::<String>::new());
        assert_eq!(found(Path::new("not-there-yet")), Vec::<String>::new());

        let file = here.path().join("file");
        fs::write(&file, "").unwrap();
        let [problem] = found(&file).try_into().unwrap();
        assert!(problem.starts_with("data_dir: ") && problem.ends_with("is not a folder"));
        let [problem] = found(&file.join("below")).try_into().unwrap();
        assert!(problem.starts_with("data_dir: "), "{problem}");
        assert!(!here.path().join("a").exists(), "nothing is made");
    }
}

//! Libraries that are loaded before the system's own, and change what a host sees of its machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::Settings;

/// A library, built from `tests/it/hostile/NAME_shim.c`, and the file that tells it what to do.
pub(crate) struct Shim {
    name: &'static str,
    /// Removed with the shim.
    folder: TempDir,
}

impl Shim {
    /// Builds it. There is no file yet.
    pub(crate) fn build(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shim = Self { name, folder };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/hostile");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(shim.library())
            .arg(folder.join(format!("{name}_shim.c")))
            .status();
        assert!(built.unwrap().success(), "{name}");
        shim
    }

    /// A host that loads it. The library finds its file under the name `NAME_SHIM`.
    pub(crate) fn settings(&self) -> Settings {
        let variable = format!("{}_SHIM", self.name.to_uppercase());
        Settings::default()
            .variable("LD_PRELOAD", self.library().display())
            .variable(&variable, self.file().display())
    }

    /// Tells it what to do, all at once.
    pub(crate) fn tell(&self, what: &str) {
        let fresh = self.folder.path().join("fresh");
        fs::write(&fresh, what).unwrap();
        fs::rename(fresh, self.file()).unwrap();
    }

    /// Takes the file away.
    pub(crate) fn rest(&self) {
        fs::remove_file(self.file()).unwrap();
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("shim.so")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("order")
    }
}

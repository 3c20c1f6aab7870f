//! Compiled components on disk: compiling takes seconds for some languages, reading milliseconds.
//!
//! A file is a header (magic, key, checksum) and what wasmtime serialised. The key covers everything
//! that the code depends on, so a file of another component, wasmtime, setting or processor is never
//! found; the checksum covers the code, so a damaged file is never run.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use taskyard_clock::IdSource;
use taskyard_task::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::Error;

/// Changes with the layout of the header.
const MAGIC: &[u8; 8] = b"TYARD\0\0\x01";
const DIGEST_BYTES: usize = 32;
const EXTENSION: &str = "cwasm";
const UNFINISHED: &str = "unfinished";
/// How many files are kept; the oldest go first. Enough for a large host before and after an upgrade.
const MAX_FILES: usize = 512;

/// A directory of compiled components.
#[derive(Debug)]
pub(crate) struct CompileCache {
    directory: PathBuf,
    /// What the code depends on besides the component.
    settings: Digest,
    ids: IdSource,
}

/// Why a file is not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum BadFile {
    #[error("it does not begin like a compiled component of this version")]
    Magic,
    #[error("it was compiled from another component or for another host")]
    Key,
    #[error("its checksum is wrong")]
    Checksum,
}

impl CompileCache {
    /// Uses `directory`, which is made if it is missing.
    ///
    /// # Errors
    /// If it cannot be made or read.
    pub(crate) fn open(directory: &Path, engine: &Engine, ids: IdSource) -> Result<Self, Error> {
        let failed = |source| Error::Cache {
            path: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory).map_err(failed)?;
        let cache = Self {
            directory: directory.to_owned(),
            settings: settings_of(engine),
            ids,
        };
        cache.remove_unfinished().map_err(failed)?;
        Ok(cache)
    }

    /// The compiled form of a component, if there is a good one. Reads the disk.
    pub(crate) fn load(&self, engine: &Engine, component: Digest) -> Option<Component> {
        let key = self.key(component);
        let path = self.path(key);
        let file = fs::read(&path).ok()?;
        let loaded = match check(&file, key) {
            Ok(code) => deserialize(engine, code).map_err(|error| format!("{error:#}")),
            Err(bad) => Err(bad.to_string()),
        };
        loaded
            .inspect_err(|problem| {
                let path = path.display();
                tracing::warn!(%path, problem, "removing a bad compiled component");
                let _ = fs::remove_file(path.to_string());
            })
            .ok()
    }

    /// Keeps the compiled form of a component. A failure costs only time later. Writes to the disk.
    pub(crate) fn store(&self, component: Digest, code: &[u8]) {
        let stored = self
            .write(self.key(component), code)
            .and_then(|()| self.prune());
        if let Err(error) = stored {
            tracing::warn!(%error, %component, "failed to keep a compiled component");
        }
    }

    /// Under another name first, so that nobody finds half a file.
    fn write(&self, key: Digest, code: &[u8]) -> std::io::Result<()> {
        let unfinished = self.directory.join(self.ids.unique());
        let unfinished = unfinished.with_extension(UNFINISHED);
        let mut file = fs::File::create(&unfinished)?;
        // One after the other: together they would be in memory twice.
        file.write_all(&header(key, code))?;
        file.write_all(code)?;
        fs::rename(&unfinished, self.path(key))
    }

    fn prune(&self) -> std::io::Result<()> {
        let mut files = self.files(EXTENSION)?;
        let surplus = files.len().saturating_sub(MAX_FILES);
        files.sort_by_key(modified);
        files.iter().take(surplus).try_for_each(fs::remove_file)
    }

    fn remove_unfinished(&self) -> std::io::Result<()> {
        self.files(UNFINISHED)?.iter().try_for_each(fs::remove_file)
    }

    fn files(&self, extension: &str) -> std::io::Result<Vec<PathBuf>> {
        let paths = fs::read_dir(&self.directory)?.map(|entry| entry.map(|entry| entry.path()));
        let has_extension = |path: &PathBuf| path.extension().is_some_and(|it| it == extension);
        paths
            .filter(|path| path.as_ref().map_or(true, has_extension))
            .collect()
    }

    fn key(&self, component: Digest) -> Digest {
        Digest::of(&[component.to_bytes(), self.settings.to_bytes()].concat())
    }

    fn path(&self, key: Digest) -> PathBuf {
        self.directory
            .join(key.to_string())
            .with_extension(EXTENSION)
    }
}

fn modified(path: &PathBuf) -> SystemTime {
    let modified = fs::metadata(path).and_then(|file| file.modified());
    modified.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn header(key: Digest, code: &[u8]) -> Vec<u8> {
    let checksum = Digest::of(code);
    [&MAGIC[..], &key.to_bytes(), &checksum.to_bytes()].concat()
}

/// The code in a file, if it is what the file's name says, and undamaged.
fn check(file: &[u8], key: Digest) -> Result<&[u8], BadFile> {
    let rest = file.strip_prefix(MAGIC).ok_or(BadFile::Magic)?;
    let rest = rest
        .strip_prefix(key.to_bytes().as_slice())
        .ok_or(BadFile::Key)?;
    let (checksum, code) = rest
        .split_at_checked(DIGEST_BYTES)
        .ok_or(BadFile::Checksum)?;
    if Digest::of(code).to_bytes() == checksum {
        Ok(code)
    } else {
        Err(BadFile::Checksum)
    }
}

/// Everything that compiled code depends on besides the component: version and settings of wasmtime,
/// features of the processor.
fn settings_of(engine: &Engine) -> Digest {
    let mut collected = Collect(Vec::new());
    engine.precompile_compatibility_hash().hash(&mut collected);
    Digest::of(&collected.0)
}

/// Collects what is hashed, to hash it properly: a key must not be hit by accident.
struct Collect(Vec<u8>);

impl Hasher for Collect {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[expect(unsafe_code, reason = "running compiled code is trusting it")]
pub(crate) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was serialised by an engine with the same settings, which is checked once more, and
    // has not changed since: either the compiler has just made it, or the caller checked magic, key and
    // checksum over these very bytes. Whoever can write to the directory is trusted like the host itself,
    // as the setting says.
    unsafe { Component::deserialize(engine, code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component with nothing in it.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    struct Fixture {
        engine: Engine,
        directory: PathBuf,
        cache: CompileCache,
        digest: Digest,
    }

    impl Fixture {
        fn new() -> Self {
            let ids = IdSource::system();
            let name = format!("taskyard-engine-{}", ids.unique());
            let directory = std::env::temp_dir().join(name);
            let engine = Engine::default();
            let cache = CompileCache::open(&directory, &engine, ids).unwrap();
            let digest = Digest::of(EMPTY);
            cache.store(digest, &engine.precompile_component(EMPTY).unwrap());
            Self {
                engine,
                directory,
                cache,
                digest,
            }
        }

        fn file(&self) -> PathBuf {
            self.cache.path(self.cache.key(self.digest))
        }

        fn loads(&self) -> bool {
            self.cache.load(&self.engine, self.digest).is_some()
        }

        /// Changes the file and tells whether it is refused, and removed.
        fn is_refused_after(&self, change: impl FnOnce(&mut Vec<u8>)) -> bool {
            let mut file = fs::read(self.file()).unwrap();
            change(&mut file);
            fs::write(self.file(), file).unwrap();
            !self.loads() && !self.file().exists()
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }

    #[test]
    fn what_is_stored_is_loaded_again() {
        let fixture = Fixture::new();
        assert!(fixture.loads());
        assert!(fixture.loads());
        let other = fixture.cache.load(&fixture.engine, Digest::of(b"other"));
        assert!(other.is_none());
    }

    #[test]
    fn a_damaged_file_is_refused_and_removed() {
        let damage: [fn(&mut Vec<u8>); 6] = [
            |file| file.clear(),
            |file| file.truncate(20),
            |file| file.truncate(file.len() - 1),
            |file| file[0] ^= 1,
            |file| file[20] ^= 1,
            |file| *file.last_mut().unwrap() ^= 1,
        ];
        for (number, damage) in damage.into_iter().enumerate() {
            let fixture = Fixture::new();
            assert!(fixture.is_refused_after(damage), "damage {number}");
        }
    }

    #[test]
    fn a_file_under_the_wrong_name_is_refused() {
        let fixture = Fixture::new();
        let other = Digest::of(b"other");
        let wrong = fixture.cache.path(fixture.cache.key(other));
        fs::rename(fixture.file(), &wrong).unwrap();
        assert!(fixture.cache.load(&fixture.engine, other).is_none());
        assert!(!wrong.exists());
    }

    #[test]
    fn what_a_crash_left_behind_is_removed() {
        let fixture = Fixture::new();
        let left = fixture.directory.join("left").with_extension(UNFINISHED);
        fs::write(&left, "half").unwrap();
        CompileCache::open(&fixture.directory, &fixture.engine, IdSource::system()).unwrap();
        assert!(!left.exists());
        assert!(fixture.loads());
    }

    #[test]
    fn other_settings_have_other_keys() {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        let other = Engine::new(&config).unwrap();
        assert_ne!(settings_of(&other), settings_of(&Engine::default()));
    }
}

//! The token of the operators: configured, or made once and kept in the data folder.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use taskyard_clock::IdSource;

use crate::config::{Config, Secret};

/// 256 bits cannot be guessed.
const TOKEN_BYTES: usize = 32;

/// The token that the host accepts; makes one at the first start.
///
/// # Errors
/// If it can be neither read nor written.
pub(crate) fn ensure(config: &Config, ids: &IdSource) -> anyhow::Result<Secret> {
    if let Some(token) = &config.admin_token {
        return Ok(token.clone());
    }
    match create(&file(&config.data_dir), ids) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(&file(&config.data_dir)),
        made => made.with_context(|| format!("cannot write {}", file(&config.data_dir).display())),
    }
}

/// The token that a command on this machine presents, if it can know one.
///
/// # Errors
/// If there is a file with one that cannot be read.
pub(crate) fn find(config: &Config) -> anyhow::Result<Option<Secret>> {
    let file = file(&config.data_dir);
    match &config.admin_token {
        Some(token) => Ok(Some(token.clone())),
        None if file.exists() => read(&file).map(Some),
        None => Ok(None),
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("admin-token")
}

fn create(file: &Path, ids: &IdSource) -> std::io::Result<Secret> {
    let token = hex::encode(ids.random::<TOKEN_BYTES>());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut made = options.open(file)?;
    made.write_all(token.as_bytes())?;
    made.sync_all()?;
    Ok(Secret::new(token))
}

fn read(file: &Path) -> anyhow::Result<Secret> {
    let read = std::fs::read_to_string(file);
    let token = read.with_context(|| format!("cannot read {}", file.display()))?;
    let token = token.trim();
    // A crash between making the file and writing it leaves it empty, and an empty token is none.
    ensure!(
        token.len() == 2 * TOKEN_BYTES,
        "{} does not hold a token; delete it and start the host again",
        file.display()
    );
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path) -> Config {
        Config {
            data_dir: folder.to_owned(),
            ..Config::default()
        }
    }

    #[test]
    fn a_token_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        assert_eq!(find(&config).unwrap(), None);

        let made = ensure(&config, &IdSource::system()).unwrap();
        assert_eq!(made.reveal().len(), 64);
        assert_eq!(ensure(&config, &IdSource::system()).unwrap(), made);
        assert_eq!(find(&config).unwrap(), Some(made));

        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let permissions = file(folder.path()).metadata().unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_configured_token_wins_and_a_broken_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(file(folder.path()), "").unwrap();
        assert!(ensure(&config(folder.path()), &IdSource::system()).is_err());

        let configured = Config {
            admin_token: Some(Secret::new("from the configuration")),
            ..config(folder.path())
        };
        let token = ensure(&configured, &IdSource::system()).unwrap();
        assert_eq!(token.reveal(), "from the configuration");
    }
}

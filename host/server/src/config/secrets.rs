//! Where the host's secrets come from: the configuration names them, and says where their values are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use taskyard_outbound::Secrets;
use taskyard_task::egress::is_secret_name;

use crate::findings::Findings;

/// A longer value fits into no header.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Where a secret is: one of both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SecretSource {
    /// The environment variable that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    /// The file that has it; a line break at the end does not belong to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

/// Checks what the types do not.
///
/// # Errors
/// For the operator: which secret is wrong, and what to do.
pub(super) fn check(sources: &BTreeMap<String, SecretSource>) -> anyhow::Result<()> {
    for (name, source) in sources {
        ensure!(
            is_secret_name(name),
            "secrets.{name}: the name must be 1 to 64 letters and digits of ASCII, `_` and `-`"
        );
        let sources = [source.env.is_some(), source.file.is_some()];
        ensure!(
            sources.into_iter().filter(|given| *given).count() == 1,
            "secrets.{name}: needs either `env` or `file`, which says where the secret is"
        );
        // What stands there by mistake may be the secret itself.
        let is_named = |name: &String| !name.is_empty() && name.bytes().all(is_of_variable);
        ensure!(
            source.env.as_ref().is_none_or(is_named),
            "secrets.{name}.env: must be the name of an environment variable, letters, digits and `_`"
        );
    }
    Ok(())
}

fn is_of_variable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Reads the secrets. One whose variable is not set is missing, and requests that need it are denied.
/// A file that cannot be used is a problem.
pub(crate) fn read(
    sources: &BTreeMap<String, SecretSource>,
    variable: impl Fn(&str) -> Option<String>,
    findings: &mut Findings,
) -> Secrets {
    let mut secrets = Vec::new();
    for (name, source) in sources {
        let value = match (&source.env, &source.file) {
            (_, Some(file)) => {
                let value = read_file(file);
                findings.keep(value.with_context(|| format!("secrets.{name}: {}", file.display())))
            }
            (Some(env), None) => {
                // Tools that start containers make an empty one of a value that is missing.
                let value = variable(env).filter(|value| !value.is_empty());
                if value.is_none() {
                    findings.warning(format!(
                        "secrets.{name}: is missing, since the environment variable {env} is not set; requests that need it are denied"
                    ));
                }
                value
            }
            (None, None) => None,
        };
        secrets.extend(value.map(|value| (name.clone(), value)));
    }
    Secrets::from_iter(secrets)
}

fn read_file(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(file).context("cannot be opened")?;
    let read = file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes);
    read.context("cannot be read")?;
    // The error would hold the bytes.
    let Ok(text) = String::from_utf8(bytes) else {
        bail!("is not text");
    };
    let secret = text.trim_end_matches(['\r', '\n']);
    ensure!(
        text.len() as u64 <= MAX_SECRET_BYTES,
        "is too long for a secret"
    );
    ensure!(!secret.is_empty(), "is empty");
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(toml: &str) -> BTreeMap<String, SecretSource> {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn secrets_come_from_variables_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "from-file\r\n").unwrap();
        let sources = sources(&format!(
            "a = {{ env = 'A' }}\nb = {{ file = {file:?} }}\nc = {{ env = 'C' }}\nd = {{ env = 'D' }}"
        ));
        check(&sources).unwrap();
        let variable = |name: &str| match name {
            "A" => Some("from-variable".to_owned()),
            "C" => Some(String::new()),
            _ => None,
        };
        let mut findings = Findings::default();
        let secrets = read(&sources, variable, &mut findings);
        assert_eq!((findings.problems.len(), findings.warnings.len()), (0, 2));
        // Those that are missing are not empty.
        assert_eq!(format!("{secrets:?}"), r#"{"a", "b"}"#);
        assert_eq!(read_file(&file).unwrap(), "from-file");
    }

    #[test]
    fn files_that_are_no_secrets_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        for (content, problem) in [
            (Some(&b""[..]), "is empty"),
            (Some(b"\n"), "is empty"),
            (Some(&[b'a'; 70_000]), "is too long for a secret"),
            (Some(b"\xff"), "is not text"),
            (None, "cannot be opened"),
        ] {
            let file = folder.path().join("key");
            match content {
                Some(content) => std::fs::write(&file, content).unwrap(),
                None => std::fs::remove_file(&file).unwrap(),
            }
            let sources = sources(&format!("a = {{ file = {file:?} }}"));
            let mut findings = Findings::default();
            read(&sources, |_| None, &mut findings);
            let error = findings.into_result().unwrap_err().to_string();
            assert!(
                error.starts_with("secrets.a: ") && error.contains(problem),
                "{error}"
            );
        }
    }

    #[test]
    fn a_source_is_one_of_both() {
        for wrong in [
            "a = {}",
            "a = { env = 'A', file = 'b' }",
            "'a b' = { env = 'A' }",
            "a = { env = 'sk-live-1' }",
            "a = { env = '' }",
        ] {
            assert!(check(&sources(wrong)).is_err(), "{wrong}");
        }
    }
}

//! Where the values come from: defaults, then the file, then the environment, then flags. Later ones
//! win. What is not a key is refused, wherever it stands.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::{Format, Serialized, Toml};
use serde::Serialize;

use super::{CliConfig, Config, environment};
use crate::findings::Findings;

/// The file that is read if it exists and no other is named.
const FILE: &str = "taskyard.toml";

/// Keys that the command line can set.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Flags {
    /// `listen`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<String>,
    /// `admin_listen`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin_listen: Option<String>,
    /// `public_url`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,
    /// `data_dir`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,
    /// `allow_anonymous`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) allow_anonymous: Option<bool>,
    /// `[cli]`
    #[serde(skip_serializing_if = "CliConfig::is_empty")]
    pub(crate) cli: CliConfig,
    /// `log`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<String>,
}

/// Reads the configuration, and notes which values make no sense.
///
/// # Errors
/// For the operator: which key is wrong, where it was set, and what is wrong with it. Values are not shown: any of
/// them may be a secret in the wrong place.
pub(crate) fn load(
    file: Option<&Path>,
    variables: &[(String, String)],
    flags: &Flags,
    findings: &mut Findings,
) -> anyhow::Result<Config> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    if let Some(file) = find(file)? {
        check_syntax(&file)?;
        figment = figment.merge(Toml::file_exact(file));
    }
    for variable in environment::variables(variables) {
        figment = figment.merge(variable);
    }
    let figment = figment.merge(Serialized::from(flags, figment::Profile::Default));
    let config: Config = figment.extract_lossy().map_err(describe)?;
    config.check(findings);
    Ok(config)
}

/// The library would show the line that it cannot read.
fn check_syntax(file: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    let Err(error) = toml::from_str::<toml::Table>(&text) else {
        return Ok(());
    };
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    bail!("{}: line {line}: {}", file.display(), error.message())
}

fn find(named: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    match named {
        Some(file) if file.is_file() => Ok(Some(file.to_owned())),
        Some(file) => bail!("there is no configuration file {}", file.display()),
        None => {
            let here = std::env::current_dir().context("cannot find the current folder")?;
            Ok(Some(here.join(FILE)).filter(|file| file.is_file()))
        }
    }
}

fn describe(error: figment::Error) -> anyhow::Error {
    let lines: Vec<String> = error
        .into_iter()
        .map(|error| describe_one(&error))
        .collect();
    anyhow::anyhow!("{}", lines.join("; "))
}

fn describe_one(error: &figment::Error) -> String {
    let origin = error.metadata.as_ref().map_or_else(
        || "the configuration".to_owned(),
        |metadata| match &metadata.source {
            Some(source) => source.to_string(),
            None => metadata.name.to_string(),
        },
    );
    let key = error.path.join(".");
    match &error.kind {
        Kind::UnknownField(name, known) => {
            let section = key
                .strip_suffix(name.as_str())
                .unwrap_or(&key)
                .trim_end_matches('.');
            let place = if section.is_empty() {
                String::new()
            } else {
                format!(" in [{section}]")
            };
            format!(
                "{origin}: there is no key `{name}`{place}; there are {}",
                known.join(", ")
            )
        }
        kind if key.is_empty() => format!("{origin}: {}", in_words(kind)),
        kind => format!("{origin}: `{key}`: {}", in_words(kind)),
    }
}

/// What is wrong, without the value.
fn in_words(kind: &Kind) -> String {
    match kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("is {}, and must be {expected}", noun(found))
        }
        Kind::UnknownVariant(_, known) => format!("must be one of {}", known.join(", ")),
        Kind::Unsupported(found) => format!("cannot be {}", noun(found)),
        Kind::UnsupportedKey(found, expected) => {
            format!("has {} as a key, which must be {expected}", noun(found))
        }
        other => other.to_string(),
    }
}

fn noun(value: &Actual) -> &'static str {
    match value {
        Actual::Bool(_) => "a truth value",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}

//! Configuration from environment variables: `TASKYARD_` and the key in upper case, sections separated
//! by two underscores, as in `TASKYARD_LIMITS__MAX_RUNS`.

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

const PREFIX: &str = "TASKYARD_";

/// Variables of the command line that are not keys of the configuration.
const OTHERS: [&str; 5] = [
    "TASKYARD_CONFIG",
    "TASKYARD_URL",
    "TASKYARD_TOKEN",
    "TASKYARD_CA",
    "TASKYARD_IDENTITY",
];

/// One variable. Each is a provider of its own, so that errors can name it.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    name: String,
    key: String,
    value: String,
}

/// The variables among `all` that set keys. Empty ones count as not set: that is what tools that start
/// containers make of a value that is missing.
pub(crate) fn variables(all: &[(String, String)]) -> Vec<Variable> {
    all.iter()
        .filter(|(name, value)| !OTHERS.contains(&name.as_str()) && !value.is_empty())
        .filter_map(|(name, value)| {
            Some(Variable {
                name: name.clone(),
                key: name.strip_prefix(PREFIX)?.to_lowercase().replace("__", "."),
                value: value.clone(),
            })
        })
        .collect()
}

impl Variable {
    /// Lists and tables are written as in TOML. Everything else is text here; whether it is a number
    /// is known where it is read, so that a token of digits stays a token.
    fn value(&self) -> Result<Value, String> {
        let text = self.value.trim();
        if !text.starts_with(['[', '{']) {
            return Ok(Value::from(self.value.as_str()));
        }
        let document = toml::from_str::<toml::Table>(&format!("value = {text}"));
        let document = document.map_err(|error| error.message().to_owned())?;
        Value::serialize(document.get("value")).map_err(|error| error.to_string())
    }
}

impl Provider for Variable {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("the environment variable {}", self.name))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let dict = match figment::util::nest(&self.key, self.value()?) {
            Value::Dict(_, dict) => dict,
            // The prefix alone.
            other => Dict::from([(String::new(), other)]),
        };
        Ok(Profile::Default.collect(dict))
    }
}

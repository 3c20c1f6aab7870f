//! `taskyard:worker/config`: the operator's configuration.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::Ctx;
use crate::bindings::taskyard::worker::config::Host;

/// The pinned configuration of a task.
pub(super) struct Configuration {
    text: String,
    /// Parsed at the first look; most workers never look.
    values: OnceLock<Map<String, Value>>,
}

impl Configuration {
    /// `text` is a JSON object.
    pub(super) fn new(text: String) -> Self {
        Self {
            text,
            values: OnceLock::new(),
        }
    }

    fn get(&self, key: &str) -> Option<String> {
        // Whoever pinned it has parsed it.
        let parse = || serde_json::from_str(&self.text).unwrap_or_default();
        match self.values.get_or_init(parse).get(key)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

impl Host for Ctx {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        let task = self.derived("taskyard:worker/config.get")?;
        Ok(task.config.get(&key))
    }

    fn all(&mut self) -> wasmtime::Result<String> {
        let task = self.derived("taskyard:worker/config.all")?;
        Ok(task.config.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_given_as_it_is_and_the_rest_as_json() {
        let config = Configuration::new(r#"{"a": "x", "b": 250, "c": {"d": [1]}}"#.to_owned());
        assert_eq!(config.get("a").as_deref(), Some("x"));
        assert_eq!(config.get("b").as_deref(), Some("250"));
        assert_eq!(config.get("c").as_deref(), Some(r#"{"d":[1]}"#));
        assert_eq!(config.get("d"), None);
    }
}

//! The operator's configuration of the agent.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, Result, Task};

/// The operator's configuration of the agent, pinned when the task was created.
///
/// ```
/// # use taskyard_sdk::prelude::*;
/// # struct Pager;
/// # impl Worker for Pager {
/// #     fn describe() -> Manifest { Manifest::new("pager", "1.0.0", "Counts pages.") }
/// fn run(task: &Task, _: Message) -> Result<Outcome> {
///     let page_rows: usize = task.config().get_or("page_rows", 50)?;
///     Ok(Outcome::completed_with(format!("{page_rows} rows a page")))
/// }
/// # }
/// # let run = taskyard_sdk::testing::Host::new().config(serde_json::json!({"page_rows": 20})).run::<Pager>();
/// # assert_eq!(run.final_text().as_deref(), Some("20 rows a page"));
/// ```
pub struct Config<'t> {
    task: &'t Task,
}

impl<'t> Config<'t> {
    pub(crate) fn new(task: &'t Task) -> Self {
        Self { task }
    }

    /// The value of one key; nothing if it is not set.
    ///
    /// # Errors
    /// `invalid-config`, when the value does not look like a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(value) = self.all()?.get(key) else {
            return Ok(None);
        };
        T::deserialize(value)
            .map(Some)
            .map_err(|error| invalid(format_args!("key {key:?}: {error}")))
    }

    /// The value of one key, or `default` if it is not set.
    ///
    /// # Errors
    /// `invalid-config`, when the value does not look like a `T`.
    pub fn get_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T> {
        Ok(self.get(key)?.unwrap_or(default))
    }

    /// The value of one key as text: strings as they are, everything else as JSON.
    pub fn text(&self, key: &str) -> Option<String> {
        self.task.host.config_text(key)
    }

    /// All keys. Read from the host once per run.
    ///
    /// # Errors
    /// `invalid-config`, when the host gave something that is no JSON object.
    pub fn all(&self) -> Result<&'t Map<String, Value>> {
        let cache = &self.task.config;
        if let Some(all) = cache.get() {
            return Ok(all);
        }
        let all = serde_json::from_str(&self.task.host.config_json()).map_err(invalid)?;
        Ok(cache.get_or_init(|| all))
    }
}

fn invalid(reason: impl fmt::Display) -> Error {
    Error::permanent("invalid-config", reason)
}

impl fmt::Debug for Config<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").finish_non_exhaustive()
    }
}

//! The settings of a host under test.

/// Keys of the configuration and their values. Everything not said here is the default that users get.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings(Vec<(String, String)>);

impl Settings {
    /// Sets a key, written as in the configuration: `limits.max_runs`.
    pub(crate) fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.0.push((key.to_owned(), value.to_string()));
        self
    }

    /// Lets webhooks be on this machine, and tries again soon.
    pub(crate) fn local_webhooks(self) -> Self {
        self.set("notify.allow_private", true)
            .set("notify.initial_ms", 20)
            .set("notify.max_ms", 200)
            .set("notify.max_attempts", 1_000)
    }

    /// The environment variables that say the same.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().map(|(key, value)| {
            let name = key.to_uppercase().replace('.', "__");
            (format!("TASKYARD_{name}"), value.as_str())
        })
    }
}

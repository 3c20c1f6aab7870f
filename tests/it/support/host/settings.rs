//! The settings of a host under test.

/// How a host is started. Everything not said here is the default that users get.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Keys of the configuration and their values.
    keys: Vec<(String, String)>,
    /// Variables of the environment that set no key.
    variables: Vec<(String, String)>,
    /// Further words on the command line.
    arguments: Vec<String>,
}

impl Settings {
    /// Sets a key, written as in the configuration: `limits.max_runs`.
    pub(crate) fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.keys.push((key.to_owned(), value.to_string()));
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a word to the command line.
    pub(crate) fn argument(mut self, word: &str) -> Self {
        self.arguments.push(word.to_owned());
        self
    }

    /// Lets webhooks be on this machine, and tries again soon.
    pub(crate) fn local_webhooks(self) -> Self {
        self.set("notify.allow_private", true)
            .set("notify.initial_ms", 20)
            .set("notify.max_ms", 200)
            .set("notify.max_attempts", 1_000)
    }

    /// The words on the command line.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The environment: what sets the keys, and the rest.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, &str)> {
        let keys = self.keys.iter().map(|(key, value)| {
            let name = key.to_uppercase().replace('.', "__");
            (format!("TASKYARD_{name}"), value.as_str())
        });
        let others = self.variables.iter();
        keys.chain(others.map(|(name, value)| (name.clone(), value.as_str())))
    }
}

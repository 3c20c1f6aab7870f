//! What is wrong with a configuration, and what is only doubtful: everything at once, each with its key.

use std::fmt;

use serde::Serialize;

/// What a look at a configuration came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    /// What keeps the host from starting.
    pub(crate) problems: Vec<Finding>,
    /// What the host starts with all the same.
    pub(crate) warnings: Vec<Finding>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The key of the configuration, if it is about one.
    key: Option<String>,
    /// What is wrong, and what to do; begins with the key.
    text: String,
}

impl Finding {
    fn new(text: String) -> Self {
        let key = text.split(": ").next();
        let key = key.filter(|key| !key.is_empty() && key.bytes().all(is_of_key));
        Self {
            key: key.map(str::to_owned),
            text,
        }
    }
}

/// Whether it stands in keys such as `api.jwt[0].issuer`.
fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-[]".contains(&byte)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Findings {
    /// Notes what keeps the host from starting.
    pub(crate) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(Finding::new(text.into()));
    }

    /// Notes that the configuration itself cannot be read: its error begins with a place, and not with a key.
    pub(crate) fn unreadable(&mut self, error: &anyhow::Error) {
        self.problems.push(Finding {
            key: None,
            text: format!("{error:#}"),
        });
    }

    /// Notes what an operator should know.
    pub(crate) fn warning(&mut self, text: impl Into<String>) {
        self.warnings.push(Finding::new(text.into()));
    }

    /// Notes an error, and goes on without the value.
    pub(crate) fn keep<T>(&mut self, result: Result<T, impl Into<anyhow::Error>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(format!("{:#}", error.into()));
                None
            }
        }
    }

    /// Notes a problem unless something holds.
    pub(crate) fn require(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.problem(text());
        }
    }

    /// The problems as one error, a line each.
    ///
    /// # Errors
    /// If there are any.
    pub(crate) fn into_result(self) -> anyhow::Result<()> {
        let texts: Vec<_> = self.problems.into_iter().map(|found| found.text).collect();
        match texts.as_slice() {
            [] => Ok(()),
            [one] => Err(anyhow::Error::msg(one.clone())),
            all => {
                let all = all.join("\n  ");
                Err(anyhow::anyhow!(
                    "the configuration cannot be used:\n  {all}"
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_the_key_that_it_begins_with() {
        for (text, key) in [
            ("listen: is taken", Some("listen")),
            ("api.jwt[0].issuer: must not be", Some("api.jwt[0].issuer")),
            ("cannot set up: no", None),
            ("alone", Some("alone")),
            ("", None),
        ] {
            assert_eq!(Finding::new(text.to_owned()).key.as_deref(), key, "{text}");
        }
    }

    #[test]
    fn all_problems_are_one_error() {
        let mut findings = Findings::default();
        findings.warning("log: x");
        assert!(findings.into_result().is_ok());

        let mut findings = Findings::default();
        findings.require(false, || "a: one".to_owned());
        findings.require(true, || "b: never".to_owned());
        assert_eq!(findings.keep::<()>(Err(anyhow::anyhow!("c: two"))), None);
        let error = findings.into_result().unwrap_err().to_string();
        assert_eq!(
            error,
            "the configuration cannot be used:\n  a: one\n  c: two"
        );
    }
}

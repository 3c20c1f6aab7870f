//! What an agent's workers may ask of the outside: which hosts, and what the host adds on the way out.
//!
//! Nothing is allowed unless a rule says so. Rules name secrets and never hold them, so they can be
//! stored, listed and printed.

mod inject;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

pub use inject::{InjectedHeader, MissingSecret, Template, is_secret_name};
pub use pattern::{HostPattern, Origin, OriginHost, Scheme};

/// Rules of one agent: each request is compared with all of them.
const MAX_RULES: usize = 256;
/// Headers that one rule adds: no API asks for more.
const MAX_INJECTED: usize = 16;

/// The requests that an agent's workers may make. None by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<EgressRule>", into = "Vec<EgressRule>")]
pub struct EgressPolicy {
    /// What is allowed; the order does not matter.
    pub rules: Vec<EgressRule>,
}

/// Allows requests to some hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressRule {
    /// Which hosts.
    pub host: HostPattern,
    /// Headers that the host adds to requests; they replace the worker's.
    #[serde(default)]
    pub inject: BTreeMap<InjectedHeader, Template>,
}

/// Why rules cannot be used. The operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEgress {
    /// A host that makes no sense.
    #[error("the host {text:?} {problem}")]
    Host {
        /// What was written.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A header that cannot be added.
    #[error("the header {text:?} {problem}")]
    Header {
        /// What was written.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A value that cannot be a header's.
    #[error("the header value {problem}")]
    Template {
        /// What was written. It is not shown, as it may be a secret in the wrong place.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More rules than anybody needs.
    #[error("there are more than {MAX_RULES} rules")]
    TooManyRules,
    /// More headers than anybody needs.
    #[error("the rule for {0} adds more than {MAX_INJECTED} headers")]
    TooManyHeaders(HostPattern),
    /// Two rules for the same hosts, which may contradict each other.
    #[error("there are two rules for {0}")]
    Twice(HostPattern),
}

impl EgressPolicy {
    /// The rule that a request falls under: the most specific one. `None`: it is not allowed.
    #[must_use]
    pub fn rule_for(&self, origin: &Origin) -> Option<&EgressRule> {
        let fitting = self.rules.iter().filter(|rule| rule.host.matches(origin));
        fitting.max_by_key(|rule| rule.host.specificity())
    }

    /// Adds a rule; one for the same hosts makes room for it.
    pub fn put(&mut self, rule: EgressRule) {
        self.remove(&rule.host);
        self.rules.push(rule);
    }

    /// Removes the rule for exactly these hosts, and says whether there was one.
    pub fn remove(&mut self, host: &HostPattern) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.host != *host);
        self.rules.len() < before
    }
}

impl EgressRule {
    /// Whether requests that fall under the rule carry secrets.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        self.inject
            .values()
            .any(|template| template.secrets().next().is_some())
    }
}

impl TryFrom<Vec<EgressRule>> for EgressPolicy {
    type Error = InvalidEgress;

    fn try_from(rules: Vec<EgressRule>) -> Result<Self, InvalidEgress> {
        if rules.len() > MAX_RULES {
            return Err(InvalidEgress::TooManyRules);
        }
        let mut seen = HashSet::new();
        for rule in &rules {
            if rule.inject.len() > MAX_INJECTED {
                return Err(InvalidEgress::TooManyHeaders(rule.host.clone()));
            }
            if !seen.insert(&rule.host) {
                return Err(InvalidEgress::Twice(rule.host.clone()));
            }
        }
        Ok(Self { rules })
    }
}

impl From<EgressPolicy> for Vec<EgressRule> {
    fn from(policy: EgressPolicy) -> Self {
        policy.rules
    }
}

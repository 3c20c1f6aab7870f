//! What an operator can set about the host's own keys.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the host's own keys are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Private keys, Ed25519 or P-256, as PKCS#8 in PEM files. All sign cards, and the first one signs
    /// notifications. If there are none, the host makes one at its first start, in its data folder.
    pub keys: Vec<PathBuf>,
}

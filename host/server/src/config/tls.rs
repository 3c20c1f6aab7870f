//! `[tls]` and `[cli]`: the certificate of the doors, whose clients they believe, and whom the command
//! line believes.

use std::path::PathBuf;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// What the doors show and ask for. All files are PEM, and are read again when they change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// The certificate of the host, and behind it those that lead to its authority.
    pub(crate) certificate: PathBuf,
    /// The private key of the certificate.
    pub(crate) key: PathBuf,
    /// The authorities whose certificates clients may show. Without it no client is asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_ca: Option<PathBuf>,
    /// What becomes of clients without a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_certificates: Option<ClientCertificates>,
    /// Whether the door for operators speaks TLS as well. It asks nobody for a certificate.
    #[serde(default)]
    pub(crate) admin: bool,
}

/// What becomes of clients without a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientCertificates {
    /// They may come in, and prove themselves in another way.
    Request,
    /// They are turned away. Who names an authority means it.
    #[default]
    Require,
}

impl TlsConfig {
    /// Whether clients without a certificate are turned away.
    pub(crate) fn requires_certificates(&self) -> bool {
        let wanted = self.client_certificates.unwrap_or_default();
        self.client_ca.is_some() && wanted == ClientCertificates::Require
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// For the operator: which key is wrong, and what to do.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.client_ca.is_some() || self.client_certificates.is_none(),
            "tls.client_certificates: set tls.client_ca as well, or no certificate could be believed"
        );
        Ok(())
    }
}

/// How the other commands call a host. All files are PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CliConfig {
    /// Authorities to believe besides those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// A certificate and its private key, to show to a host that asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<PathBuf>,
}

impl CliConfig {
    /// Whether nothing is set.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

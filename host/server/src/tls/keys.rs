//! What the certificate files come to: what each door offers, and until when.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use taskyard_task::Timestamp;

use super::{Audience, expiry, pem};
use crate::config::TlsConfig;

/// The protocols over one port, the better one first: gRPC needs HTTP/2, and some clients know 1.1 only.
pub(super) const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What the doors offer. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    clients: Arc<ServerConfig>,
    operators: Arc<ServerConfig>,
    /// When the certificate ends.
    pub(super) end: Timestamp,
}

impl Keys {
    /// Reads the files.
    ///
    /// # Errors
    /// For the operator: which file cannot be used, and why.
    pub(super) fn read(config: &TlsConfig) -> anyhow::Result<Self> {
        let chain = pem::certificates(&config.certificate).context("tls.certificate")?;
        let key = pem::private_key(&config.key).context("tls.key")?;
        let end = chain.first().map(expiry::end).transpose();
        let end = end.context("tls.certificate")?.unwrap_or_default();
        let clients = offered(client_verifier(config)?, &chain, &key)?;
        let operators = offered(WebPkiClientVerifier::no_client_auth(), &chain, &key)?;
        Ok(Self {
            clients: Arc::new(clients),
            operators: Arc::new(operators),
            end,
        })
    }

    pub(super) fn offer(&self, audience: Audience) -> Arc<ServerConfig> {
        match audience {
            Audience::Clients => Arc::clone(&self.clients),
            Audience::Operators => Arc::clone(&self.operators),
        }
    }
}

fn offered(
    verifier: Arc<dyn ClientCertVerifier>,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> anyhow::Result<ServerConfig> {
    let offered = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.to_vec(), key.clone_key());
    let mut offered = offered.context("tls.key: cannot be used with tls.certificate")?;
    offered.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(offered)
}

fn client_verifier(config: &TlsConfig) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let Some(file) = &config.client_ca else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let roots = authorities(file).context("tls.client_ca")?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let verifier = match config.requires_certificates() {
        true => verifier,
        false => verifier.allow_unauthenticated(),
    };
    verifier.build().context("tls.client_ca")
}

fn authorities(file: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(file)? {
        let added = roots.add(certificate);
        added
            .with_context(|| format!("{} holds no certificate of an authority", file.display()))?;
    }
    Ok(roots)
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

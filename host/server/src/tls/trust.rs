//! Whom the command line believes: the authorities of the system and of `--ca`, and the host's own
//! certificate, whatever name it is for.
//!
//! The host on this machine is called by its address, and its certificate is for another name. Who can
//! read the configuration knows the certificate itself, which is worth more than a name.

use std::sync::Arc;

use anyhow::Context;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::{keys, pem};
use crate::config::Config;

/// The TLS of a client with this configuration.
///
/// # Errors
/// For the operator: which file cannot be used, and why.
pub(crate) fn client_config(config: &Config) -> anyhow::Result<ClientConfig> {
    let provider = keys::provider();
    let trust = Trust::of(config, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust));
    let mut client = match &config.cli.identity {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let chain = pem::certificates(file).context("--identity")?;
            let key = pem::private_key(file).context("--identity")?;
            builder
                .with_client_auth_cert(chain, key)
                .context("--identity")?
        }
    };
    client.alpn_protocols = keys::ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(client)
}

/// Whom the command line believes.
#[derive(Debug)]
struct Trust {
    /// The certificate of the host on this machine, if it has one.
    own: Option<CertificateDer<'static>>,
    /// The authorities. Small containers have none; plain HTTP works there all the same.
    authorities: Option<Verifier>,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    fn of(config: &Config, provider: Arc<CryptoProvider>) -> anyhow::Result<Self> {
        // A command for another machine must not fail because of a host that is not called.
        let own = config.tls.as_ref();
        let own = own.and_then(|tls| pem::certificates(&tls.certificate).ok());
        let own = own.and_then(|chain| chain.into_iter().next());
        let authorities = match &config.cli.ca {
            None => Verifier::new(Arc::clone(&provider)).ok(),
            Some(file) => {
                let roots = pem::certificates(file).context("--ca")?;
                let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider));
                Some(verifier.context("--ca")?)
            }
        };
        Ok(Self {
            own,
            authorities,
            provider,
        })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.own.as_ref() == Some(shown) {
            return Ok(ServerCertVerified::assertion());
        }
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authorities = self.authorities.as_ref().ok_or(unknown)?;
        authorities.verify_server_cert(shown, between, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

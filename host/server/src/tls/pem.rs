//! Reading certificates and private keys from PEM files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Larger than all authorities of a system together. What is larger was named by mistake.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// All certificates in a file, in its order; at least one.
///
/// # Errors
/// If the file cannot be read, or holds something else.
pub(super) fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let text = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates =
        certificates.with_context(|| format!("{} is not well-formed PEM", file.display()))?;
    ensure!(
        !certificates.is_empty(),
        "{} holds no certificate (PEM, -----BEGIN CERTIFICATE-----)",
        file.display()
    );
    Ok(certificates)
}

/// The first private key in a file.
///
/// # Errors
/// If the file cannot be read, or holds something else.
pub(super) fn private_key(file: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    // The reason might quote what is in the file.
    PrivateKeyDer::from_pem_slice(&read(file)?)
        .ok()
        .with_context(|| {
            format!(
                "{} holds no private key (PEM, -----BEGIN PRIVATE KEY-----, without a password)",
                file.display()
            )
        })
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let open = || format!("cannot read {}", file.display());
    let mut text = Vec::new();
    let opened = File::open(file).with_context(open)?;
    let length = opened.take(MAX_FILE_BYTES + 1).read_to_end(&mut text);
    let length = length.with_context(open)?;
    ensure!(
        length as u64 <= MAX_FILE_BYTES,
        "{} is too large to be a file of certificates",
        file.display()
    );
    Ok(text)
}

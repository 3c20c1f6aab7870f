//! An authority that signs certificates, into a folder of their own.

use std::fs;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use reqwest::{Certificate, ClientBuilder, Identity};
use tempfile::TempDir;

use super::{Settings, http};

/// An authority, and the files that it signed.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one, with a certificate for the host on this machine.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = Self { folder, issuer };
        fs::write(authority.file("ca.pem"), authority.issuer.pem()).unwrap();
        authority.sign_host("127.0.0.1");
        authority
    }

    /// Where a file of it is.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs another certificate for the host, into the place of the one before.
    pub(crate) fn sign_host(&self, name: &str) {
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let (certificate, key) = self.sign(params);
        fs::write(self.file("host.key"), key).unwrap();
        fs::write(self.file("host.pem"), certificate).unwrap();
    }

    /// Signs a certificate for a client; returns the file with it and its key.
    pub(crate) fn sign_client(&self, name: &str) -> PathBuf {
        let mut params = CertificateParams::new([format!("{name}.example")]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (certificate, key) = self.sign(params);
        let file = self.file(&format!("{name}.identity"));
        fs::write(&file, certificate + &key).unwrap();
        file
    }

    fn sign(&self, params: CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// The settings of a host with the certificate for it.
    pub(crate) fn settings(&self) -> Settings {
        Settings::default()
            .set("tls.certificate", self.file("host.pem").display())
            .set("tls.key", self.file("host.key").display())
    }

    /// The same, for a host that asks clients for certificates of this authority, and knows two of them.
    pub(crate) fn settings_with_clients(&self, wanted: &str) -> Settings {
        let known = ["worker", "operator"].map(|name| {
            format!(
                r#"{{subject = "{name}", by_common_name = true, tenant = "acme", name = "{name}"}}"#
            )
        });
        self.settings()
            .set("api.certificates", format!("[{}]", known.join(", ")))
            .set("tls.client_ca", self.file("ca.pem").display())
            .set("tls.client_certificates", wanted)
    }

    /// A client that believes this authority and no other.
    pub(crate) fn client(&self) -> ClientBuilder {
        let authority = Certificate::from_pem(self.issuer.pem().as_bytes()).unwrap();
        http::builder().tls_certs_only([authority])
    }

    /// The same, showing the certificate in a file that was made for a client.
    pub(crate) fn client_as(&self, name: &str) -> ClientBuilder {
        let identity = fs::read(self.sign_client(name)).unwrap();
        self.client()
            .identity(Identity::from_pem(&identity).unwrap())
    }
}

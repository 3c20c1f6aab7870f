//! Certificates that change under a running host, and handshakes over real sockets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use taskyard_api::PeerCertificate;
use taskyard_clock::Clock;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsConnector, client};

use super::{Audience, Tls, Watch, keys, peer_certificate, pem};
use crate::config::{ClientCertificates, TlsConfig};

/// An authority that signs certificates into a folder.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    /// Signs `params` into `NAME.pem`, with the key in `NAME.key`.
    fn sign(&self, name: &str, params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        std::fs::write(file("pem"), certificate.pem()).unwrap();
        std::fs::write(file("key"), key.serialize_pem()).unwrap();
    }

    fn sign_host(&self) {
        self.sign(
            "host",
            CertificateParams::new(["host.example".to_owned()]).unwrap(),
        );
    }

    /// The configuration of a host with a certificate of this authority.
    fn config(&self) -> TlsConfig {
        TlsConfig {
            certificate: self.folder.path().join("host.pem"),
            key: self.folder.path().join("host.key"),
            ..TlsConfig::default()
        }
    }

    fn config_with_clients(&self, wanted: ClientCertificates) -> TlsConfig {
        TlsConfig {
            client_ca: Some(self.folder.path().join("ca.pem")),
            client_certificates: Some(wanted),
            ..self.config()
        }
    }

    fn client(&self, identity: Option<&str>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(keys::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let file = |end: &str| self.folder.path().join(format!("{name}.{end}"));
                let chain = pem::certificates(&file("pem")).unwrap();
                let key = pem::private_key(&file("key")).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

fn host() -> (Authority, Watch) {
    let authority = Authority::new();
    authority.sign_host();
    let watch = Watch::begin(&authority.config(), Clock::system()).unwrap();
    (authority, watch)
}

fn client_params() -> CertificateParams {
    let mut params = CertificateParams::new(["worker.example".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "worker");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let uri = "spiffe://example/worker".try_into().unwrap();
    params.subject_alt_names.push(SanType::URI(uri));
    let address = "10.1.2.3".parse().unwrap();
    params.subject_alt_names.push(SanType::IpAddress(address));
    params
}

struct Shaken {
    certificate: Vec<u8>,
    alpn: Option<Vec<u8>>,
    peer: Option<PeerCertificate>,
}

/// Shakes hands over a socket. The host's side decides: with TLS 1.3 a client hears of a refusal only
/// when it reads.
async fn shake(tls: &Tls, client: TlsConnector) -> std::io::Result<Shaken> {
    let (host, client) = sockets(client).await;
    let host = tls.shake_hands(Audience::Clients, host);
    let (host, client) = tokio::join!(host, client);
    let (host, client) = (host?, client?);
    let shown = client.get_ref().1.peer_certificates().unwrap();
    Ok(Shaken {
        certificate: shown[0].to_vec(),
        alpn: host.get_ref().1.alpn_protocol().map(<[u8]>::to_vec),
        peer: peer_certificate(host.get_ref().1),
    })
}

async fn sockets(
    connector: TlsConnector,
) -> (
    TcpStream,
    impl Future<Output = std::io::Result<client::TlsStream<TcpStream>>>,
) {
    let (host, plain) = plain_sockets().await;
    let name = ServerName::try_from("host.example").unwrap();
    (host, async move { connector.connect(name, plain).await })
}

async fn plain_sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (plain, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (accepted.unwrap().0, plain.unwrap())
}

async fn certificate(watch: &Watch, authority: &Authority) -> Vec<u8> {
    let shaken = shake(&watch.tls(), authority.client(None)).await.unwrap();
    shaken.certificate
}

#[tokio::test]
async fn a_new_certificate_is_shown_once_it_is_there() {
    let (authority, mut watch) = host();
    let first = certificate(&watch, &authority).await;
    watch.look().await;
    assert_eq!(certificate(&watch, &authority).await, first);

    authority.sign_host();
    watch.look().await;
    assert_ne!(certificate(&watch, &authority).await, first);
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing() {
    let (authority, mut watch) = host();
    let first = certificate(&watch, &authority).await;
    let config = authority.config();
    let break_it: [&dyn Fn(&Path); 3] = [
        &|file| std::fs::write(file, "no certificate").unwrap(),
        &|file| std::fs::write(file, "-----BEGIN CERTIFICATE-----\n!").unwrap(),
        &|file| std::fs::remove_file(file).unwrap(),
    ];
    for broken in break_it {
        broken(&config.certificate);
        watch.look().await;
        watch.take_up().await;
        assert_eq!(certificate(&watch, &authority).await, first);
    }
    authority.sign_host();
    watch.look().await;
    assert_ne!(certificate(&watch, &authority).await, first);
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let (authority, _watch) = host();
    let config = authority.config();
    let error = |config: &TlsConfig| format!("{:#}", Tls::read(config).unwrap_err());
    let table = [
        (
            TlsConfig {
                certificate: "/nowhere.pem".into(),
                ..config.clone()
            },
            "tls.certificate: cannot read /nowhere.pem",
        ),
        (
            TlsConfig {
                key: config.certificate.clone(),
                ..config.clone()
            },
            "holds no private key",
        ),
        (
            TlsConfig {
                client_ca: Some(config.key.clone()),
                ..config.clone()
            },
            "tls.client_ca: ",
        ),
    ];
    for (config, expected) in table {
        let error = error(&config);
        assert!(error.contains(expected), "{expected} in {error}");
    }

    authority.sign("other", CertificateParams::default());
    let mixed = TlsConfig {
        key: authority.folder.path().join("other.key"),
        ..config
    };
    let error = error(&mixed);
    assert!(
        error.contains("tls.key: cannot be used with tls.certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn clients_are_known_by_their_certificates() {
    let authority = Authority::new();
    authority.sign_host();
    authority.sign("client", client_params());
    for wanted in [ClientCertificates::Request, ClientCertificates::Require] {
        let tls = Tls::read(&authority.config_with_clients(wanted)).unwrap();
        let shaken = shake(&tls, authority.client(Some("client"))).await.unwrap();
        assert_eq!(shaken.alpn.as_deref(), Some(b"h2".as_slice()));
        let peer = shaken.peer.unwrap();
        assert_eq!(peer.common_name.as_deref(), Some("worker"));
        let names = ["worker.example", "spiffe://example/worker", "10.1.2.3"];
        assert_eq!(peer.names, names);
    }
}

#[tokio::test]
async fn clients_without_a_certificate_come_in_only_if_they_may() {
    let authority = Authority::new();
    authority.sign_host();
    let tls = Tls::read(&authority.config_with_clients(ClientCertificates::Request)).unwrap();
    let shaken = shake(&tls, authority.client(None)).await.unwrap();
    assert_eq!(shaken.peer, None);

    let tls = Tls::read(&authority.config_with_clients(ClientCertificates::Require)).unwrap();
    assert!(shake(&tls, authority.client(None)).await.is_err());
}

#[tokio::test]
async fn certificates_of_other_authorities_are_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.sign_host();
    stranger.sign("client", client_params());
    for wanted in [ClientCertificates::Request, ClientCertificates::Require] {
        let tls = Tls::read(&authority.config_with_clients(wanted)).unwrap();
        for end in ["pem", "key"] {
            let name = format!("client.{end}");
            let from = stranger.folder.path().join(&name);
            std::fs::copy(from, authority.folder.path().join(&name)).unwrap();
        }
        assert!(shake(&tls, authority.client(Some("client"))).await.is_err());
    }
}

#[tokio::test]
async fn who_speaks_no_tls_is_refused_at_once() {
    let (_authority, watch) = host();
    let (host, mut plain) = plain_sockets().await;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let refused = watch.tls().shake_hands(Audience::Clients, host).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let (authority, _watch) = host();
    let mut shared = Tls::read(&authority.config()).unwrap().0;
    Arc::get_mut(&mut shared).unwrap().patience = Duration::ZERO;
    let (host, _silent) = plain_sockets().await;
    let refused = Tls(shared).shake_hands(Audience::Clients, host).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn silent_clients_do_not_keep_operators_out() {
    let (authority, watch) = host();
    let tls = watch.tls();
    let turns = tls.0.turns.of(Audience::Clients);
    turns.forget_permits(turns.available_permits());
    let (host, client) = sockets(authority.client(None)).await;
    let (host, client) = tokio::join!(tls.shake_hands(Audience::Operators, host), client);
    host.unwrap();
    client.unwrap();
}

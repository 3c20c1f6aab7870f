//! Whom the certificate of a client names.

use std::net::IpAddr;

use rustls::ServerConnection;
use taskyard_api::PeerCertificate;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// More names than certificates of clients have; further ones are not looked at.
const MAX_NAMES: usize = 100;

/// The certificate that the client of a connection showed, if it showed one. The handshake has verified
/// it.
pub(crate) fn peer_certificate(connection: &ServerConnection) -> Option<PeerCertificate> {
    let shown = connection.peer_certificates()?.first()?;
    let (_, certificate) = parse_x509_certificate(shown).ok()?;
    Some(PeerCertificate {
        common_name: common_name(&certificate),
        names: names(&certificate),
    })
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let name = certificate.subject().iter_common_name().next()?;
    name.as_str().ok().map(str::to_owned)
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension
        .iter()
        .flat_map(|names| &names.value.general_names);
    names.filter_map(name).take(MAX_NAMES).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        // Nobody can write these into a configuration.
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
    v4.or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok())
}

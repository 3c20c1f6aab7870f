//! What is known about the connection that a request came over: whether it is encrypted, where it comes
//! from, and who the client proved to be.
//!
//! The server puts it into the extensions of every request.

use std::net::IpAddr;

use crate::config::ClientCertificate;

/// The request came over TLS, so URLs that name the same host begin with `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secure;

/// The address at the other end of the connection: the client's, or that of the proxy in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// The certificate that the client of a connection showed. It was verified in the handshake: an authority
/// that the operator trusts signed it, and it was valid at that moment.
// Which client it belongs to is the gate's to say; what the server reads from it is only this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The common name (CN) of its subject.
    pub common_name: Option<String>,
    /// Its subject alternative names: DNS names, e-mail addresses, URIs and IP addresses.
    pub names: Vec<String>,
}

impl PeerCertificate {
    /// Whether it was made out to `client`: by one of its names, or by the common name if the operator says
    /// so. Authorities check names, and write into a common name what they are asked to.
    pub(super) fn is_of(&self, client: &ClientCertificate) -> bool {
        match client.by_common_name {
            true => self.common_name.as_ref() == Some(&client.subject),
            false => self.names.contains(&client.subject),
        }
    }
}

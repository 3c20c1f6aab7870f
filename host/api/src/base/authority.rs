//! The host that a request names (RFC 9110 7.2), read strictly: what is at odds with itself names none.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{Version, header};

const LOCALHOST: &str = "localhost";

/// Why a request names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misnamed {
    #[error("the request needs the header Host")]
    Missing,
    #[error("the request has several Host headers")]
    Several,
    #[error("the Host that the request names is malformed")]
    Malformed,
    #[error("the header Host differs from the host in the request's address")]
    Differs,
}

/// The host that the request names. HTTP/2 has it in the address of the request; HTTP/1.0 need not have it.
///
/// # Errors
/// If it names several or none, or something that no client means (RFC 9112 3.2).
pub(crate) fn named(request: &Parts) -> Result<Option<Authority>, Misnamed> {
    let mut headers = request.headers.get_all(header::HOST).iter();
    let (host, other) = (headers.next(), headers.next());
    if other.is_some() {
        return Err(Misnamed::Several);
    }
    let host = host.map(|host| {
        host.to_str()
            .ok()
            .and_then(strict)
            .ok_or(Misnamed::Malformed)
    });
    let in_address = request.uri.authority();
    let in_address = in_address.map(|it| strict(it.as_str()).ok_or(Misnamed::Malformed));
    match (host.transpose()?, in_address.transpose()?) {
        (Some(host), Some(in_address)) if host != in_address => Err(Misnamed::Differs),
        (None, None) if request.version == Version::HTTP_11 => Err(Misnamed::Missing),
        (host, in_address) => Ok(host.or(in_address)),
    }
}

/// A host and perhaps a port, and nothing else.
fn strict(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let is_bare_v6 = text.ends_with(']');
    let port_is_fine = match port {
        Some((_, port)) if !is_bare_v6 => {
            !port.is_empty()
                && port.bytes().all(|digit| digit.is_ascii_digit())
                && authority.port_u16().is_some()
        }
        _ => true,
    };
    (!text.contains('@') && !authority.host().is_empty() && port_is_fine).then_some(authority)
}

/// The address that an authority is, if it is one and no name.
pub(crate) fn address(authority: &Authority) -> Option<IpAddr> {
    let host = authority.host();
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host).parse().ok()
}

/// Whether it leads nobody to a machine other than their own.
pub(crate) fn is_loopback(authority: &Authority) -> bool {
    match address(authority) {
        Some(address) => address.is_loopback(),
        None => authority.host().eq_ignore_ascii_case(LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn of(version: Version, uri: &str, hosts: &[&str]) -> Result<String, Misnamed> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        named(&head).map(|it| it.map_or_else(String::new, |it| it.to_string()))
    }

    #[test]
    fn a_request_names_one_host() {
        let v1 = |hosts: &[&str]| of(Version::HTTP_11, "/", hosts);
        for host in [
            "a",
            "a:1",
            "[::1]",
            "[::1]:7420",
            "127.0.0.1:7420",
            "A.example.",
        ] {
            assert_eq!(v1(&[host]), Ok(host.to_owned()));
        }
        assert_eq!(v1(&[]), Err(Misnamed::Missing));
        assert_eq!(of(Version::HTTP_10, "/", &[]), Ok(String::new()));
        assert_eq!(v1(&["a", "a"]), Err(Misnamed::Several));
        for host in [
            "x@127.0.0.1",
            "a:",
            "a:b",
            "a:99999",
            "",
            "a b",
            "a/b",
            "@",
            ":1",
            "a, b",
            "x:y@h",
        ] {
            assert_eq!(v1(&[host]), Err(Misnamed::Malformed), "{host}");
        }
    }

    #[test]
    fn an_address_in_the_request_must_agree() {
        let v2 = |hosts: &[&str]| of(Version::HTTP_2, "http://a:1/", hosts);
        assert_eq!(v2(&[]), Ok("a:1".to_owned()));
        assert_eq!(v2(&["A:1"]), Ok("A:1".to_owned()));
        assert_eq!(v2(&["b:1"]), Err(Misnamed::Differs));
        assert_eq!(
            of(Version::HTTP_2, "http://x@a/", &[]),
            Err(Misnamed::Malformed)
        );
    }
}

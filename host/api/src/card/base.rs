//! Where this host is, as its clients see it.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::uri::{Authority, Scheme};
use axum::http::{Uri, header};

use crate::Config;
use crate::gate::Secure;

const LOCALHOST: &str = "localhost";

/// The beginning of all URLs of this host, such as `https://agents.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    url: String,
    /// Whether the host may vouch for it.
    certain: bool,
}

impl Base {
    /// What the operator says, or else the host that the request names.
    pub(crate) fn of(config: &Config, request: &Parts) -> Self {
        if let Some(url) = &config.public_url {
            return Self {
                url: url.trim_end_matches('/').to_owned(),
                certain: true,
            };
        }
        let named = || request.headers.get(header::HOST)?.to_str().ok();
        let authority = named().and_then(|host| host.parse::<Authority>().ok());
        // HTTP/2 has the host in the request's URI.
        let authority = authority.or_else(|| request.uri.authority().cloned());
        let host = authority.as_ref().map_or(LOCALHOST, Authority::as_str);
        let scheme = match request.extensions.get::<Secure>() {
            Some(Secure) => Scheme::HTTPS,
            None => Scheme::HTTP,
        };
        Self {
            url: format!("{scheme}://{host}"),
            certain: authority.as_ref().is_none_or(is_loopback),
        }
    }

    /// Whether it is this host that is there. Anybody can name any host in a request, and a signature for
    /// it would make its cards look genuine.
    pub(crate) fn is_certain(&self) -> bool {
        self.certain
    }

    /// The URL of `path`, which has no slash at its beginning.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    /// The host and the port alone: how gRPC names a server.
    pub(crate) fn authority(&self) -> String {
        let parsed = self.url.parse::<Uri>().ok();
        let authority = parsed.as_ref().and_then(Uri::authority);
        let Some(authority) = authority else {
            return self.url.clone();
        };
        let is_https = parsed.as_ref().and_then(Uri::scheme) == Some(&Scheme::HTTPS);
        let usual = if is_https { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(usual);
        format!("{}:{port}", authority.host())
    }
}

/// Whether it leads nobody to a machine other than their own.
fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = inner.unwrap_or(host).parse::<IpAddr>();
    host.eq_ignore_ascii_case(LOCALHOST) || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn request(host: Option<&str>, uri: &str) -> Parts {
        let mut request = Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header(header::HOST, host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_address_is_the_operators_or_the_requests() {
        let with_url = Config {
            public_url: Some("https://agents.example.com/".to_owned()),
            ..Config::default()
        };
        let plain = Config::default();
        for (config, host, uri, url, authority) in [
            (
                &with_url,
                Some("a:1"),
                "/",
                "https://agents.example.com/x",
                "agents.example.com:443",
            ),
            (&plain, Some("a:1"), "/", "http://a:1/x", "a:1"),
            (&plain, Some("[::1]:1"), "/", "http://[::1]:1/x", "[::1]:1"),
            (&plain, None, "http://b/x", "http://b/x", "b:80"),
            (
                &plain,
                Some("no host/"),
                "/",
                "http://localhost/x",
                "localhost:80",
            ),
        ] {
            let base = Base::of(config, &request(host, uri));
            assert_eq!(base.join("x"), url);
            assert_eq!(base.authority(), authority);
        }
    }

    #[test]
    fn only_what_nobody_else_could_be_is_certain() {
        let plain = Config::default();
        for (host, certain) in [
            ("localhost", true),
            ("LocalHost:7420", true),
            ("127.0.0.1:7420", true),
            ("127.1.2.3", true),
            ("[::1]:7420", true),
            ("[::1]", true),
            ("yard:8080", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost@evil.example", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
            ("[::2]:1", false),
        ] {
            let base = Base::of(&plain, &request(Some(host), "/"));
            assert_eq!(base.is_certain(), certain, "{host}");
        }
        assert!(!Base::of(&plain, &request(None, "http://b/")).is_certain());
        assert!(Base::of(&plain, &request(None, "/")).is_certain());
        let with_url = Config {
            public_url: Some("https://agents.example.com".to_owned()),
            ..Config::default()
        };
        assert!(Base::of(&with_url, &request(Some("yard"), "/")).is_certain());
    }

    #[test]
    fn encrypted_connections_have_encrypted_addresses() {
        let mut request = request(Some("a"), "/");
        request.extensions.insert(Secure);
        let base = Base::of(&Config::default(), &request);
        assert_eq!(base.join("x"), "https://a/x");
        assert_eq!(base.authority(), "a:443");
    }
}

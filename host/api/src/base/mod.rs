//! Where this host is, as its clients see it.

pub(crate) mod authority;
mod forwarded;
mod network;
mod own;

use axum::http::Uri;
use axum::http::request::Parts;
use axum::http::uri::{Authority, Scheme};

use crate::Config;
use crate::gate::{PeerAddress, Secure};
use authority::is_loopback;

pub(crate) use forwarded::Forwarded;
pub use network::{InvalidNetwork, Network};
pub(crate) use own::check_own;

const LOCALHOST: &str = "localhost";

/// The beginning of all URLs of this host, such as `https://agents.example.com`, without a slash at its
/// end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    url: String,
    certain: bool,
    told_by_proxy: bool,
}

impl Base {
    /// What the operator says, or else a trusted proxy, or else the request itself.
    pub(crate) fn of(config: &Config, request: &Parts) -> Self {
        if let Some(url) = &config.public_url {
            return Self {
                url: url.trim_end_matches('/').to_owned(),
                certain: true,
                told_by_proxy: false,
            };
        }
        let told = Self::told_by_proxy(config, request);
        let told_by_proxy = told != Forwarded::default();
        let named = || authority::named(request).ok().flatten();
        let authority = told.authority.or_else(named);
        let scheme = told.scheme.unwrap_or_else(|| spoken(request));
        let host = authority.as_ref().map_or(LOCALHOST, Authority::as_str);
        let prefix = told.prefix.unwrap_or_default();
        Self {
            url: format!("{scheme}://{host}{prefix}"),
            certain: !told_by_proxy && authority.as_ref().is_none_or(is_loopback),
            told_by_proxy,
        }
    }

    /// Nothing, unless the request came from a proxy that the operator trusts: anybody else could say it.
    fn told_by_proxy(config: &Config, request: &Parts) -> Forwarded {
        match came_through_proxy(config, request) {
            true => Forwarded::read(&request.headers),
            false => Forwarded::default(),
        }
    }

    /// Whether it is this host that is there. Anybody can name any host in a request, also through a
    /// proxy, and a signature for it would make its cards look genuine.
    pub(crate) fn is_certain(&self) -> bool {
        self.certain
    }

    /// Whether a proxy that the operator trusts said so.
    pub(crate) fn is_told_by_proxy(&self) -> bool {
        self.told_by_proxy
    }

    /// The URL itself.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL of `path`, which has no slash at its beginning.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    /// The host and the port alone: how gRPC names a server. None behind a path: gRPC has no place for it,
    /// so what forwards by paths does not forward gRPC.
    pub(crate) fn authority(&self) -> Option<String> {
        let parsed = self.url.parse::<Uri>().ok()?;
        let authority = parsed.authority()?;
        let is_https = parsed.scheme() == Some(&Scheme::HTTPS);
        let usual = if is_https { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(usual);
        (parsed.path() == "/").then(|| format!("{}:{port}", authority.host()))
    }
}

/// Whether it came from a proxy that the operator trusts.
fn came_through_proxy(config: &Config, request: &Parts) -> bool {
    let peer = request.extensions.get::<PeerAddress>();
    let mut trusted = config.trusted_proxies.iter();
    peer.is_some_and(|peer| trusted.any(|network| network.contains(peer.0)))
}

/// How the request came.
fn spoken(request: &Parts) -> Scheme {
    match request.extensions.get::<Secure>() {
        Some(Secure) => Scheme::HTTPS,
        None => Scheme::HTTP,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, header};

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
        let with_path = Config {
            public_url: Some("https://agents.example.com/yard/".to_owned()),
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
            (
                &with_path,
                Some("a:1"),
                "/",
                "https://agents.example.com/yard/x",
                "",
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
            assert_eq!(base.authority().unwrap_or_default(), authority);
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
        assert_eq!(base.authority().as_deref(), Some("a:443"));
    }

    #[test]
    fn a_proxy_is_believed_if_the_operator_trusts_it() {
        let config: Config =
            serde_json::from_str(r#"{"trusted_proxies": ["10.0.0.0/8"]}"#).unwrap();
        let of = |config: &Config, peer: Option<&str>| {
            let mut request = request(Some("yard:7420"), "/");
            for (name, value) in [
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "agents.example.com"),
                ("x-forwarded-prefix", "/yard"),
            ] {
                let value = axum::http::HeaderValue::from_static(value);
                request.headers.insert(name, value);
            }
            if let Some(peer) = peer {
                let peer = PeerAddress(peer.parse().unwrap());
                request.extensions.insert(peer);
            }
            Base::of(config, &request)
        };
        let believed = of(&config, Some("10.1.2.3"));
        assert_eq!(believed.join("x"), "https://agents.example.com/yard/x");
        assert!(believed.is_told_by_proxy());
        assert!(!believed.is_certain(), "it may repeat what a client said");
        assert_eq!(believed.authority(), None);
        for (name, value) in [
            ("x-forwarded-host", "localhost"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/evil"),
        ] {
            let mut request = request(Some("127.0.0.1:7420"), "/");
            let value = axum::http::HeaderValue::from_static(value);
            request.headers.insert(name, value);
            let peer = PeerAddress("10.1.2.3".parse().unwrap());
            request.extensions.insert(peer);
            let base = Base::of(&config, &request);
            assert!(!base.is_certain(), "{name}: a loopback is no proof either");
        }
        for (config, peer) in [
            (&config, Some("192.0.2.1")),
            (&config, None),
            (&Config::default(), Some("10.1.2.3")),
        ] {
            let base = of(config, peer);
            assert_eq!(base.url(), "http://yard:7420");
            assert!(!base.is_told_by_proxy());
        }
        let public = Config {
            public_url: Some("https://a.example".to_owned()),
            ..config
        };
        assert_eq!(of(&public, Some("10.1.2.3")).url(), "https://a.example");
    }
}

//! Whether a request is meant for this host, and does not come from a page of somebody else.
//!
//! An open host serves whoever can connect, and a browser on the same machine can. A page of another site
//! whose name was made to resolve to this host (DNS rebinding) is kept out by the name that it must use.

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{Uri, header};
use url::{Origin, Url};

use super::authority::{address, is_loopback, named};
use super::{Base, came_through_proxy, spoken};
use crate::Config;
use crate::gate::PeerAddress;

const FOREIGN_HOST: &str = "this host needs no credentials, so it answers only to localhost, to its addresses and to the name in public_url: use one of these, or let the operator set public_url or make an API key";
const FOREIGN_ORIGIN: &str = "this host needs no credentials, so it does not answer pages of other sites: the operator can make an API key";

/// Checks that a request to a host that is open names the host as its own clients do, and that no page of
/// another site sent it.
///
/// # Errors
/// For the client's developer: what is foreign, and what to do.
pub(crate) fn check_own(config: &Config, request: &Parts) -> Result<(), &'static str> {
    let authority = named(request).ok().flatten();
    let is_own = |authority: &Authority| {
        is_loopback(authority)
            || is_public(config, authority)
            || address(authority).is_some() && !came_from_here(request)
            || came_through_proxy(config, request)
    };
    // What names no host is no browser.
    if !authority.as_ref().is_none_or(is_own) {
        return Err(FOREIGN_HOST);
    }
    let own = || {
        let named = authority.as_ref();
        let named = named.and_then(|it| origin(&format!("{}://{it}", spoken(request))));
        [named, origin(Base::of(config, request).url())]
    };
    let is_own = |text: &str| origin(text).is_some_and(|it| own().contains(&Some(it)));
    let mut origins = request.headers.get_all(header::ORIGIN).iter();
    match origins.all(|it| it.to_str().is_ok_and(is_own)) {
        true => Ok(()),
        false => Err(FOREIGN_ORIGIN),
    }
}

/// Whether it is the host that the operator named.
fn is_public(config: &Config, authority: &Authority) -> bool {
    let url = config.public_url.as_deref();
    let url = url.and_then(|url| url.parse::<Uri>().ok());
    let host = url.as_ref().and_then(Uri::host);
    host.is_some_and(|host| host.eq_ignore_ascii_case(authority.host()))
}

/// Whether the client is on this machine, where every address but loopback is a name for something else.
fn came_from_here(request: &Parts) -> bool {
    let peer = request.extensions.get::<PeerAddress>();
    peer.is_some_and(|peer| peer.0.to_canonical().is_loopback())
}

/// Where a page comes from; nothing for those without a place, such as local files.
fn origin(text: &str) -> Option<Origin> {
    let origin = Url::parse(text).ok()?.origin();
    origin.is_tuple().then_some(origin)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn check(config: &Config, peer: &str, host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::builder().uri("/").header(header::HOST, host);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        head.extensions.insert(PeerAddress(peer.parse().unwrap()));
        check_own(config, &head).is_ok()
    }

    #[test]
    fn only_own_names_are_answered() {
        let plain = Config::default();
        let public = Config {
            public_url: Some("https://agents.example.com/yard".to_owned()),
            ..Config::default()
        };
        for (host, own) in [
            ("localhost:7420", true),
            ("LOCALHOST", true),
            ("127.0.0.1:7420", true),
            ("[::1]:7420", true),
            ("evil.example:7420", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.", false),
            ("10.0.0.1:7420", false),
        ] {
            assert_eq!(check(&plain, "127.0.0.1", host, None), own, "{host}");
            assert_eq!(check(&public, "127.0.0.1", host, None), own, "{host}");
        }
        assert!(check(&public, "127.0.0.1", "agents.example.com", None));
        assert!(
            check(&plain, "10.0.0.9", "10.0.0.1:7420", None),
            "another machine"
        );
        assert!(!check(&plain, "10.0.0.9", "evil.example", None));
        let behind: Config =
            serde_json::from_str(r#"{"trusted_proxies": ["10.0.0.0/8"]}"#).unwrap();
        assert!(check(&behind, "10.0.0.9", "yard", None));
    }

    #[test]
    fn pages_of_others_are_kept_out() {
        let plain = Config::default();
        for (origin, own) in [
            ("http://localhost:7420", true),
            ("http://localhost:3000", false),
            ("https://localhost:7420", false),
            ("http://evil.example", false),
            ("http://127.0.0.1:7420", false),
            ("null", false),
            ("file://", false),
            ("", false),
        ] {
            assert_eq!(
                check(&plain, "127.0.0.1", "localhost:7420", Some(origin)),
                own,
                "{origin}"
            );
        }
        let public = Config {
            public_url: Some("https://agents.example.com".to_owned()),
            ..Config::default()
        };
        let origin = Some("https://agents.example.com");
        assert!(check(&public, "10.0.0.9", "agents.example.com", origin));
    }
}

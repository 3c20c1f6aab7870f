//! What a proxy says about the address that the client used: `Forwarded` (RFC 7239) or the older
//! `X-Forwarded-*`.
//!
//! A proxy writes one kind, and may let through what a client wrote of the other. So the two are never mixed,
//! and where they differ, nothing is believed.

use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, header};

/// What the names of the older ones begin with.
const OLDER: &str = "x-forwarded-";
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The parts of the client's address that the nearest proxy told. What it did not tell, or told in a way
/// that makes no sense, is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub(super) scheme: Option<Scheme>,
    pub(super) authority: Option<Authority>,
    /// The path that the proxy took away, with a slash at its beginning and none at its end; never empty.
    pub(super) prefix: Option<String>,
}

impl Forwarded {
    /// Reads the headers. In each, the last value counts: it is what the nearest proxy wrote, and all
    /// before it may be what the client did.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let nothing = Self::default();
        match (Self::standard(headers), Self::older(headers)) {
            (standard, older) if older == nothing => standard,
            (standard, older) if standard == nothing || older.is_as(&standard) => older,
            _ => nothing,
        }
    }

    fn standard(headers: &HeaderMap) -> Self {
        let element = last(headers, &header::FORWARDED);
        let of_element = |name| element.as_deref().and_then(|element| pair(element, name));
        Self {
            scheme: of_element("proto").and_then(|proto| scheme(&proto)),
            authority: of_element("host").and_then(|host| authority(&host)),
            prefix: None,
        }
    }

    fn older(headers: &HeaderMap) -> Self {
        Self {
            scheme: last(headers, &PROTO).and_then(|proto| scheme(&proto)),
            authority: last(headers, &HOST).and_then(|host| authority(&host)),
            prefix: last(headers, &PREFIX).and_then(|prefix| path(&prefix)),
        }
    }

    /// Whether both name the same host in the same way. `Forwarded` has no word for a path.
    fn is_as(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.authority == other.authority
    }

    /// Whether there is any header by which proxies tell of themselves, also one that says nothing about the
    /// address.
    pub(crate) fn is_in(headers: &HeaderMap) -> bool {
        let is_older = |name: &HeaderName| name.as_str().starts_with(OLDER);
        headers.contains_key(header::FORWARDED) || headers.keys().any(is_older)
    }
}

/// The last item of all lists under `name`.
fn last(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    let item = line.rsplit(',').next()?.trim();
    (!item.is_empty()).then(|| item.to_owned())
}

/// The value of `name` in an element of `Forwarded`, such as `for=192.0.2.1;proto=https;host="h:1"`.
fn pair(element: &str, name: &str) -> Option<String> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(given, _)| given.trim().eq_ignore_ascii_case(name));
    let (_, value) = named.next()?;
    Some(value.trim().trim_matches('"').to_owned())
}

fn scheme(text: &str) -> Option<Scheme> {
    match text.to_ascii_lowercase().as_str() {
        "https" => Some(Scheme::HTTPS),
        "http" => Some(Scheme::HTTP),
        _ => None,
    }
}

/// A host that is one: a user name in front of it would hide where an address leads.
fn authority(text: &str) -> Option<Authority> {
    let parsed = text.parse::<Authority>().ok()?;
    (!parsed.as_str().contains('@')).then_some(parsed)
}

fn path(text: &str) -> Option<String> {
    let parsed = text.parse::<PathAndQuery>().ok()?;
    let path = parsed.path().trim_end_matches('/');
    // Two slashes at the beginning would be the beginning of another host.
    let is_path = path.starts_with('/') && !path.starts_with("//") && parsed.query().is_none();
    is_path.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(given: &[(&'static str, &'static str)]) -> (String, String, String) {
        let headers = given.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let headers: HeaderMap = headers.collect();
        assert_eq!(Forwarded::is_in(&headers), !given.is_empty());
        let read = Forwarded::read(&headers);
        let text = |part: Option<String>| part.unwrap_or_default();
        (
            text(read.scheme.map(|scheme| scheme.to_string())),
            text(read.authority.map(|authority| authority.to_string())),
            text(read.prefix),
        )
    }

    #[track_caller]
    fn check(given: &[(&'static str, &'static str)], expected: (&str, &str, &str)) {
        let (scheme, authority, prefix) = read(given);
        let found = (scheme.as_str(), authority.as_str(), prefix.as_str());
        assert_eq!(found, expected, "{given:?}");
    }

    #[test]
    fn both_kinds_of_headers_are_read() {
        check(&[], ("", "", ""));
        check(
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "a.example:8443"),
                ("x-forwarded-prefix", "/yard/"),
            ],
            ("https", "a.example:8443", "/yard"),
        );
        let element = "for=192.0.2.1;Proto=HTTPS; host=\"[2001:db8::1]:8443\"";
        check(
            &[("forwarded", element)],
            ("https", "[2001:db8::1]:8443", ""),
        );
        // What says nothing about the address is no reason to doubt the other kind.
        check(
            &[
                ("forwarded", "for=192.0.2.1"),
                ("x-forwarded-host", "a.example"),
            ],
            ("", "a.example", ""),
        );
        check(
            &[
                ("forwarded", "host=a.example"),
                ("x-forwarded-for", "192.0.2.1"),
            ],
            ("", "a.example", ""),
        );
        check(
            &[
                ("forwarded", "host=a.example;proto=https"),
                ("x-forwarded-host", "a.example"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-prefix", "/yard"),
            ],
            ("https", "a.example", "/yard"),
        );
    }

    #[test]
    fn a_client_cannot_add_the_other_kind() {
        let older = [
            ("x-forwarded-host", "a.example"),
            ("x-forwarded-proto", "https"),
        ];
        let standard = [("forwarded", "host=a.example;proto=https")];
        for of_client in [
            "host=evil.example",
            "host=evil.example;proto=https",
            "proto=http",
        ] {
            check(
                &[&older[..], &[("forwarded", of_client)]].concat(),
                ("", "", ""),
            );
            check(&[older[1], ("forwarded", of_client)], ("", "", ""));
        }
        for of_client in [
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-prefix", "/evil"),
        ] {
            check(&[&standard[..], &[of_client]].concat(), ("", "", ""));
        }
    }

    #[test]
    fn the_nearest_proxy_is_the_one_that_is_heard() {
        check(
            &[("x-forwarded-host", "evil.example, a.example")],
            ("", "a.example", ""),
        );
        check(
            &[("forwarded", "host=evil.example, host=a.example;proto=http")],
            ("http", "a.example", ""),
        );
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        for (name, value) in [
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-host", "a b"),
            ("x-forwarded-host", "me@evil.example"),
            ("x-forwarded-host", ""),
            ("x-forwarded-prefix", "yard"),
            ("x-forwarded-prefix", "/"),
            ("x-forwarded-prefix", "//evil.example"),
            ("x-forwarded-prefix", "/a?b"),
            ("forwarded", "host"),
        ] {
            check(&[(name, value)], ("", "", ""));
        }
    }
}

//! A bearer token: kept as a digest, compared in constant time, never shown.

use std::fmt;

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;
use taskyard_task::Digest;

use crate::single;

/// A secret that a caller must show. Only its digest is kept, so it can end up in no log.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Token([u8; 32]);

/// A text that cannot be sent as a bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token must be visible ASCII characters without spaces, at least one")]
pub struct InvalidToken;

impl Token {
    /// Whether `shown` is the secret. Takes the same time whether it is or not.
    #[must_use]
    pub fn matches(&self, shown: &str) -> bool {
        let shown = Digest::of(shown.as_bytes()).to_bytes();
        self.0.ct_eq(&shown).into()
    }
}

impl TryFrom<String> for Token {
    type Error = InvalidToken;

    fn try_from(text: String) -> Result<Self, InvalidToken> {
        let sendable = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        sendable
            .then(|| Self(Digest::of(text.as_bytes()).to_bytes()))
            .ok_or(InvalidToken)
    }
}

impl Serialize for Token {
    /// For showing a configuration: says that there is a token, not which.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(hidden)")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// What the header `Authorization` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authorization<'a> {
    /// Nothing.
    Absent,
    /// `Bearer`, with this token (RFC 6750 2.1).
    Bearer(&'a str),
    /// Another scheme.
    Other,
    /// Several things, or no text.
    Unclear,
}

impl<'a> Authorization<'a> {
    pub(crate) fn read(headers: &'a HeaderMap) -> Self {
        match single::header_of(headers, "authorization", credentials) {
            Ok(None) => Self::Absent,
            Ok(Some(shown)) => bearer_in(shown).map_or(Self::Other, Self::Bearer),
            Err(_) => Self::Unclear,
        }
    }
}

/// The token in the request's `Authorization` header, if there is one and nothing else.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    match Authorization::read(headers) {
        Authorization::Bearer(token) => Some(token),
        Authorization::Absent | Authorization::Other | Authorization::Unclear => None,
    }
}

/// The credentials that are joined on one line. A comma is between two of them only if a scheme follows: it
/// may as well be part of a token, or between the parameters of a scheme (RFC 9110 11.4).
fn credentials(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    let separates = |rest: &str, at: usize| rest.get(at + 1..).is_some_and(begins_with_scheme);
    while let Some((at, _)) = rest.match_indices(',').find(|(at, _)| separates(rest, *at)) {
        let (one, others) = rest.split_at(at);
        found.push(one.trim());
        rest = others.get(1..).unwrap_or_default();
    }
    found.push(rest.trim());
    found.retain(|one| !one.is_empty());
    found
}

fn begins_with_scheme(text: &str) -> bool {
    // Registered ones have half of that, and a header full of commas must not cost its square.
    const LONGEST_SCHEME: usize = 32;
    let text = text.trim_start();
    let letters = text.bytes().take(LONGEST_SCHEME);
    let letters = letters.take_while(|b| b.is_ascii_alphanumeric() || *b == b'-');
    match letters.count() {
        0 => false,
        end => text.as_bytes().get(end) == Some(&b' '),
    }
}

fn bearer_in(shown: &str) -> Option<&str> {
    let (scheme, token) = shown.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    #[test]
    fn only_the_same_text_matches() {
        let token = Token::try_from("s3cret".to_owned()).unwrap();
        assert!(token.matches("s3cret"));
        for wrong in ["", "s3cre", "s3cret ", "S3CRET", "s3crets"] {
            assert!(!token.matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn nothing_shows_it() {
        let token = Token::try_from("s3cret".to_owned()).unwrap();
        assert!(!format!("{token:?}").contains("s3cret"));
        assert_eq!(serde_json::to_string(&token).unwrap(), r#""(hidden)""#);
    }

    #[test]
    fn the_header_is_read_with_any_case_of_the_scheme() {
        let read = |value: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(read("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("bearer  abc").as_deref(), Some("abc"));
        assert_eq!(read("Basic abc"), None);
        assert_eq!(read("Bearer"), None);
        assert_eq!(read("Bearer abc, Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("Bearer abc, Bearer x"), None);
        assert_eq!(read("Bearer abc, Basic abc"), None);
        // A token that an operator wrote may have commas.
        assert_eq!(read("Bearer a,b").as_deref(), Some("a,b"));
        assert_eq!(read("Bearer a,b,Bearer a,b").as_deref(), Some("a,b"));
        assert_eq!(read("Digest realm=\"a, b\", uri=\"/\""), None);
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}

//! A bearer token: kept as a digest, compared in constant time, never shown.

use std::fmt;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq;
use taskyard_task::Digest;

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

/// The token in the request's `Authorization` header, if there is one (RFC 6750 2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

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
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}

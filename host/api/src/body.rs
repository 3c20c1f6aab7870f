//! Reading a request's body, up to a limit.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use http_body_util::LengthLimitError;

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    /// The client's to mend.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke; nobody will read the answer.
    #[error("the body could not be read: {0}")]
    Broken(String),
}

/// Reads the whole body if it has at most `limit` bytes.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Unread> {
    // What announces itself as too large is not read at all.
    if announced_length(headers).is_some_and(|length| length > limit as u64) {
        return Err(Unread::TooLarge(limit));
    }
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        let source = std::error::Error::source(&error);
        match source.is_some_and(|source| source.is::<LengthLimitError>()) {
            true => Unread::TooLarge(limit),
            false => Unread::Broken(error.to_string()),
        }
    })
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Whether the request has a `Content-Type` that satisfies `check`, without its parameters and in lower
/// case. One without is not taken: pages of other sites can send such requests without being asked.
pub(crate) fn content_type_is(headers: &HeaderMap, check: impl FnOnce(&str) -> bool) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let Some(Ok(value)) = value.map(HeaderValue::to_str) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default();
    check(&essence.trim().to_ascii_lowercase())
}

/// Whether a content type is JSON of any kind: `application/json`, `application/a2a+json` (A2A 11.1).
pub(crate) fn is_json(content_type: &str) -> bool {
    content_type == "application/json" || content_type.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_limit_holds_with_and_without_an_announced_length() {
        let none = HeaderMap::new();
        let announced =
            HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from_static("4"))]);
        assert_eq!(
            read(&none, Body::from("abc"), 3).await,
            Ok(Bytes::from("abc"))
        );
        assert_eq!(
            read(&none, Body::from("abcd"), 3).await,
            Err(Unread::TooLarge(3))
        );
        assert_eq!(
            read(&announced, Body::empty(), 3).await,
            Err(Unread::TooLarge(3))
        );
    }

    #[test]
    fn content_types_are_compared_without_parameters() {
        let of =
            |value| HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]);
        let is_json = |headers: &HeaderMap| content_type_is(headers, |t| t == "application/json");
        assert!(!is_json(&HeaderMap::new()));
        assert!(is_json(&of("application/json")));
        assert!(is_json(&of("Application/JSON; charset=utf-8")));
        assert!(!is_json(&of("text/plain")));
    }
}

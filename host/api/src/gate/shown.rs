//! What a request shows to prove who sends it.

use axum::http::HeaderMap;

use super::scheme::API_KEY_HEADER;
use crate::single;
use crate::token::Authorization;

/// What a request shows in its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown<'a> {
    /// Nothing.
    Nothing,
    /// A text in `Authorization: Bearer`.
    Bearer(&'a str),
    /// A text in `X-API-Key`.
    ApiKey(&'a str),
    /// Something that cannot be meant: another scheme, no text, or more than one credential.
    Unusable,
}

impl<'a> Shown<'a> {
    /// Reads the headers. Two credentials could be those of two clients, and nobody should have to guess
    /// which of them a gateway meant; so one of them is refused, unless both are the same.
    pub(super) fn read(headers: &'a HeaderMap) -> Self {
        let authorization = Authorization::read(headers);
        match (authorization, single::header(headers, API_KEY_HEADER)) {
            (Authorization::Absent, Ok(None)) => Self::Nothing,
            (Authorization::Bearer(token), Ok(None)) => Self::Bearer(token),
            (Authorization::Bearer(token), Ok(Some(key))) if token == key => Self::Bearer(token),
            // Authorization of another scheme may be for a gateway in front of the host.
            (Authorization::Absent | Authorization::Other, Ok(Some(key))) => Self::ApiKey(key),
            _ => Self::Unusable,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn one_credential_is_read_and_two_are_none() {
        const A: &str = "authorization";
        const K: &str = "x-api-key";
        for (headers, shown) in [
            (&[][..], Shown::Nothing),
            (&[("accept", "*/*")], Shown::Nothing),
            (&[(A, "Bearer t")], Shown::Bearer("t")),
            (&[(A, "bearer t")], Shown::Bearer("t")),
            (&[(K, "k")], Shown::ApiKey("k")),
            (&[(A, "Basic eA=="), (K, "k")], Shown::ApiKey("k")),
            (&[(A, "Bearer k"), (K, "k")], Shown::Bearer("k")),
            (&[(A, "Bearer t"), (K, "k")], Shown::Unusable),
            (&[(A, "Bearer t"), (A, "Bearer t")], Shown::Bearer("t")),
            (&[(A, "Bearer t, Bearer t")], Shown::Bearer("t")),
            (&[(A, "Bearer t"), (A, "Bearer u")], Shown::Unusable),
            (&[(A, "Bearer t, Bearer u"), (K, "k")], Shown::Unusable),
            (&[(A, "Bearer t"), (A, "Basic eA==")], Shown::Unusable),
            (
                &[(A, "Digest a=\"b\", c=\"d\""), (K, "k")],
                Shown::ApiKey("k"),
            ),
            (&[(K, "k"), (K, "k")], Shown::ApiKey("k")),
            (&[(K, "k, k")], Shown::ApiKey("k")),
            (&[(K, "k"), (K, "l")], Shown::Unusable),
            (&[(K, "k,l")], Shown::Unusable),
            (&[(A, ""), (K, "")], Shown::Nothing),
            (&[(A, ""), (K, "k")], Shown::ApiKey("k")),
            (&[(A, "Bearer t"), (K, "")], Shown::Bearer("t")),
            (&[(A, "Basic eA==")], Shown::Unusable),
            (&[(A, "Bearer")], Shown::Unusable),
            (&[(A, "Bearer t"), (K, "\u{e9}")], Shown::Unusable),
            (&[(K, "\u{e9}")], Shown::Unusable),
        ] {
            let pairs = headers.iter().map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                (HeaderName::from_static(name), value)
            });
            let mut map = HeaderMap::new();
            pairs.for_each(|(name, value)| {
                map.append(name, value);
            });
            assert_eq!(Shown::read(&map), shown, "{headers:?}");
        }
    }
}

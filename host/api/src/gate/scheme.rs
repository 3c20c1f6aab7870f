//! The ways to show who one is that this host takes: for cards, and for those that showed nothing.

use std::fmt;

/// The header that an API key may come in, besides `Authorization: Bearer`.
pub(crate) const API_KEY_HEADER: &str = "X-API-Key";

/// One way to show who one is, as agent cards declare it (A2A 4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// What cards call it; no two of a host have the same.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: SchemeKind,
}

/// What a client must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SchemeKind {
    /// Send `Authorization: Bearer`, with a token or an API key.
    Bearer,
    /// Send an API key in the header [`API_KEY_HEADER`].
    ApiKey,
    /// Send `Authorization: Bearer`, with a token from the issuer that is described here.
    OpenIdConnect {
        /// The address of its discovery document.
        url: String,
    },
    /// Show a certificate while connecting.
    MutualTls,
}

/// Which kinds of credentials are worth showing, in the words of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// In `Authorization: Bearer`.
    pub(crate) bearer: bool,
    /// In [`API_KEY_HEADER`].
    pub(crate) api_key: bool,
    /// While connecting.
    pub(crate) certificate: bool,
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways = [
            (self.bearer, "a token or key in Authorization: Bearer"),
            (self.api_key, "an API key in X-API-Key"),
            (self.certificate, "a client certificate"),
        ];
        let taken = ways
            .into_iter()
            .filter_map(|(taken, way)| taken.then_some(way));
        f.write_str(&taken.collect::<Vec<_>>().join(", or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_is_taken() {
        let all = Accepted {
            bearer: true,
            api_key: true,
            certificate: true,
        };
        assert_eq!(
            all.to_string(),
            "a token or key in Authorization: Bearer, or an API key in X-API-Key, or a client certificate"
        );
        let one = Accepted {
            api_key: false,
            certificate: false,
            ..all
        };
        assert_eq!(one.to_string(), "a token or key in Authorization: Bearer");
    }
}

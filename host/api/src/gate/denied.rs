//! Why the gate stays shut.

/// Why the gate stays shut. Clients are told less than operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    /// Nothing was shown.
    Missing,
    /// What was shown is worth nothing. The reason is for the operators.
    Wrong(Credential, &'static str),
    /// Who it is is known, and that it is not enough.
    NotEnough(&'static str),
    /// Nobody can say now. The reason is for the operators.
    Unavailable(String),
}

/// What was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    /// Headers that make no sense.
    Unusable,
    /// A bearer token that is no JWT.
    Token,
    /// An API key.
    ApiKey,
    /// A JSON web token.
    Jwt,
    /// A certificate.
    Certificate,
}

impl Denied {
    /// What operators count.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Missing => "nothing",
            Self::Wrong(credential, _) => credential.label(),
            Self::NotEnough(_) => "scope",
            Self::Unavailable(_) => "issuer",
        }
    }
}

impl Credential {
    fn label(self) -> &'static str {
        match self {
            Self::Unusable => "unusable",
            Self::Token => "token",
            Self::ApiKey => "key",
            Self::Jwt => "jwt",
            Self::Certificate => "certificate",
        }
    }
}

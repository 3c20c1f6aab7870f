//! What an operator says about an issuer of tokens.

use std::path::PathBuf;

use jsonwebtoken::Algorithm;
use serde::{Deserialize, Serialize};
use taskyard_task::{AccessScope, Tenant};

/// The claim that names the tenant if the operator names none.
const TENANT_CLAIM: &str = "tenant";
/// The claim that says for whom a token is (RFC 7519 4.1.3).
const AUDIENCE_CLAIM: &str = "aud";
/// Clocks of well-kept machines differ by less.
const LEEWAY_SECONDS: u64 = 30;
/// The longest leeway: more would only prolong the life of tokens.
const MAX_LEEWAY_SECONDS: u64 = 300;
/// The longest pause between two fetches: no longer than keys are good without being looked at.
const MAX_REFRESH_SECONDS: u64 = 600;
/// Issuers publish a new key some time before they use it, and strangers can make up key ids.
const REFRESH_SECONDS: u64 = 30;

/// An issuer whose tokens this host takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtIssuer {
    /// The claim `iss` of its tokens, to the letter. Without `jwks_url` and `jwks_file`, its keys are
    /// found through `.well-known/openid-configuration` below it.
    pub issuer: String,
    /// What the claim `aud` must contain one of: the names that this host has for the issuer.
    pub audiences: Vec<String>,
    /// The claim that is looked at instead of `aud`, for issuers that put none into access tokens: Amazon
    /// Cognito says `client_id`. The audiences are what they name there.
    #[serde(default)]
    pub audience_claim: Option<String>,
    /// Where its keys are, if there is no discovery.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// The file with its keys.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// The tenant of all its clients.
    #[serde(default)]
    pub tenant: Option<Tenant>,
    /// The claim that names the tenant, if not all have the same; `tenant` if neither is said.
    #[serde(default)]
    pub tenant_claim: Option<String>,
    /// What the claim `scope` must contain, if anything.
    #[serde(default)]
    pub required_scope: Option<String>,
    /// The algorithms that it may sign with.
    #[serde(default = "JwtAlgorithm::all")]
    pub algorithms: Vec<JwtAlgorithm>,
    /// How much its clock and this host's may differ, in seconds.
    #[serde(default = "leeway_seconds")]
    pub leeway_seconds: u64,
    /// How often its keys are fetched at most for tokens that name an unknown one, in seconds.
    #[serde(default = "refresh_seconds")]
    pub refresh_seconds: u64,
    /// What its tokens are good for.
    #[serde(default)]
    pub scope: AccessScope,
}

/// An algorithm of signatures (RFC 7518, RFC 8037). Those with shared secrets are not among them: whoever
/// could verify a token could make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JwtAlgorithm {
    /// RSA, PKCS #1 1.5, with SHA-256.
    RS256,
    /// The same with SHA-384.
    RS384,
    /// The same with SHA-512.
    RS512,
    /// RSA, PSS, with SHA-256.
    PS256,
    /// The same with SHA-384.
    PS384,
    /// The same with SHA-512.
    PS512,
    /// ECDSA over P-256.
    ES256,
    /// ECDSA over P-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

impl JwtAlgorithm {
    fn all() -> Vec<Self> {
        vec![
            Self::RS256,
            Self::RS384,
            Self::RS512,
            Self::PS256,
            Self::PS384,
            Self::PS512,
            Self::ES256,
            Self::ES384,
            Self::EdDSA,
        ]
    }
}

impl From<JwtAlgorithm> for Algorithm {
    fn from(algorithm: JwtAlgorithm) -> Self {
        match algorithm {
            JwtAlgorithm::RS256 => Self::RS256,
            JwtAlgorithm::RS384 => Self::RS384,
            JwtAlgorithm::RS512 => Self::RS512,
            JwtAlgorithm::PS256 => Self::PS256,
            JwtAlgorithm::PS384 => Self::PS384,
            JwtAlgorithm::PS512 => Self::PS512,
            JwtAlgorithm::ES256 => Self::ES256,
            JwtAlgorithm::ES384 => Self::ES384,
            JwtAlgorithm::EdDSA => Self::EdDSA,
        }
    }
}

fn leeway_seconds() -> u64 {
    LEEWAY_SECONDS
}

fn refresh_seconds() -> u64 {
    REFRESH_SECONDS
}

impl JwtIssuer {
    /// The claim that says for whom a token is.
    pub(super) fn audience_claim(&self) -> &str {
        self.audience_claim.as_deref().unwrap_or(AUDIENCE_CLAIM)
    }

    /// The claim that names the tenant, if not all have the same.
    pub(super) fn tenant_claim(&self) -> &str {
        self.tenant_claim.as_deref().unwrap_or(TENANT_CLAIM)
    }

    /// Where the issuer says where its keys are, if it is asked.
    #[must_use]
    pub fn discovery_url(&self) -> Option<String> {
        let discovered = self.jwks_url.is_none() && self.jwks_file.is_none();
        let base = self.issuer.trim_end_matches('/');
        discovered.then(|| format!("{base}/.well-known/openid-configuration"))
    }

    /// What makes no sense about it: a key, and what is wrong.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let rules = [
            (self.issuer.is_empty(), "issuer", "must not be empty"),
            (
                self.audiences.is_empty() || self.audiences.contains(&String::new()),
                "audiences",
                "must name what the issuer calls this host; tokens for others are not to be taken",
            ),
            (
                self.audience_claim().is_empty(),
                "audience_claim",
                "must name a claim, or be left out",
            ),
            (
                self.algorithms.is_empty(),
                "algorithms",
                "must name one, or be left out",
            ),
            (
                self.jwks_url.is_some() && self.jwks_file.is_some(),
                "jwks_file",
                "cannot be set besides jwks_url",
            ),
            (
                self.tenant.is_some() && self.tenant_claim.is_some(),
                "tenant_claim",
                "cannot be set besides tenant",
            ),
            (
                self.leeway_seconds > MAX_LEEWAY_SECONDS,
                "leeway_seconds",
                "must be at most 300",
            ),
            (
                self.refresh_seconds > MAX_REFRESH_SECONDS,
                "refresh_seconds",
                "must be at most 600",
            ),
        ];
        let mut broken = rules.into_iter().filter(|(broken, ..)| *broken);
        broken.next().map(|(_, key, problem)| (key, problem))
    }
}

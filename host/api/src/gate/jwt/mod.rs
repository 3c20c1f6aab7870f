//! Bearer tokens that others issue: JSON web tokens (RFC 7519), verified with the issuer's public keys.

mod claims;
mod config;
mod keys;
mod refusals;
mod source;
#[cfg(test)]
mod tests;
mod token;

use std::sync::{Arc, OnceLock};

use taskyard_clock::Clock;

pub use config::{JwtAlgorithm, JwtIssuer};
pub use source::FetchDocument;

use super::Access;
use super::denied::{Credential, Denied};
use super::scheme::{Scheme, SchemeKind};
use refusals::Refusals;
use source::Source;
use token::Token;

/// Where the fetcher is once the composition root has said who it is.
type Fetcher = Arc<OnceLock<Arc<dyn FetchDocument>>>;

/// The issuers that the host trusts.
pub(super) struct Issuers {
    issuers: Vec<Issuer>,
    fetcher: Fetcher,
    clock: Clock,
    refusals: Refusals,
}

struct Issuer {
    config: JwtIssuer,
    source: Source,
}

/// Whether a bearer token may be meant as one: three parts.
pub(super) fn looks_like_one(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Issuers {
    pub(super) fn new(configs: &[JwtIssuer], clock: &Clock) -> Self {
        let fetcher = Fetcher::default();
        let issuers = configs.iter().map(|config| Issuer {
            config: config.clone(),
            source: Source::new(config, clock.clone(), Arc::clone(&fetcher)),
        });
        Self {
            issuers: issuers.collect(),
            clock: clock.clone(),
            refusals: Refusals::default(),
            fetcher,
        }
    }

    pub(super) fn set_fetcher(&self, fetcher: Arc<dyn FetchDocument>) {
        // A second one would be a mistake of the composition; the first stays.
        let _ = self.fetcher.set(fetcher);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// The issuers that clients can look up by themselves.
    pub(super) fn schemes(&self) -> impl Iterator<Item = Scheme> {
        let urls = self.issuers.iter();
        let urls = urls.filter_map(|issuer| issuer.config.discovery_url());
        urls.enumerate().map(|(n, url)| Scheme {
            name: match n {
                0 => "openIdConnect".to_owned(),
                n => format!("openIdConnect{}", n + 1),
            },
            kind: SchemeKind::OpenIdConnect { url },
        })
    }

    /// Whose token it is. What is cheap comes first; keys are fetched only for tokens that all but the
    /// signature speaks for.
    pub(super) async fn verify(&self, text: &str) -> Result<Access, Denied> {
        let wrong = |why| Denied::Wrong(Credential::Jwt, why);
        let token = Token::parse(text).map_err(wrong)?;
        let Issuer { config, source } = self.issuer_of(&token).map_err(wrong)?;
        if !config.algorithms.contains(&token.algorithm) {
            self.refusals.other_algorithm(config, &self.clock);
            return Err(wrong("an algorithm that is not allowed"));
        }
        claims::check_times(config, &token.claims, self.clock.wall()).map_err(wrong)?;
        let keys = source.keys_with(token.key_id.as_deref()).await;
        let keys = keys.map_err(Denied::Unavailable)?;
        if !keys.signed(&token) {
            return Err(wrong("no known key signed it"));
        }
        claims::access(config, &token.claims)
    }

    /// The entry that a token fits. There may be several for one issuer, each with audiences of its own.
    fn issuer_of(&self, token: &Token<'_>) -> Result<&Issuer, &'static str> {
        let claims = &token.claims;
        let issuers = self.issuers.iter();
        let mut known = issuers.filter(|issuer| claims::is_from(&issuer.config, claims));
        let Some(first) = known.clone().next() else {
            self.refusals.unknown_issuer(claims, &self.clock);
            return Err("an unknown issuer");
        };
        let meant = known.find(|issuer| claims::is_for_us(&issuer.config, claims));
        meant.ok_or_else(|| {
            self.refusals
                .unknown_audience(&first.config, claims, &self.clock);
            "a known issuer and an unknown audience"
        })
    }
}

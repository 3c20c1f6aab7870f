//! What operators are told of tokens that fit no issuer of theirs: enough to see what is configured wrongly,
//! and not so often that a stranger could fill the log.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};
use taskyard_clock::Clock;
use taskyard_task::Timestamp;
use tracing::warn;

use super::config::JwtIssuer;

/// How often operators are told of each kind, in milliseconds. Whoever tries tokens out notices it soon.
const EVERY_MS: u64 = 10_000;
/// How much of a claim is shown. Nothing in it is verified, and it may be of any length.
const MAX_CLAIM_CHARS: usize = 200;

/// Tells operators, now and then.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    issuer: Rarely,
    audience: Rarely,
    algorithm: Rarely,
}

impl Refusals {
    /// No issuer is configured under the name that the token has.
    pub(super) fn unknown_issuer(&self, claims: &Map<String, Value>, clock: &Clock) {
        if self.issuer.is_due(clock.now()) {
            let issuer = shown(claims.get("iss"));
            warn!(
                issuer,
                "refused a token: no entry of api.jwt has its issuer"
            );
        }
    }

    /// The issuer is known, and the token is not for this host.
    pub(super) fn unknown_audience(
        &self,
        config: &JwtIssuer,
        claims: &Map<String, Value>,
        clock: &Clock,
    ) {
        if self.audience.is_due(clock.now()) {
            let (issuer, claim) = (&config.issuer, config.audience_claim());
            let audience = shown(claims.get(claim));
            warn!(
                issuer,
                claim,
                audience,
                "refused a token: its issuer is known, and what it names in this claim is not among the audiences of the entry in api.jwt"
            );
        }
    }

    /// The issuer is known, and signs with what its entry does not allow.
    pub(super) fn other_algorithm(&self, config: &JwtIssuer, clock: &Clock) {
        if self.algorithm.is_due(clock.now()) {
            let issuer = &config.issuer;
            warn!(
                issuer,
                "refused a token: the entry of its issuer in api.jwt does not allow its algorithm"
            );
        }
    }
}

/// When something was told last.
#[derive(Debug, Default)]
struct Rarely(Mutex<Option<Timestamp>>);

impl Rarely {
    fn is_due(&self, now: Timestamp) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|told| now.millis_since(told) >= EVERY_MS);
        if is_due {
            *told = Some(now);
        }
        is_due
    }
}

/// A claim as it may stand in a log: names of issuers and audiences are no secrets, and everything else of
/// the token stays out.
fn shown(claim: Option<&Value>) -> String {
    let text = claim.map_or_else(|| "nothing".to_owned(), Value::to_string);
    text.chars().take(MAX_CLAIM_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_flood_is_told_once_in_a_while() {
        let clock = Clock::simulated(Timestamp(1_000_000));
        let rarely = Rarely::default();
        let told = |tries: usize| (0..tries).filter(|_| rarely.is_due(clock.now())).count();
        assert_eq!(told(100), 1);
        clock.advance(Duration::from_millis(EVERY_MS - 1));
        assert_eq!(told(100), 0);
        clock.advance(Duration::from_millis(1));
        assert_eq!(told(100), 1);
    }

    #[test]
    fn claims_are_shown_on_one_short_line() {
        assert_eq!(shown(None), "nothing");
        assert_eq!(shown(Some(&json!(["a", "b"]))), r#"["a","b"]"#);
        assert_eq!(shown(Some(&json!("a\nb\u{1b}"))), r#""a\nb\u001b""#);
        let long = shown(Some(&json!("x".repeat(10_000))));
        assert_eq!(long.len(), MAX_CLAIM_CHARS);
    }
}

//! What a token claims (RFC 7519 4.1): for whom it is, when it is good, and on whose behalf.

use serde_json::{Map, Value};
use taskyard_task::{Tenant, Timestamp};

use super::config::JwtIssuer;
use crate::gate::Access;
use crate::gate::denied::{Credential, Denied};

/// The longest name of a user; it becomes part of digests and nothing else.
const MAX_SUBJECT_BYTES: usize = 1_024;

type Claims = Map<String, Value>;

/// Whether the token says that it is from this issuer.
pub(super) fn is_from(config: &JwtIssuer, claims: &Claims) -> bool {
    let from = claims.get("iss").and_then(Value::as_str);
    from == Some(config.issuer.as_str())
}

/// Whether the token says that it is for this host, as the issuer knows it.
pub(super) fn is_for_us(config: &JwtIssuer, claims: &Claims) -> bool {
    let mut audiences = texts(claims.get(config.audience_claim()));
    audiences.any(|audience| config.audiences.iter().any(|ours| ours == audience))
}

/// Whether it is good now. One that says no end is good for nothing.
pub(super) fn check_times(
    config: &JwtIssuer,
    claims: &Claims,
    now: Timestamp,
) -> Result<(), &'static str> {
    let now = now.0 as f64 / 1_000.0;
    let leeway = config.leeway_seconds as f64;
    let end = claims.get("exp").and_then(Value::as_f64);
    let end = end.ok_or("no moment when it expires")?;
    if now >= end + leeway {
        return Err("expired");
    }
    match claims.get("nbf").map(Value::as_f64) {
        Some(None) => Err("nbf is no moment"),
        Some(Some(begin)) if now + leeway < begin => Err("not good yet"),
        Some(Some(_)) | None => Ok(()),
    }
}

/// What a verified token opens.
pub(super) fn access(config: &JwtIssuer, claims: &Claims) -> Result<Access, Denied> {
    let subject = claims.get("sub").and_then(Value::as_str);
    let subject = subject.filter(|text| (1..=MAX_SUBJECT_BYTES).contains(&text.len()));
    // What stands for a character that could not be read must not make one of two subjects.
    let subject = subject.filter(|text| !text.contains(char::REPLACEMENT_CHARACTER));
    let subject = subject.ok_or(Denied::Wrong(Credential::Jwt, "no subject"))?;
    if !config
        .required_scope
        .as_ref()
        .is_none_or(|scope| has_scope(claims, scope))
    {
        return Err(Denied::NotEnough(
            "the token lacks the scope that this host requires; ask its issuer for one that has it",
        ));
    }
    Ok(Access::Client {
        tenant: tenant(config, claims)?,
        // A subject is unique within its issuer only.
        name: format!("{}#{subject}", config.issuer),
        scope: config.scope.clone(),
    })
}

fn tenant(config: &JwtIssuer, claims: &Claims) -> Result<Tenant, Denied> {
    if let Some(tenant) = &config.tenant {
        return Ok(tenant.clone());
    }
    // Some issuers write a list even of one, and which of several is meant only the caller knows.
    let mut claimed = texts(claims.get(config.tenant_claim()));
    let (claimed, another) = (claimed.next(), claimed.next());
    if another.is_some() {
        return Err(Denied::NotEnough(
            "the token names more than one tenant; ask its issuer for one that names the tenant that is meant",
        ));
    }
    // The empty tenant is that of hosts without tenants.
    let claimed = claimed.filter(|text| !text.is_empty());
    let tenant = claimed.and_then(|text| text.parse().ok());
    tenant.ok_or(Denied::NotEnough(
        "the token names no tenant that this host can serve",
    ))
}

/// Scopes are one text (RFC 8693 4.2); some issuers write a list, and some call it `scp`.
fn has_scope(claims: &Claims, wanted: &str) -> bool {
    let claimed = ["scope", "scp"].into_iter();
    let mut texts = claimed.flat_map(|claim| texts(claims.get(claim)));
    texts.any(|text| text.split(' ').any(|scope| scope == wanted))
}

/// One text, or a list of texts.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Some(Value::String(text)) => (Some(text.as_str()), None),
        Some(Value::Array(list)) => (None, Some(list)),
        _ => (None, None),
    };
    let many = many.into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(many)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(more: Value) -> JwtIssuer {
        let mut config = json!({"issuer": "https://id", "audiences": ["yard", "other"]});
        config
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(config).unwrap()
    }

    fn claims(value: Value) -> Claims {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_token_names_its_issuer_and_this_host() {
        for (iss, aud, fits) in [
            (json!("https://id"), json!("yard"), true),
            (json!("https://id"), json!(["x", "other"]), true),
            (json!("https://id/"), json!("yard"), false),
            (json!("https://id"), json!("x"), false),
            (json!("https://id"), json!([]), false),
            (json!("https://id"), json!(null), false),
            (json!("https://id"), json!({"yard": 1}), false),
            (json!(["https://id"]), json!("yard"), false),
            (json!(null), json!("yard"), false),
        ] {
            let claims = claims(json!({"iss": iss, "aud": aud}));
            let config = config(json!({}));
            let both = is_from(&config, &claims) && is_for_us(&config, &claims);
            assert_eq!(both, fits, "{claims:?}");
        }
    }

    #[test]
    fn another_claim_may_say_for_whom_a_token_is() {
        let config = config(json!({"audience_claim": "client_id"}));
        for (value, fits) in [
            (json!({"client_id": "yard"}), true),
            (json!({"client_id": ["x", "yard"], "aud": "x"}), true),
            (json!({"aud": "yard"}), false),
            (json!({"aud": "yard", "client_id": "x"}), false),
            (json!({}), false),
        ] {
            let claims = claims(value);
            assert_eq!(is_for_us(&config, &claims), fits, "{claims:?}");
        }
    }

    #[test]
    fn a_token_is_good_between_two_moments() {
        let config = config(json!({"leeway_seconds": 10}));
        let now = Timestamp(1_000_000);
        for (value, good) in [
            (json!({"exp": 1_001}), true),
            (json!({"exp": 1_000.5}), true),
            (json!({"exp": 991}), true),
            (json!({"exp": 990}), false),
            (json!({"exp": 0}), false),
            (json!({"exp": -5}), false),
            (json!({}), false),
            (json!({"exp": null}), false),
            (json!({"exp": "1001"}), false),
            (json!({"exp": 1_001, "nbf": 1_010}), true),
            (json!({"exp": 1_001, "nbf": 1_011}), false),
            (json!({"exp": 1_001, "nbf": "0"}), false),
        ] {
            let claims = claims(value);
            let checked = check_times(&config, &claims, now);
            assert_eq!(checked.is_ok(), good, "{claims:?}: {checked:?}");
        }
    }

    fn tenant_of(config: &JwtIssuer, value: Value) -> Result<String, Denied> {
        match access(config, &claims(value))? {
            Access::Client { tenant, name, .. } => Ok(format!("{tenant} {name}")),
            Access::Anyone => panic!("nobody is anyone"),
        }
    }

    #[test]
    fn the_tenant_is_fixed_or_claimed() {
        let fixed = config(json!({"tenant": "acme"}));
        let found = tenant_of(&fixed, json!({"sub": "u", "tenant": "globex"}));
        assert_eq!(found.unwrap(), "acme https://id#u");
        let claimed = config(json!({"tenant_claim": "org"}));
        let found = tenant_of(
            &claimed,
            json!({"sub": "u", "tenant": "x", "org": "globex"}),
        );
        assert_eq!(found.unwrap(), "globex https://id#u");
        let found = tenant_of(&claimed, json!({"sub": "u", "org": ["globex"]}));
        assert_eq!(found.unwrap(), "globex https://id#u");
        for wrong in [
            json!(null),
            json!(""),
            json!("a/b"),
            json!(7),
            json!([]),
            json!([""]),
            json!([7]),
            json!(["a", "b"]),
            json!({"a": "b"}),
        ] {
            let found = tenant_of(&config(json!({})), json!({"sub": "u", "tenant": wrong}));
            assert!(matches!(found, Err(Denied::NotEnough(_))), "{found:?}");
        }
        for wrong in [
            json!(null),
            json!(""),
            json!(7),
            json!("u\u{fffd}"),
            json!("u".repeat(1_025)),
        ] {
            let found = tenant_of(&fixed, json!({"sub": wrong}));
            assert!(matches!(found, Err(Denied::Wrong(..))), "{found:?}");
        }
    }

    #[test]
    fn a_scope_may_be_required() {
        let config = config(json!({"tenant": "acme", "required_scope": "a2a.call"}));
        for (more, enough) in [
            (json!({"scope": "a2a.call"}), true),
            (json!({"scope": "openid a2a.call email"}), true),
            (json!({"scp": ["openid", "a2a.call"]}), true),
            (json!({"scope": "a2a.caller"}), false),
            (json!({"scope": ""}), false),
            (json!({}), false),
        ] {
            let mut all = claims(more);
            all.insert("sub".to_owned(), json!("u"));
            assert_eq!(access(&config, &all).is_ok(), enough, "{all:?}");
        }
    }
}

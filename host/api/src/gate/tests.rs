//! The gate alone: who comes in with what.

use std::time::Duration;

use axum::http::Request;
use taskyard_broker::{MadeApiKey, NewApiKey, Sources};
use taskyard_task::{AccessScope, Tenant, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::token::Token;

struct House {
    gate: Gate,
    broker: Broker,
    clock: Clock,
    _folder: TempDir,
}

fn house(config: &Config) -> House {
    let folder = TempDir::new().unwrap();
    let storage = taskyard_storage::Config {
        folder: folder.path().to_owned(),
        sync: false,
        max_open_files: None,
        accept_data_loss: false,
    };
    let clock = Clock::simulated(Timestamp(1_000_000));
    let sources = Sources {
        clock: clock.clone(),
        ..Sources::default()
    };
    let broker = Broker::open(&storage, taskyard_broker::Config::default(), sources).unwrap();
    House {
        gate: Gate::new(config, broker.clone(), clock.clone()),
        broker,
        clock,
        _folder: folder,
    }
}

fn client(token: &str, tenant: &str) -> ClientCredential {
    ClientCredential {
        token: Token::try_from(token.to_owned()).unwrap(),
        tenant: tenant.parse().unwrap(),
        name: format!("{tenant}-client"),
        scope: AccessScope::default(),
    }
}

fn guarded() -> Config {
    Config {
        clients: vec![client("one", "acme"), client("two", "globex")],
        ..Config::default()
    }
}

fn head(headers: &[(&str, &str)]) -> Parts {
    let request = headers.iter().fold(Request::builder(), |request, header| {
        request.header(header.0, header.1)
    });
    request.body(()).unwrap().into_parts().0
}

fn bearer(token: &str) -> Parts {
    head(&[("authorization", &format!("Bearer {token}"))])
}

fn certificate(head: Parts, common_name: &str, names: &[&str]) -> Parts {
    let mut head = head;
    head.extensions.insert(PeerCertificate {
        common_name: Some(common_name.to_owned()),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    });
    head
}

fn tenant(access: &Access) -> Tenant {
    access.caller(None).unwrap().tenant
}

impl House {
    async fn make(&self, lifetime_ms: Option<u64>) -> MadeApiKey {
        let new = NewApiKey {
            tenant: "acme".parse().unwrap(),
            name: "ci".to_owned(),
            scope: AccessScope {
                agents: None,
                read_only: true,
            },
            lifetime_ms,
        };
        self.broker.make_api_key(new).await.unwrap()
    }

    async fn is_refused(&self, head: &Parts) -> bool {
        match self.gate.admit(head).await {
            Ok(_) => false,
            Err(error) => matches!(error, ApiError::Unauthenticated(_)),
        }
    }
}

#[tokio::test]
async fn an_open_gate_takes_the_tenant_from_the_request() {
    let house = house(&Config::default());
    assert!(house.gate.is_open() && house.gate.schemes().is_empty());
    let access = house.gate.admit(&head(&[])).await.unwrap();
    assert_eq!(tenant(&access), Tenant::default());
    let caller = access.caller(Some("acme".parse().unwrap())).unwrap();
    assert_eq!(caller.tenant.as_str(), "acme");
    assert_eq!(caller.principal, None);
}

#[tokio::test]
async fn a_guarded_gate_wants_a_known_token() {
    let house = house(&guarded());
    for head in [
        head(&[]),
        bearer("three"),
        bearer(""),
        head(&[("authorization", "Basic b25l")]),
        // A token is no key.
        head(&[("x-api-key", "one")]),
    ] {
        assert!(house.is_refused(&head).await, "{head:?}");
    }
}

#[tokio::test]
async fn strangers_are_not_told_why_an_issuer_is_out_of_reach() {
    let why = "/etc/keys.json: permission denied".to_owned();
    let refused = house(&guarded()).gate.refuse(Denied::Unavailable(why));
    assert_eq!(refused, ApiError::IssuerUnavailable);
    assert!(!refused.to_string().contains("keys.json"), "{refused}");
}

#[tokio::test]
async fn the_tenant_comes_from_the_credential() {
    let access = house(&guarded()).gate.admit(&bearer("two")).await.unwrap();
    let caller = access.caller(None).unwrap();
    assert_eq!(caller.tenant.as_str(), "globex");
    assert_eq!(caller.principal.as_deref(), Some("globex-client"));
    assert!(access.caller(Some(caller.tenant)).is_some());
    assert!(access.caller(Some("acme".parse().unwrap())).is_none());
}

#[tokio::test]
async fn the_first_key_shuts_the_gate_and_nothing_opens_it_again() {
    let house = house(&Config::default());
    let made = house.make(None).await;
    assert!(house.is_refused(&head(&[])).await);
    for shown in [bearer(&made.text), head(&[("x-api-key", &made.text)])] {
        let access = house.gate.admit(&shown).await.unwrap();
        assert_eq!(tenant(&access).as_str(), "acme");
        let caller = access.caller(None).unwrap();
        assert_eq!(caller.principal, Some(format!("key:{}", made.key.id)));
    }
    house.broker.revoke_api_key(made.key.id).await.unwrap();
    assert!(house.is_refused(&bearer(&made.text)).await);
    assert!(house.is_refused(&head(&[])).await);
}

#[tokio::test]
async fn a_host_can_be_shut_before_anybody_has_a_key() {
    let house = house(&Config {
        require_credentials: true,
        ..Config::default()
    });
    assert!(house.is_refused(&head(&[])).await);
    let made = house.make(None).await;
    assert!(house.gate.admit(&bearer(&made.text)).await.is_ok());
}

#[tokio::test]
async fn a_key_is_good_until_it_expires() {
    let house = house(&Config::default());
    let made = house.make(Some(1_000)).await;
    house.clock.advance(Duration::from_millis(999));
    assert!(house.gate.admit(&bearer(&made.text)).await.is_ok());
    house.clock.advance(Duration::from_millis(1));
    assert!(house.is_refused(&bearer(&made.text)).await);
}

#[tokio::test]
async fn only_the_whole_key_opens() {
    let house = house(&Config::default());
    let text = house.make(None).await.text;
    let other = house.make(None).await.text;
    let (id, secret) = (&text[..21], &other[21..]);
    let wrong_digit = if text.ends_with('0') { "1" } else { "0" };
    for wrong in [
        format!("{id}{secret}"),
        format!("{}{wrong_digit}", &text[..text.len() - 1]),
        text.to_uppercase(),
        format!("tyk_{}{}", "0".repeat(16), &text[20..]),
        id.to_owned(),
    ] {
        assert!(house.is_refused(&bearer(&wrong)).await, "{wrong}");
        assert!(house.is_refused(&head(&[("x-api-key", &wrong)])).await);
    }
}

#[tokio::test]
async fn a_certificate_counts_only_if_nothing_else_is_shown() {
    let known = ClientCertificate {
        subject: "ci.example.com".to_owned(),
        by_common_name: false,
        tenant: "acme".parse().unwrap(),
        name: "ci".to_owned(),
        scope: AccessScope::default(),
    };
    let house = house(&Config {
        certificates: vec![known],
        ..guarded()
    });
    let shown = certificate(head(&[]), "x", &["y", "ci.example.com"]);
    let access = house.gate.admit(&shown).await.unwrap();
    assert_eq!(tenant(&access).as_str(), "acme");
    let good = |head| certificate(head, "x", &["ci.example.com"]);
    let access = house.gate.admit(&good(bearer("two"))).await.unwrap();
    assert_eq!(tenant(&access).as_str(), "globex");
    for refused in [
        good(bearer("wrong")),
        good(head(&[("x-api-key", "wrong")])),
        good(head(&[("authorization", "Basic eA==")])),
        certificate(head(&[]), "other.example.com", &["*.example.com"]),
        certificate(head(&[]), "ci.example.com", &[]),
        certificate(head(&[]), "ci.example.com", &["other.example.com"]),
    ] {
        assert!(house.is_refused(&refused).await, "{refused:?}");
    }
}

#[tokio::test]
async fn a_common_name_counts_if_the_operator_says_so_and_nothing_else_then() {
    let config = r#"{"certificates": [
        {"subject": "ci", "by_common_name": true, "tenant": "acme", "name": "ci"}]}"#;
    let house = house(&serde_json::from_str(config).unwrap());
    let shown = certificate(head(&[]), "ci", &[]);
    let access = house.gate.admit(&shown).await.unwrap();
    assert_eq!(tenant(&access).as_str(), "acme");
    let other = certificate(head(&[]), "other", &["ci"]);
    assert!(house.is_refused(&other).await);
}

#[tokio::test]
async fn a_certificate_opens_nothing_that_knows_none() {
    let shown = certificate(head(&[]), "", &[""]);
    assert!(house(&guarded()).is_refused(&shown).await);
}

#[tokio::test]
async fn what_is_configured_is_declared_and_named_in_refusals() {
    let names = |house: &House| {
        let schemes = house.gate.schemes().into_iter();
        schemes.map(|scheme| scheme.name).collect::<Vec<_>>()
    };
    let house = house(&guarded());
    assert_eq!(names(&house), ["bearer"]);
    let refused = house.gate.admit(&head(&[])).await.unwrap_err().to_string();
    assert!(refused.contains("Authorization: Bearer") && !refused.contains("X-API-Key"));
    house.make(None).await;
    assert_eq!(names(&house), ["bearer", "apiKey"]);
    let refused = house
        .gate
        .admit(&bearer("s3cret"))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("X-API-Key") && !refused.contains("s3cret"),
        "{refused}"
    );

    let issuer = r#"{"issuer": "https://id.example/", "audiences": ["yard"]}"#;
    let config = format!(
        r#"{{"jwt": [{issuer}, {issuer}], "certificates": [
        {{"subject": "s", "tenant": "a", "name": "n"}}]}}"#
    );
    let house = super::tests::house(&serde_json::from_str(&config).unwrap());
    let expected = ["bearer", "mutualTls", "openIdConnect", "openIdConnect2"];
    assert_eq!(names(&house), expected);
    let url = "https://id.example/.well-known/openid-configuration".to_owned();
    let found = house.gate.schemes().remove(2).kind;
    assert_eq!(found, SchemeKind::OpenIdConnect { url });
}

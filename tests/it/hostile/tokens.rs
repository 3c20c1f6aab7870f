//! Credentials that are forged, doubled, or shown where they do not belong. What proper ones open, and that keys
//! expire and are revoked at once, is in `auth`; certificates are in `tls`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::bindings::client::{Binding, Client};
use crate::support::host::ADMIN_TOKEN;
use crate::support::issuer::{AUDIENCE, Issuer};
use crate::support::{Host, Settings, Webhook, http, message, task};

const FAR: u64 = 9_999_999_999;

fn encoded(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A look at the list of tasks with these headers.
fn look(host: &Host, headers: &[(&str, &str)]) -> RequestBuilder {
    let url = format!("{}/agents/echo/tasks", host.url());
    let request = http::client().get(url).header("a2a-version", "1.0");
    let headers = headers.iter();
    headers.fold(request, |request, (name, value)| {
        request.header(*name, *value)
    })
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

async fn trusting(issuer: &Issuer) -> Host {
    let value = format!(
        "[{{ issuer = '{}', audiences = ['{AUDIENCE}'], refresh_seconds = 0 }}]",
        issuer.url()
    );
    Host::with(&["echo"], Settings::default().set("api.jwt", value)).await
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let issuer = Issuer::start().await;
    let host = trusting(&issuer).await;
    let bearer = |token: &str| format!("Bearer {token}");
    let good = issuer.token("u", "acme", json!({}));
    assert_eq!(
        status(look(&host, &[("authorization", &bearer(&good))])).await,
        200
    );

    // Whoever can be made to fetch keys of strangers would come here.
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let strangers = Webhook::answering(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        StatusCode::OK
    })
    .await;
    let elsewhere = strangers.url("keys");

    let mut parts = good.split('.');
    let (head, claims, signature) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let claim = |more: Value| {
        let mut claims =
            json!({"iss": issuer.url(), "aud": AUDIENCE, "sub": "u", "tenant": "acme", "exp": FAR});
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        claims.to_string()
    };
    let none = |alg: &str| {
        let head = encoded(json!({"alg": alg, "typ": "JWT", "kid": "first"}).to_string());
        format!("{head}.{claims}.")
    };
    let mut forged: Vec<(String, String)> = ["none", "None", "NONE", "nOnE", ""]
        .into_iter()
        .flat_map(|alg| {
            [
                (format!("alg {alg}"), none(alg)),
                (format!("alg {alg}, signed"), none(alg) + signature),
            ]
        })
        .collect();
    // The public key as if it were a shared secret, in each form that it has.
    let published: Value =
        serde_json::from_str(&http::look(&format!("{}/keys", issuer.url())).await.1).unwrap();
    let x = published["keys"][0]["x"].as_str().unwrap();
    let raw = URL_SAFE_NO_PAD.decode(x).unwrap();
    for secret in [
        raw.clone(),
        x.as_bytes().to_vec(),
        published["keys"][0].to_string().into_bytes(),
    ] {
        let header = jsonwebtoken::Header {
            kid: Some("first".to_owned()),
            ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256)
        };
        let key = jsonwebtoken::EncodingKey::from_secret(&secret);
        let claims: Value = serde_json::from_str(&claim(json!({}))).unwrap();
        forged.push((
            "HS256".to_owned(),
            jsonwebtoken::encode(&header, &claims, &key).unwrap(),
        ));
    }
    // Another's key, with every header that says where it is.
    for more in [
        json!({"kid": "first"}),
        json!({"kid": "../../first"}),
        json!({"kid": "first\u{0}"}),
        json!({"kid": "' OR 1=1 --"}),
        json!({"kid": "/dev/null"}),
        json!({"kid": "x".repeat(300)}),
        json!({"kid": ["first"]}),
        json!({}),
        json!({"kid": "first", "jku": elsewhere}),
        json!({"kid": "first", "x5u": elsewhere}),
        json!({"kid": elsewhere}),
        json!({"kid": "first", "jwk": published["keys"][0]}),
        json!({"kid": "first", "x5c": ["AAAA"]}),
    ] {
        forged.push((
            format!("another's key {more}"),
            issuer.signed_by("stranger", more, &claim(json!({}))),
        ));
    }
    // The right key for something else.
    for more in [
        json!({"kid": "first", "crit": ["b64"], "b64": false}),
        json!({"kid": "first", "crit": []}),
        json!({"kid": "first", "typ": "logout+jwt"}),
        json!({"kid": "first", "alg": "ES256"}),
        json!({"kid": "second"}),
    ] {
        forged.push((
            format!("the right key {more}"),
            issuer.signed_by("first", more, &claim(json!({}))),
        ));
    }
    for more in [
        json!({"iss": "http://evil.example"}),
        json!({"iss": format!("{}/", issuer.url())}),
        json!({"iss": [issuer.url()]}),
        json!({"iss": null}),
        json!({"aud": "other"}),
        json!({"aud": []}),
        json!({"aud": {"x": AUDIENCE}}),
        json!({"aud": format!("{AUDIENCE} ")}),
        json!({"exp": 1}),
        json!({"exp": "9999999999"}),
        json!({"exp": null}),
        json!({"exp": -1}),
        json!({"nbf": FAR}),
        json!({"nbf": "0"}),
        json!({"sub": ""}),
        json!({"sub": ["u"]}),
    ] {
        let head = json!({"kid": "first"});
        forged.push((
            format!("claims {more}"),
            issuer.signed_by("first", head, &claim(more)),
        ));
    }
    let right = json!({"kid": "first"});
    for text in [
        String::new(),
        "[]".to_owned(),
        "null".to_owned(),
        "{\"a\":".repeat(2_000),
        format!("{{\"aud\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("\u{feff}{}", claim(json!({}))) + "x",
    ] {
        forged.push((
            format!("{text:.40}"),
            issuer.signed_by("first", right.clone(), &text),
        ));
    }
    let huge = claim(json!({"x": "x".repeat(40_000)}));
    forged.extend([
        (
            "huge".to_owned(),
            issuer.signed_by("first", right.clone(), &huge),
        ),
        (
            "changed".to_owned(),
            format!(
                "{head}.{}.{signature}",
                encoded(claim(json!({"tenant": "globex"})))
            ),
        ),
        ("no signature".to_owned(), format!("{head}.{claims}.")),
        ("two parts".to_owned(), format!("{head}.{claims}")),
        ("four parts".to_owned(), format!("{good}.{signature}")),
        ("padded".to_owned(), format!("{good}=")),
        ("dots".to_owned(), ".".repeat(5_000)),
        ("nothing".to_owned(), "..".to_owned()),
    ]);
    assert!(forged.len() > 60);
    for (what, token) in &forged {
        let found = status(look(&host, &[("authorization", &bearer(token))])).await;
        // Too much for the head of a request is refused before anybody looks at it.
        let refused = found == 401 || token.len() > 16 << 10 && [400, 431].contains(&found);
        assert!(refused, "{what}: {found}");
    }
    // What the signer says of a name twice is one thing: never that of another tenant than is seen first or last
    // in a different place of the host.
    let twice = claim(json!({})).replacen('{', r#"{"tenant":"globex","#, 1);
    let twice = bearer(&issuer.signed_by("first", right, &twice));
    let tenants =
        ["acme", "globex"].map(|tenant| format!("{}/{tenant}/agents/echo/tasks", host.url()));
    let mut opened = 0;
    for url in tenants {
        let request = http::client()
            .get(url)
            .header("a2a-version", "1.0")
            .header("authorization", &twice);
        opened += usize::from(status(request).await == 200);
    }
    assert!(opened <= 1, "a token of two tenants");
    assert_eq!(
        asked.load(Ordering::SeqCst),
        0,
        "keys of strangers were fetched"
    );
    let log = host.log();
    assert!(
        !log.contains(signature) && !log.contains("panicked"),
        "{log}"
    );
}

const CLIENTS: &str = r#"[{token = "token-that-may-write", tenant = "acme", name = "w"}, {token = "token-that-reads", tenant = "acme", name = "r", scope = {read_only = true}}, {token = "token-for-another-agent", tenant = "acme", name = "o", scope = {agents = ["other"]}}]"#;
const WRITER: &str = "Bearer token-that-may-write";

#[tokio::test]
async fn credentials_count_in_one_place_and_once() {
    let host = Host::with(&["echo"], Settings::default().set("api.clients", CLIENTS)).await;
    let token = "token-that-may-write";
    assert_eq!(status(look(&host, &[("authorization", WRITER)])).await, 200);
    for headers in [
        &[
            ("authorization", WRITER),
            ("authorization", "Bearer token-that-reads"),
        ][..],
        &[
            ("authorization", "Bearer token-that-reads"),
            ("authorization", WRITER),
        ],
        &[(
            "authorization",
            "Bearer token-that-may-write, Bearer token-that-reads",
        )],
        &[("authorization", WRITER), ("x-api-key", "tyk_x_y")],
        &[("authorization", "Basic dG9rZW4tdGhhdC1tYXktd3JpdGU6")],
        &[("authorization", token)],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer token-that-may-writ")],
        &[("authorization", "Bearer token-that-may-write2")],
        &[("authorization", "Bearer TOKEN-THAT-MAY-WRITE")],
        &[("proxy-authorization", WRITER)],
        &[("x-forwarded-authorization", WRITER)],
        &[(
            "cookie",
            "token=token-that-may-write; access_token=token-that-may-write",
        )],
        &[("x-api-key", "")],
        &[("authorization", &format!("Bearer {ADMIN_TOKEN}"))],
        &[("x-api-key", ADMIN_TOKEN)],
        &[],
    ] {
        assert_eq!(status(look(&host, headers)).await, 401, "{headers:?}");
    }
    for query in [
        "access_token",
        "token",
        "api_key",
        "key",
        "x-api-key",
        "authorization",
        "tenant",
    ] {
        let url = format!("{}/agents/echo/tasks?{query}={token}", host.url());
        let request = http::client().get(url).header("a2a-version", "1.0");
        assert_eq!(status(request).await, 401, "{query}");
    }
    // Nothing that clients have opens the operators' door.
    let made = host
        .admin()
        .order("/v1/keys", json!({"tenant": "acme", "name": "k"}))
        .await
        .ok();
    let key = made["secret"].as_str().unwrap();
    assert_eq!(status(look(&host, &[("x-api-key", key)])).await, 200);
    for (name, value) in [
        ("authorization", WRITER.to_owned()),
        ("authorization", format!("Bearer {key}")),
        ("x-api-key", key.to_owned()),
        ("x-api-key", ADMIN_TOKEN.to_owned()),
        ("cookie", format!("token={ADMIN_TOKEN}")),
        ("authorization", format!("Bearer {ADMIN_TOKEN}x")),
        ("authorization", format!("Basic {ADMIN_TOKEN}")),
    ] {
        for path in [
            "/v1/agents",
            "/v1/keys",
            "/v1/tasks",
            "/v1/stats",
            "/v1/nothing",
        ] {
            let url = format!("{}{path}", host.admin_url());
            let found = status(http::client().get(url).header(name, &value)).await;
            let expected = if path == "/v1/nothing" {
                [401, 404]
            } else {
                [401, 401]
            };
            assert!(expected.contains(&found), "{path} {name}: {found}");
        }
    }
    // Nor is the operators' door at the clients'.
    for path in [
        "/v1/agents",
        "/v1/keys",
        "/v1/stats",
        "/metrics",
        "/admin/v1/agents",
    ] {
        let url = format!("{}{path}", host.url());
        let found = status(http::client().get(url).bearer_auth(ADMIN_TOKEN)).await;
        assert!([401, 404].contains(&found), "{path}: {found}");
    }
    let log = host.log();
    assert!(!log.contains(token) && !log.contains(ADMIN_TOKEN) && !log.contains(key));
}

/// Every operation, and whether it only looks.
fn operations(id: &str) -> Vec<(&'static str, bool, Value)> {
    let sent = json!({"message": message("x")});
    let one = json!({"taskId": id, "id": "p"});
    let hook = json!({"taskId": id, "id": "p", "url": "http://127.0.0.1:9/"});
    vec![
        ("GetTask", true, json!({"id": id})),
        ("ListTasks", true, json!({})),
        ("SubscribeToTask", true, json!({"id": id})),
        ("SendMessage", false, sent.clone()),
        ("SendStreamingMessage", false, sent),
        ("CancelTask", false, json!({"id": id})),
        ("CreateTaskPushNotificationConfig", false, hook),
        ("GetTaskPushNotificationConfig", true, one.clone()),
        (
            "ListTaskPushNotificationConfigs",
            true,
            json!({"taskId": id}),
        ),
        ("DeleteTaskPushNotificationConfig", false, one),
        ("GetExtendedAgentCard", true, json!({})),
    ]
}

#[tokio::test]
async fn what_a_client_may_do_holds_for_every_operation_of_every_binding() {
    let settings = Settings::default()
        .set("api.clients", CLIENTS)
        .local_webhooks();
    let host = Host::with(&["approval"], settings).await;
    let writer = host.agent("approval").with_header("authorization", WRITER);
    let asked = writer.send(message("Deploy")).await;
    let id = task::id(&asked);
    let hook =
        json!({"taskId": id, "id": "p", "url": "http://127.0.0.1:9/", "token": "the-hooks-token"});
    writer.call("CreateTaskPushNotificationConfig", hook).await;
    for binding in Binding::ALL.into_iter().chain([Binding::V03]) {
        let with = |token: &str| {
            let client = Client::new(binding, &host, "approval");
            client.with_header("authorization", &format!("Bearer {token}"))
        };
        let (reader, other) = (with("token-that-reads"), with("token-for-another-agent"));
        for (operation, looks, params) in operations(id) {
            let is_new = operation.contains("Push")
                || ["ListTasks", "GetExtendedAgentCard"].contains(&operation);
            if binding == Binding::V03 && is_new {
                continue;
            }
            for (client, may) in [(&reader, looks), (&other, false)] {
                let what = format!("{operation} over {binding:?}, {may}");
                let (said, refused) = match operation {
                    "SendStreamingMessage" | "SubscribeToTask" => (
                        String::new(),
                        client.open(operation, params.clone()).await.err(),
                    ),
                    _ => match client.call(operation, params.clone()).await {
                        Ok(said) => (said.to_string(), None),
                        Err(refused) => (String::new(), Some(refused)),
                    },
                };
                let reason = refused.map(|refused| refused.reason);
                match may {
                    true => assert_eq!(reason, None, "{what}"),
                    false => assert_eq!(reason.as_deref(), Some("FORBIDDEN"), "{what}"),
                }
                assert!(!said.contains("the-hooks-token"), "{what}: {said}");
            }
        }
    }
    assert_eq!(writer.get(id).await, asked, "nothing happened to it");
}

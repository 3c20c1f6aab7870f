//! Who may call: API keys from the command line, and tokens that an issuer signed.

use futures::StreamExt as _;
use reqwest::Body;
use serde_json::{Value, json};

use crate::cli::{Done, taskyard};
use crate::support::issuer::{AUDIENCE, Issuer};
use crate::support::{Agent, Error, Host, Settings, eventually, http, in_time, message, task};

/// The statuses of the HTTP answers to one look at the list of tasks.
async fn status(agent: &Agent) -> u16 {
    match agent.try_call("ListTasks", json!({})).await {
        Ok(_) => 200,
        Err(Error::Refused(refusal)) => refusal.status,
        Err(Error::Lost(how)) => panic!("lost: {how}"),
    }
}

fn with_bearer(host: &Host, token: &str) -> Agent {
    let echo = host.agent("echo");
    echo.with_header("authorization", &format!("Bearer {token}"))
}

fn with_key(host: &Host, key: &str) -> Agent {
    host.agent("echo").with_header("x-api-key", key)
}

/// Makes a key; `more` are further words of the command.
fn make(host: &Host, tenant: &str, more: &[&str]) -> (String, String) {
    let words = [
        "key", "create", "--tenant", tenant, "--name", "test", "--json",
    ];
    let made = taskyard(host, &[&words[..], more].concat()).exits(0).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["key"]["id"]), text(&made["secret"]))
}

#[tokio::test]
async fn the_first_key_shuts_the_host_and_opens_it_for_its_client() {
    let host = Host::with(&["echo"], Settings::default()).await;
    assert!(host.log().contains("no credentials are configured"));
    assert_eq!(status(&host.agent("echo")).await, 200);

    let (id, key) = make(&host, "acme", &[]);
    assert!(key.starts_with(&format!("tyk_{id}_")), "{id}");
    assert_eq!(status(&host.agent("echo")).await, 401);
    assert_eq!(status(&with_key(&host, "tyk_wrong")).await, 401);
    for client in [with_key(&host, &key), with_bearer(&host, &key)] {
        let sent = client.send(message("x")).await;
        assert_eq!(task::state(&sent), "COMPLETED");
        assert_eq!(status(&client.of_tenant("acme")).await, 200);
        assert_eq!(status(&client.of_tenant("globex")).await, 403);
    }
    let send = ["task", "send", "--agent", "echo", "x"];
    taskyard(&host, &send).exits(1);
    taskyard(&host, &[&send[..], &["--token", &key]].concat()).exits(0);

    let (_, other) = make(&host, "globex", &[]);
    let seen = with_key(&host, &other).call("ListTasks", json!({})).await;
    assert_eq!(seen["totalSize"], 0);
    assert!(!host.log().contains(&key) && !host.log().contains(&other));
}

#[tokio::test]
async fn a_stranger_is_told_which_request_was_refused() {
    let host = Host::with(&["echo"], Settings::default()).await;
    make(&host, "acme", &[]);
    let body = json!({"jsonrpc": "2.0", "id": "mine", "method": "ListTasks"}).to_string();
    // A client that does not send what it announced is not waited for.
    let stuck = futures::stream::iter([Ok::<_, std::io::Error>(body.clone())])
        .chain(futures::stream::pending());
    for body in [Body::from(body), Body::wrap_stream(stuck)] {
        let request = host
            .agent("echo")
            .post()
            .header("content-type", "application/json");
        let answer = in_time("a refusal", request.body(body).send())
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["id"], "mine", "{answer}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_after_a_restart() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let (id, key) = make(&host, "acme", &[]);
    let (_, kept) = make(&host, "acme", &[]);
    let client = with_key(&host, &key);
    assert_eq!(status(&client).await, 200);
    taskyard(&host, &["key", "revoke", &id]).exits(0);
    assert_eq!(status(&client).await, 401);
    taskyard(&host, &["key", "revoke", &id]).exits(0);
    taskyard(&host, &["key", "revoke", "0000000000000000"]).exits(5);

    host.restart().await;
    let openings = host.log().matches("no credentials are configured").count();
    assert_eq!(openings, 1, "only before there were keys");
    assert_eq!(status(&with_key(&host, &key)).await, 401);
    assert_eq!(status(&with_key(&host, &kept)).await, 200);
    assert_eq!(status(&host.agent("echo")).await, 401);

    let list = taskyard(&host, &["key", "list"]).exits(0).stdout;
    assert!(
        list.contains("revoked") && list.contains("active"),
        "{list}"
    );
    let listed = taskyard(&host, &["key", "list", "--json"]).exits(0);
    for secret in [&key, &kept] {
        let secret = secret.rsplit('_').next().unwrap();
        assert!(!list.contains(secret) && !listed.stdout.contains(secret));
    }
    assert_eq!(listed.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn revoking_the_last_key_opens_nothing() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let (id, _) = make(&host, "acme", &[]);
    taskyard(&host, &["key", "revoke", &id]).exits(0);
    assert_eq!(status(&host.agent("echo")).await, 401);
    host.restart().await;
    assert_eq!(status(&host.agent("echo")).await, 401);
}

#[tokio::test]
async fn a_key_does_what_it_was_made_for() {
    let host = Host::with(&["approval", "echo"], Settings::default()).await;
    let (_, writer) = make(&host, "acme", &["--agent", "echo"]);
    let sent = with_key(&host, &writer).send(message("x")).await;
    let about = json!({"id": sent["id"]});
    let elsewhere = host.agent("approval").with_header("x-api-key", &writer);
    assert_eq!(status(&elsewhere).await, 403);
    assert_eq!(
        elsewhere.refused("GetTask", about.clone()).await.reason,
        "FORBIDDEN"
    );

    let reader = make(&host, "acme", &["--read-only"]).1;
    let reader = with_key(&host, &reader);
    assert_eq!(
        reader.call("GetTask", about.clone()).await["id"],
        sent["id"]
    );
    assert_eq!(reader.refused("CancelTask", about).await.status, 403);
    let params = json!({"message": message("x")});
    let refused = reader.refused("SendMessage", params).await;
    assert_eq!(
        (refused.status, refused.reason.as_str()),
        (403, "FORBIDDEN")
    );
}

#[tokio::test]
async fn a_key_expires() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let (_, key) = make(&host, "acme", &["--expires-in", "1s"]);
    let client = with_key(&host, &key);
    eventually("the end of the key", async || {
        (status(&client).await == 401).then_some(())
    })
    .await;
    let list = taskyard(&host, &["key", "list"]).exits(0).stdout;
    assert!(list.contains("expired"), "{list}");
    taskyard(
        &host,
        &[
            "key",
            "create",
            "--tenant",
            "a",
            "--name",
            "b",
            "--expires-in",
            "1y",
        ],
    )
    .exits(2);
}

#[tokio::test]
async fn a_host_can_be_shut_from_the_beginning() {
    let settings = Settings::default().set("api.require_credentials", true);
    let host = Host::with(&["echo"], settings).await;
    assert!(!host.log().contains("no credentials are configured"));
    assert_eq!(status(&host.agent("echo")).await, 401);
    let (_, key) = make(&host, "acme", &[]);
    assert_eq!(status(&with_key(&host, &key)).await, 200);
    let refused = with_key(&host, "wrong")
        .refused("ListTasks", json!({}))
        .await;
    assert!(refused.message.contains("X-API-Key"), "{}", refused.message);
}

fn trusting(issuer: &Issuer, more: &str) -> Settings {
    let url = issuer.url();
    let value = format!("[{{ issuer = '{url}', audiences = ['{AUDIENCE}']{more} }}]");
    Settings::default().set("api.jwt", value)
}

#[tokio::test]
async fn tokens_of_a_trusted_issuer_open_the_host() {
    let issuer = Issuer::start().await;
    let host = Host::with(&["echo"], trusting(&issuer, ", required_scope = 'call'")).await;
    assert_eq!(status(&host.agent("echo")).await, 401);
    let token = |more| issuer.token("u", "acme", more);
    let good = token(json!({"scope": "openid call"}));
    let client = with_bearer(&host, &good);
    client.send(message("x")).await;
    assert_eq!(status(&client.of_tenant("acme")).await, 200);
    assert_eq!(status(&client.of_tenant("globex")).await, 403);
    for (wrong, expected) in [
        (json!({"scope": "openid"}), 403),
        (json!({"scope": "call", "aud": "other"}), 401),
        (json!({"scope": "call", "exp": 1}), 401),
        (json!({"scope": "call", "tenant": null}), 403),
    ] {
        let client = with_bearer(&host, &token(wrong.clone()));
        assert_eq!(status(&client).await, expected, "{wrong}");
    }
    assert_eq!(status(&with_bearer(&host, &format!("{good}x"))).await, 401);
    assert_eq!(status(&with_key(&host, &good)).await, 401);
    assert!(!host.log().contains(&good));
}

#[tokio::test]
async fn an_issuer_may_change_its_keys() {
    let issuer = Issuer::start().await;
    let host = Host::with(&["echo"], trusting(&issuer, ", refresh_seconds = 0")).await;
    let old = issuer.token("u", "acme", json!({}));
    assert_eq!(status(&with_bearer(&host, &old)).await, 200);
    issuer.rotate("second");
    let new = issuer.token("u", "acme", json!({}));
    assert_eq!(status(&with_bearer(&host, &new)).await, 200);
    assert_eq!(status(&with_bearer(&host, &old)).await, 401);
}

#[tokio::test]
async fn an_issuer_that_is_out_of_reach_is_no_refusal() {
    let issuer = Issuer::start().await;
    let host = Host::with(&["echo"], trusting(&issuer, ", refresh_seconds = 0")).await;
    let client = with_bearer(&host, &issuer.token("u", "acme", json!({})));
    issuer.set_out(true);
    assert_eq!(status(&client).await, 503);
    issuer.set_out(false);
    assert_eq!(status(&client).await, 200);
    // What is known stays known.
    issuer.set_out(true);
    assert_eq!(status(&client).await, 200);
}

#[tokio::test]
async fn whoever_is_kept_out_is_counted() {
    let settings = Settings::default().set("api.require_credentials", true);
    let host = Host::with(&["echo"], settings).await;
    let (_, key) = make(&host, "acme", &["--read-only"]);
    status(&host.agent("echo")).await;
    status(&with_bearer(&host, "wrong")).await;
    status(&with_key(&host, &key.replace("tyk_", "tyk_0"))).await;
    let url = format!("{}/metrics", host.admin_url());
    let metrics = in_time("metrics", http::client().get(url).send()).await;
    let metrics = metrics.unwrap().text().await.unwrap();
    for why in ["nothing", "token", "key"] {
        let figure = format!("taskyard_denied_total{{why=\"{why}\"}} 1");
        assert!(metrics.contains(&figure), "{figure} is not in {metrics}");
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_trusted_is_refused() {
    let host = Host::start(Settings::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host.toml");
    let jwt = "[[api.jwt]]\nissuer = 'http://id.example'\naudiences = ['x']\n";
    std::fs::write(&file, jwt).unwrap();
    let file = file.to_str().unwrap();
    let Done { stderr, .. } = taskyard(&host, &["config", "--config", file]).exits(1);
    assert!(stderr.contains("must begin with https://"), "{stderr}");
}

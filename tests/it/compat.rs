//! Clients of the protocol's version 0.3 work with the host as they always did.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::host::EXAMPLES;
use crate::support::wait::eventually;
use crate::support::webhook::Notification;
use crate::support::{Host, Settings, Webhook, places};

/// Runs a script in Python to its end.
async fn drive(python: &Path, script: &str, arguments: Vec<String>) {
    let mut command = Command::new(python);
    command.arg(places::root().join("tests/it/python").join(script));
    run(command, script, arguments).await;
}

/// Runs a script to its end, on another thread: webhooks answer on this one.
async fn run(mut command: Command, script: &str, arguments: Vec<String>) {
    command.args(arguments).stdin(Stdio::null());
    let driven = tokio::task::spawn_blocking(move || command.output().unwrap());
    let driven = driven.await.unwrap();
    let (said, error) = (
        String::from_utf8_lossy(&driven.stdout),
        String::from_utf8_lossy(&driven.stderr),
    );
    assert!(
        driven.status.success(),
        "{script} failed after:\n{said}\n{error}"
    );
}

#[tokio::test]
async fn the_stock_client_of_0_3_can_do_everything() {
    let host = Host::with(&EXAMPLES, Settings::default().local_webhooks()).await;
    let webhook = Webhook::willing().await;
    let url = webhook.url("").trim_end_matches('/').to_owned();
    drive(&places::python_v03(), "drive_v03.py", vec![host.url(), url]).await;

    for path in ["JSONRPC", "HTTP-JSON"] {
        let notified = told_of_the_end(&webhook, path).await;
        let kinds = notified.iter().map(|one| &one.body["kind"]);
        assert!(
            kinds.into_iter().all(|kind| kind == "task"),
            "the whole task each time"
        );
        assert!(notified.iter().all(|one| {
            one.header("content-type") == "application/json"
                && one.header("x-a2a-notification-token") == "t"
        }));
        let states: Vec<_> = notified
            .iter()
            .map(|one| &one.body["status"]["state"])
            .collect();
        assert!(
            states.contains(&&Value::from("input-required")),
            "{states:?}"
        );
    }
    let later = webhook.taken("later");
    assert!(later.is_empty(), "it was removed before anything happened");
}

/// Everything that a webhook of 0.3 was told, once it was told the end of the task.
async fn told_of_the_end(webhook: &Webhook, path: &str) -> Vec<Notification> {
    eventually("the notification of the end", async || {
        let taken = webhook.taken(path);
        let ended = taken.last()?.body["status"]["state"] == "completed";
        ended.then_some(taken)
    })
    .await
}

#[tokio::test]
async fn the_card_of_a_guarded_host_can_be_read_by_old_and_new_clients() {
    let clients = r#"[{token = "of-acme", tenant = "acme", name = "a"}]"#;
    let settings = Settings::default().set("api.clients", clients);
    let host = Host::with(&["echo"], settings).await;
    let arguments = vec![format!("{}/agents/echo", host.url()), "of-acme".to_owned()];
    drive(&places::python_v03(), "card_v03.py", arguments).await;
}

#[tokio::test]
async fn every_address_in_a_card_passes_the_strictest_readers() {
    let host = Host::shared().await;
    for python in [places::python(), places::python_v03()] {
        let echo = host.agent("echo");
        for agent in [echo.url(), echo.of_tenant("acme").url()] {
            drive(&python, "addresses.py", vec![agent]).await;
        }
    }
    let echo = host.agent("echo");
    for agent in [echo.url(), echo.of_tenant("acme").url()] {
        in_javascript(agent, "false").await;
    }
}

#[tokio::test]
async fn the_address_of_grpc_is_the_only_one_that_strict_readers_may_refuse() {
    let own = Settings::default().set("api.advertise_grpc", true);
    let other = Settings::default().set("api.grpc_url", "grpc.example.com:443");
    for settings in [own, other] {
        let host = Host::with(&["echo"], settings).await;
        in_javascript(host.agent("echo").url(), "true").await;
    }
}

async fn in_javascript(agent: String, grpc: &str) {
    let script = "addresses.mjs";
    run(places::node(script), script, vec![agent, grpc.to_owned()]).await;
}

#[tokio::test]
async fn newer_clients_can_speak_0_3_as_well() {
    let host = Host::with(&EXAMPLES, Settings::default().local_webhooks()).await;
    drive(&places::python(), "newer_v03.py", vec![host.url()]).await;
}

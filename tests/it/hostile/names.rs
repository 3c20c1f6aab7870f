//! Names of webhooks whose servers never answer: they hold the look-ups of their tenant, and nobody else's.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::agent::follow_up;
use crate::support::webhook::Webhook;
use crate::support::{Agent, Error, Host, Shim, eventually, message, task};

/// More than all look-ups that the host has.
const SLOW: usize = 34;

async fn register(agent: &Agent, task: &str, url: &str) -> Result<Value, Error> {
    let params = json!({"taskId": task, "url": url});
    agent
        .try_call("CreateTaskPushNotificationConfig", params)
        .await
}

fn is_busy(outcome: &Result<Value, Error>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(Error::Refused(refusal)) => {
            assert_eq!(
                (refusal.status, refusal.reason.as_str()),
                (503, "QUEUE_FULL"),
                "{refusal:?}"
            );
            true
        }
        Err(lost) => panic!("{lost:?}"),
    }
}

#[tokio::test]
async fn slow_names_of_one_tenant_are_nobody_elses_wait() {
    let names = Shim::build("names");
    names.tell("127.0.0.1");
    let settings = names
        .settings()
        .set("notify.allow_private", true)
        .set("log", "info,taskyard_notify=debug");
    let host = Host::with(&["approval"], settings).await;
    let approval = host.agent("approval");
    let (hostile, honest) = (approval.of_tenant("hostile"), approval.of_tenant("honest"));
    let webhook = Webhook::willing().await;
    let quick = |path: &str| webhook.url(path).replace("127.0.0.1", "quick.example");

    let before = hostile.send(message("Deploy")).await;
    register(&hostile, task::id(&before), &quick("before"))
        .await
        .unwrap();
    let mine = hostile.send(message("Deploy")).await;
    names.tell("hang 127.0.0.1");
    let slow = (0..SLOW).map(|number| format!("http://slow{number}.example/"));
    let slow: Vec<_> = slow.collect();
    let registered = slow
        .iter()
        .map(|url| register(&hostile, task::id(&mine), url));
    let registered = join_all(registered).await;
    let busy = registered.iter().filter(|outcome| is_busy(outcome)).count();
    // Names without an answer are taken, as they may have one later; the others were not looked at.
    assert!((SLOW - 8..SLOW).contains(&busy), "{busy}");
    assert!(is_busy(
        &register(&hostile, task::id(&mine), &quick("mine")).await
    ));

    let theirs = honest.send(message("Deploy")).await;
    register(&honest, task::id(&theirs), &quick("theirs"))
        .await
        .unwrap();
    honest.answer(task::id(&theirs), "yes").await;
    webhook.end("theirs").await;

    // What is due to the webhook of before waits, and is not given up.
    hostile.begin(follow_up(task::id(&before), "yes")).await;
    eventually("a delivery waiting for a look-up", async || {
        let log = host.log();
        log.contains("waits for its name").then_some(())
    })
    .await;
    names.tell("127.0.0.1");
    webhook.end("before").await;
    let figures = host.figures().await;
    for none in ["will-retry", "gave-up"] {
        let figure = format!("taskyard_deliveries_total{{outcome=\"{none}\"}} 0");
        assert!(figures.contains(&figure), "{figures}");
    }
    eventually("the share being free again", async || {
        let outcome = register(&hostile, task::id(&mine), &quick("mine")).await;
        (!is_busy(&outcome)).then_some(())
    })
    .await;
}

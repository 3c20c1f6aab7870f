//! Reminder on the real binary: long waits through restarts.

use axum::http::StatusCode;
use serde_json::json;

use super::egress;
use crate::support::agent::follow_up;
use crate::support::model::Model;
use crate::support::{Agent, Host, Settings, eventually, http, message, places, task};

/// A host that drops whoever waits at once.
async fn host(model: &Model) -> Host {
    let settings = Settings::default()
        .set("egress.allow", r#"["127.0.0.1"]"#)
        .set("engine.hold_ms", 0);
    let host = Host::start(settings).await;
    let notify = json!({"notify_url": format!("{}/notify", model.origin())});
    let query = [("config", notify.to_string()), ("egress", egress(model))];
    host.admin().load(&places::plugin("reminder"), &query).await;
    host
}

/// Begins a reminder; gives its id, and what it promised.
async fn promised(agent: &Agent, text: &str) -> (String, String) {
    let id = agent.begin(message(text)).await;
    let promise = another_promise(agent, &id, "").await;
    (id, promise)
}

/// Waits until the reminder promises something else than `before`.
async fn another_promise(agent: &Agent, id: &str, before: &str) -> String {
    eventually("a promise", async || {
        let task = agent.get(id).await;
        let says = task::says(&task);
        let is_promise = says.starts_with("I will remind you at ") && says != before;
        is_promise.then(|| says.to_owned())
    })
    .await
}

/// Waits until no worker is in memory.
async fn dropped(host: &Host) {
    let http = http::client();
    eventually("the worker to be dropped", async || {
        let metrics = http.get(format!("{}/metrics", host.admin_url()));
        let metrics = metrics.send().await.unwrap().text().await.unwrap();
        metrics
            .lines()
            .any(|line| line == "taskyard_instances 0")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_reminder_survives_a_restart_and_comes_once() {
    let model = Model::start().await;
    let host = host(&model).await;
    let agent = host.agent("reminder");
    let (id, _) = promised(&agent, "in 3 s: tea").await;
    dropped(&host).await;
    host.kill();
    host.restart().await;

    let end = agent.ended(&id).await;
    assert_eq!(task::state(&end), "COMPLETED", "{end}");
    let said = end["history"].as_array().unwrap().iter();
    let said = said.filter(|message| message["parts"][0]["text"] == "tea");
    assert_eq!(said.count(), 1, "{end}");
    let notified = model.requests("/notify");
    assert_eq!(notified[0].body["text"], "tea");
    // Were it sent twice, because the host died meanwhile, the key would say so.
    let keys: Vec<_> = model.counts().into_keys().collect();
    assert_eq!(keys, [("/notify".to_owned(), Some(format!("{id}/0")))]);
}

#[tokio::test]
async fn a_notification_that_fails_is_sent_again_and_said_once() {
    let model = Model::start().await;
    let host = host(&model).await;
    model.fail("/notify", 2, StatusCode::SERVICE_UNAVAILABLE);
    let end = host.agent("reminder").send(message("in 0 s: tea")).await;

    assert_eq!(task::state(&end), "COMPLETED", "{end}");
    let keys = model
        .requests("/notify")
        .into_iter()
        .map(|request| request.key);
    let expected = Some(format!("{}/0", task::id(&end)));
    assert_eq!(
        keys.collect::<Vec<_>>(),
        [expected.clone(), expected.clone(), expected]
    );
}

#[tokio::test]
async fn a_reminder_that_waits_can_be_put_off_and_taken_back() {
    let model = Model::start().await;
    let host = host(&model).await;
    let agent = host.agent("reminder");
    let (id, first) = promised(&agent, "in 1000 days: buy a tree").await;
    dropped(&host).await;
    agent
        .try_begin(follow_up(&id, "snooze 1 h 30 min"))
        .await
        .unwrap();
    another_promise(&agent, &id, &first).await;

    // It hears messages after a restart as well.
    dropped(&host).await;
    host.kill();
    host.restart().await;
    let end = agent.answer(&id, "cancel").await;
    assert_eq!(task::state(&end), "COMPLETED", "{end}");
    assert_eq!(task::says(&end), "I will not remind you.");
    assert!(model.requests("/notify").is_empty());
}

#[tokio::test]
async fn a_repeating_reminder_goes_on_through_a_restart() {
    let model = Model::start().await;
    let host = host(&model).await;
    let agent = host.agent("reminder");
    let id = agent.begin(message("every 1 s: stretch")).await;
    notified(&model, 2).await;
    host.kill();
    host.restart().await;
    notified(&model, 4).await;

    let end = agent.answer(&id, "cancel").await;
    assert_eq!(task::state(&end), "COMPLETED", "{end}");
    let times = model.counts();
    for (number, ((path, key), count)) in times.iter().enumerate() {
        assert_eq!(
            (path.as_str(), key.as_deref()),
            ("/notify", Some(&*format!("{id}/{number}")))
        );
        // The one that the restart came upon may have been sent twice.
        assert!(*count <= 2, "{times:?}");
    }
}

async fn notified(model: &Model, times: usize) {
    eventually("the notification", async || {
        (model.counts().len() >= times).then_some(())
    })
    .await;
}

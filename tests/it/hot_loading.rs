//! Plugins come, change and go while the host runs.

use std::time::Duration;

use futures::FutureExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Error, Host, Settings, eventually, message, places, task};

const CARD: &str = "/.well-known/agent-card.json";

/// The same worker as another component: a custom section says nothing, but changes the digest.
pub(crate) fn new_version(plugin: &str) -> Vec<u8> {
    let mut component = std::fs::read(places::plugin(plugin)).unwrap();
    let name = b"build-2";
    let length = u8::try_from(name.len()).unwrap();
    component.extend([0, length + 1, length]);
    component.extend(name);
    component
}

async fn show(host: &Host, agent: &str) -> Value {
    host.admin().get(&format!("/v1/agents/{agent}")).await.ok()
}

#[tokio::test]
async fn a_task_finishes_on_the_version_that_it_began_with() {
    let host = Host::with(&["approval"], Settings::default()).await;
    let approval = host.agent("approval");
    let asked = approval.send(message("On the old version")).await;
    let old = show(&host, "approval").await["agent"]["digest"].clone();

    let loaded = host
        .admin()
        .try_load(new_version("approval"), &[])
        .await
        .ok();

    let new = loaded["digest"].clone();
    assert_ne!(new, old);
    assert_eq!(loaded["revision"], 2);
    let asked_later = approval.send(message("On the new version")).await;
    let mut held = show(&host, "approval").await["held"]
        .as_array()
        .unwrap()
        .clone();
    held.sort_by_key(|one| one["digest"] != old);
    let counts: Vec<_> = held
        .iter()
        .map(|one| (&one["digest"], &one["tasks"]))
        .collect();
    assert_eq!(counts, [(&old, &json!(1)), (&new, &json!(1))]);

    // The old component is still there after a restart, too.
    host.kill();
    host.restart().await;
    let done = approval.answer(task::id(&asked), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
    let held = show(&host, "approval").await["held"].clone();
    assert_eq!(held.as_array().unwrap().len(), 1);
    assert_eq!(held[0]["digest"], new);
    let done = approval.answer(task::id(&asked_later), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
}

#[tokio::test]
async fn a_deployment_keeps_what_is_not_said_anew() {
    let host = Host::with(&["countdown"], Settings::default()).await;
    let before = show(&host, "countdown").await["agent"].clone();
    let after = host
        .admin()
        .try_load(new_version("countdown"), &[])
        .await
        .ok();
    assert_eq!(after["config"], before["config"]);
    assert_eq!(after["limits"], before["limits"]);
    let query = [
        ("config", r#"{"tick_ms":1}"#.to_owned()),
        ("max_runs", "3".to_owned()),
    ];
    let again = host
        .admin()
        .try_load(new_version("countdown"), &query)
        .await
        .ok();
    assert_eq!(again["config"], json!({"tick_ms": 1}));
    assert_eq!(again["max_runs"], 3);
    assert_eq!(again["revision"], 3);
}

#[tokio::test]
async fn one_component_can_be_two_agents() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let query = [("name", "parrot".to_owned())];
    host.admin().load(&places::plugin("echo"), &query).await;

    let parrot = host.agent("parrot");
    assert_eq!(
        task::artifact(&parrot.send(message("x")).await, "echo"),
        "x"
    );
    let card = parrot.get_path(CARD).send().await.unwrap();
    let card: Value = card.json().await.unwrap();
    assert_eq!(card["name"], "parrot");
    assert_eq!(card["supportedInterfaces"][0]["url"], parrot.url());

    host.admin().unload("echo", false).await.ok();
    assert_eq!(task::state(&parrot.send(message("x")).await), "COMPLETED");
}

#[tokio::test]
async fn another_plugin_takes_a_name_only_if_it_is_told_to() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let name = ("name", "echo".to_owned());
    let component = std::fs::read(places::plugin("approval")).unwrap();
    let refused = host
        .admin()
        .try_load(component.clone(), std::slice::from_ref(&name))
        .await;
    assert_eq!((refused.status, refused.code()), (409, "other-plugin"));
    let message_of_it = refused.message();
    assert!(
        message_of_it.contains("runs the plugin echo"),
        "{refused:?}"
    );
    let done = host.agent("echo").send(message("x")).await;
    assert_eq!(task::artifact(&done, "echo"), "x");

    let replace = ("replace", "true".to_owned());
    host.admin()
        .try_load(component, &[name, replace])
        .await
        .ok();
    let asked = host.agent("echo").send(message("x")).await;
    assert_eq!(task::state(&asked), "INPUT_REQUIRED");
}

#[tokio::test]
async fn an_agent_that_works_is_not_removed() {
    let host = Host::with(&["approval"], Settings::default()).await;
    let approval = host.agent("approval");
    let asked = approval.send(message("Deploy")).await;

    let refused = host.admin().unload("approval", false).await;

    assert_eq!((refused.status, refused.code()), (409, "in-use"));
    assert!(refused.message().contains("1 tasks"), "{refused:?}");
    let done = approval.answer(task::id(&asked), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
    host.admin().unload("approval", false).await.ok();
    let gone = approval.get_path(CARD).send().await.unwrap();
    assert_eq!(gone.status(), 404, "the card goes with the agent");
    let refusal = approval
        .refused("SendMessage", json!({"message": message("x")}))
        .await;
    assert_eq!(refusal.reason, "AGENT_NOT_FOUND");
}

#[tokio::test]
async fn a_draining_agent_finishes_and_takes_nothing_new() {
    let host = Host::with(&["approval"], Settings::default()).await;
    let approval = host.agent("approval");
    let mut begun = vec![approval.begin(message("Deploy")).await];
    let admin = host.admin();
    let mut removal = Box::pin(admin.unload("approval", true));

    let refusal = eventually("a refusal of new tasks", async || {
        let early = removal.as_mut().now_or_never();
        assert!(early.is_none(), "removed too early");
        match approval.try_begin(message("Deploy more")).await {
            Ok(more) => {
                begun.push(task::id(&more).to_owned());
                None
            }
            Err(Error::Refused(refusal)) => Some(refusal),
            Err(lost) => panic!("{lost:?}"),
        }
    })
    .await;
    assert_eq!(refusal.reason, "AGENT_NOT_FOUND");
    for id in &begun {
        approval.reached(id, task::waits_for_input).await;
        approval.answer(id, "yes").await;
    }

    assert_eq!(removal.await.status, 204);
    let agents = host.admin().get("/v1/agents").await.ok();
    assert_eq!(agents["agents"], json!([]));
}

#[tokio::test]
async fn the_tasks_of_an_agent_are_back_with_it() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let echo = host.agent("echo");
    let done = echo.send(message("x")).await;
    let query = json!({"id": task::id(&done)});

    host.admin().unload("echo", false).await.ok();
    let refusal = echo.refused("GetTask", query.clone()).await;
    assert_eq!(refusal.reason, "AGENT_NOT_FOUND");

    host.admin().load(&places::plugin("echo"), &[]).await;
    assert_eq!(echo.call("GetTask", query).await, done);
}

#[tokio::test]
async fn plugins_can_come_with_the_start() {
    let file = places::plugin("echo").display().to_string();
    let settings = Settings::default().argument("--load").argument(&file);
    let host = Host::start(settings).await;
    assert_eq!(
        task::state(&host.agent("echo").send(message("x")).await),
        "COMPLETED"
    );

    // What is deployed already is not deployed again.
    host.kill();
    host.restart().await;
    assert_eq!(show(&host, "echo").await["agent"]["revision"], 1);
}

#[tokio::test]
async fn agents_are_back_after_a_crash() {
    let host = Host::with(&["countdown", "echo"], Settings::default()).await;
    let before = host.admin().get("/v1/agents").await.ok();
    host.kill();
    host.restart().await;
    assert_eq!(host.admin().get("/v1/agents").await.ok(), before);
    assert_eq!(
        task::state(&host.agent("echo").send(message("x")).await),
        "COMPLETED"
    );
    // Compiled code is kept: nothing is compiled again.
    let compiled = host.log().matches("compiled").count();
    assert_eq!(compiled, 2, "{}", host.log());
}

#[tokio::test]
async fn work_goes_on_while_versions_change() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let echo = host.agent("echo");
    let versions = [
        std::fs::read(places::plugin("echo")).unwrap(),
        new_version("echo"),
    ];
    let load = async {
        for version in versions.iter().cycle().take(20) {
            host.admin().try_load(version.clone(), &[]).await.ok();
        }
    };
    let work = async {
        for number in 0..200 {
            let text = number.to_string();
            let done = echo.send(message(&text)).await;
            assert_eq!(task::artifact(&done, "echo"), text);
        }
    };
    futures::join!(load, work);
}

#[tokio::test]
async fn a_deployment_happens_wholly_or_not_at_all() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let old = std::fs::read(places::plugin("echo")).unwrap();
    let versions = [new_version("echo"), old];
    let mut digests = Vec::new();
    for version in &versions {
        let loaded = host.admin().try_load(version.clone(), &[]).await.ok();
        digests.push(loaded["digest"].clone());
    }
    for round in 0..8 {
        let admin = host.admin();
        let load = admin.request(Method::POST, "/v1/agents");
        let load = load
            .header("content-type", "application/wasm")
            .body(versions[round % 2].clone());
        let loading = tokio::spawn(load.send());
        tokio::time::sleep(Duration::from_millis(round as u64)).await;
        host.kill();
        // It may have been quick enough.
        let _ = loading.await.unwrap();

        host.restart().await;
        let digest = show(&host, "echo").await["agent"]["digest"].clone();
        assert!(digests.contains(&digest), "{digest}");
        let done = host.agent("echo").send(message("x")).await;
        assert_eq!(task::state(&done), "COMPLETED");
    }
}

//! Retention: finished tasks leave in the background, also when the host is killed in the middle.

use serde_json::json;

use crate::support::{Agent, Host, Settings, eventually, message, task};

/// Finished tasks leave a second after their end.
fn settings() -> Settings {
    Settings::default().set("retention.max_age_seconds", 1)
}

async fn total(agent: &Agent) -> u64 {
    let page = agent.call("ListTasks", json!({})).await;
    page["totalSize"].as_u64().unwrap()
}

async fn becomes_empty(agent: &Agent) {
    eventually("all finished tasks to leave", async || {
        (total(agent).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn finished_tasks_leave_and_others_stay() {
    let host = Host::with(&["echo", "approval"], settings()).await;
    let (echo, approval) = (host.agent("echo"), host.agent("approval"));
    let waiting = approval.send(message("wait")).await;
    let done = echo.send(message("x")).await;
    becomes_empty(&echo).await;
    echo.refused("GetTask", json!({"id": task::id(&done)}))
        .await;
    assert_eq!(total(&approval).await, 1);
    let stats = eventually("the round to be shown", async || {
        let stats = host.admin().get("/v1/stats").await.body;
        stats["forgotten"].is_object().then_some(stats)
    })
    .await;
    assert_eq!(stats["forgotten"]["in_use"], 0);

    let answered = approval.answer(task::id(&waiting), "yes").await;
    assert_eq!(task::id(&answered), task::id(&waiting));
    becomes_empty(&approval).await;
}

#[tokio::test]
async fn a_host_that_is_killed_while_tasks_leave_goes_on_with_it() {
    const TASKS: usize = 200;
    let host = Host::with(&["echo"], settings()).await;
    let echo = host.agent("echo");
    let mut ids = Vec::new();
    for number in 0..TASKS {
        let done = echo.send(message(&number.to_string())).await;
        ids.push(task::id(&done).to_owned());
    }
    eventually("the first task to leave", async || {
        let request = json!({"id": ids[0]});
        echo.try_call("GetTask", request).await.err()
    })
    .await;
    host.kill();
    host.restart().await;

    // Each is there as a whole, or not at all.
    let page = echo
        .call(
            "ListTasks",
            json!({"pageSize": 100, "includeArtifacts": true}),
        )
        .await;
    for left in page["tasks"].as_array().unwrap() {
        assert!(!task::artifact(left, "echo").is_empty());
    }
    // It serves while they leave.
    echo.send(message("meanwhile")).await;
    becomes_empty(&echo).await;
    for id in &ids {
        echo.refused("GetTask", json!({"id": id})).await;
    }
}

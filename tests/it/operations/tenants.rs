//! What one tenant or agent has does not exist for another.

use serde_json::{Value, json};

use crate::support::agent::follow_up;
use crate::support::{Agent, Host, Settings, message, task};

const ABOUT_A_TASK: [&str; 3] = ["GetTask", "CancelTask", "SubscribeToTask"];

async fn check_unknown(agent: &Agent, id: &str) {
    let push = json!({"taskId": id, "id": "x", "url": "https://example.com/"});
    let pushes = [
        "CreateTaskPushNotificationConfig",
        "GetTaskPushNotificationConfig",
        "ListTaskPushNotificationConfigs",
        "DeleteTaskPushNotificationConfig",
    ];
    let about = ABOUT_A_TASK.map(|method| (method, json!({"id": id})));
    let about = about
        .into_iter()
        .chain(pushes.map(|method| (method, push.clone())));
    for (method, params) in about {
        let refusal = agent.refused(method, params).await;
        assert_eq!(refusal.reason, "TASK_NOT_FOUND", "{method}: {refusal:?}");
    }
}

async fn check_unanswerable(agent: &Agent, id: &str) {
    let answer = json!({"message": follow_up(id, "yes")});
    let refusal = agent.refused("SendMessage", answer).await;
    assert_eq!(refusal.reason, "TASK_NOT_FOUND");
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let host = Host::shared().await;
    let (acme, globex) = (
        host.agent("approval").of_tenant("acme"),
        host.agent("approval").of_tenant("globex"),
    );
    let asked = acme.send(message("Deploy")).await;
    let id = task::id(&asked);

    for stranger in [&globex, &host.agent("approval")] {
        check_unknown(stranger, id).await;
        check_unanswerable(stranger, id).await;
    }
    let list = globex.call("ListTasks", json!({})).await;
    assert_eq!(list["totalSize"], 0);

    // The field says the same as the path.
    let root = host.agent("approval");
    let by_field = root
        .call("GetTask", json!({"id": id, "tenant": "acme"}))
        .await;
    assert_eq!(by_field, asked);
    assert_eq!(task::state(&acme.answer(id, "yes").await), "COMPLETED");
}

#[tokio::test]
async fn a_task_belongs_to_its_agent() {
    let host = Host::shared().await;
    let asked = host.agent("approval").send(message("Deploy")).await;
    check_unknown(&host.agent("echo"), task::id(&asked)).await;
    check_unanswerable(&host.agent("echo"), task::id(&asked)).await;
}

#[tokio::test]
async fn a_token_decides_the_tenant() {
    let clients = r#"[
        {token = "token-of-acme", tenant = "acme", name = "a"},
        {token = "token-of-globex", tenant = "globex", name = "g"},
    ]"#;
    let settings = Settings::default().set("api.clients", clients.replace('\n', " "));
    let host = Host::with(&["approval"], settings).await;
    let with = |token: &str| {
        let bearer = format!("Bearer {token}");
        host.agent("approval").with_header("authorization", &bearer)
    };
    let (acme, globex) = (with("token-of-acme"), with("token-of-globex"));
    let asked = acme.send(message("Deploy")).await;
    let id = task::id(&asked);

    for stranger in [host.agent("approval"), with("token-of-nobody")] {
        let refusal = stranger.refused("GetTask", json!({"id": id})).await;
        assert_eq!(
            (refusal.status, refusal.reason.as_str()),
            (401, "UNAUTHENTICATED")
        );
    }
    check_unknown(&globex, id).await;
    check_unanswerable(&globex, id).await;
    check_unknown(&globex.of_tenant("acme"), id).await;
    let refusal = globex
        .of_tenant("acme")
        .refused("ListTasks", json!({}))
        .await;
    assert_eq!(
        (refusal.status, refusal.reason.as_str()),
        (403, "FORBIDDEN")
    );
    assert_eq!(acme.of_tenant("acme").get(id).await, asked);

    let card: Value = acme.call("GetExtendedAgentCard", json!({})).await;
    assert_eq!(card["name"], "approval");
    assert_eq!(
        card["securityRequirements"],
        json!([{"schemes": {"bearer": {"list": []}}}])
    );
}

#[tokio::test]
async fn one_tenants_line_does_not_hold_up_another() {
    let settings = Settings::default().set("limits.max_runs", 1);
    let host = Host::with(&["countdown", "echo"], settings).await;
    let busy = host.agent("countdown").of_tenant("busy");
    let mut line = Vec::new();
    for _ in 0..30 {
        line.push(busy.begin(message("3")).await);
    }

    let done = host
        .agent("echo")
        .of_tenant("modest")
        .send(message("x"))
        .await;

    assert_eq!(task::state(&done), "COMPLETED");
    let last = busy.get(line.last().unwrap()).await;
    assert_eq!(
        task::state(&last),
        "SUBMITTED",
        "the other's line was done first"
    );
}

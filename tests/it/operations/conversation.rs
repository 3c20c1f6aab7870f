//! Tasks that ask, and tasks that are told more while they work.

use serde_json::json;

use crate::support::agent::follow_up;
use crate::support::{Event, Host, Settings, eventually, message, task};

#[tokio::test]
async fn a_yes_goes_on_and_a_no_does_not() {
    let host = Host::shared().await;
    let approval = host.agent("approval");

    let asked = approval.send(message("Deploy")).await;
    assert_eq!(task::state(&asked), "INPUT_REQUIRED");
    assert_eq!(task::says(&asked), "Approve \"Deploy\"? (yes/no)");
    let done = approval.answer(task::id(&asked), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
    assert!(task::artifact(&done, "decision").starts_with("Approved: Deploy\n"));

    let asked = approval.send(message("Deploy")).await;
    let done = approval.answer(task::id(&asked), "no").await;
    assert_eq!(task::state(&done), "REJECTED");
    assert_eq!(task::says(&done), "not approved");
}

#[tokio::test]
async fn an_answer_waits_for_the_new_turn() {
    let host = Host::shared().await;
    let approval = host.agent("approval");
    let asked = approval.send(message("Deploy")).await;
    let again = approval.answer(task::id(&asked), "hm").await;
    assert_eq!(task::state(&again), "INPUT_REQUIRED");
    assert_eq!(
        task::says(&again),
        "Please say yes or no. Approve \"Deploy\"?"
    );
    let done = approval.answer(task::id(&asked), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
}

#[tokio::test]
async fn an_answer_without_a_context_belongs_to_the_tasks() {
    let host = Host::shared().await;
    let approval = host.agent("approval");
    let asked = approval.send(message("Deploy")).await;
    let id = task::id(&asked);

    let mut mismatched = follow_up(id, "yes");
    mismatched["contextId"] = "another".into();
    let refusal = approval
        .refused("SendMessage", json!({"message": mismatched}))
        .await;
    assert_eq!(refusal.code, -32602, "{refusal:?}");

    let done = approval.answer(id, "yes").await;
    assert_eq!(task::context(&done), task::context(&asked));
}

#[tokio::test]
async fn a_question_outlives_the_host() {
    let host = Host::with(&["approval"], Settings::default()).await;
    let approval = host.agent("approval");
    let asked = approval.send(message("Deploy")).await;

    host.kill();
    host.restart().await;

    assert_eq!(approval.get(task::id(&asked)).await, asked);
    let done = approval.answer(task::id(&asked), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
    let questions = done["history"].as_array().unwrap().iter();
    let questions = questions.filter(|said| said["role"] == "ROLE_AGENT");
    assert_eq!(
        questions.count(),
        2,
        "asked again after the restart: {done}"
    );
}

#[tokio::test]
async fn messages_to_a_working_task_arrive_in_order() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let id = countdown.begin(message("25")).await;
    let mut events = countdown.subscribe(&id, Some(0)).await;
    events
        .find("the first tick", |event| event.text() == Some("25"))
        .await;

    for word in ["one", "two", "three"] {
        countdown.begin(follow_up(&id, word)).await;
    }

    let rest = events.rest().await;
    let noted: Vec<_> = rest
        .iter()
        .filter_map(Event::text)
        .filter(|text| text.starts_with("noted"))
        .collect();
    assert_eq!(noted, ["noted: one", "noted: two", "noted: three"]);
}

#[tokio::test]
async fn a_waiting_task_costs_no_run() {
    let host = Host::with(&["approval"], Settings::default().set("limits.max_runs", 1)).await;
    let approval = host.agent("approval");
    let mut waiting = Vec::new();
    for number in 0..5 {
        waiting.push(approval.send(message(&format!("Deploy {number}"))).await);
    }
    for asked in &waiting {
        let done = approval.answer(task::id(asked), "yes").await;
        assert_eq!(task::state(&done), "COMPLETED");
    }
    eventually("an idle host", async || {
        let stats = host.admin().get("/v1/stats").await.ok();
        (stats["running"] == 0 && stats["queued"] == 0).then_some(())
    })
    .await;
}

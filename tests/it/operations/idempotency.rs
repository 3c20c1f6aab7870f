//! `Idempotency-Key`: sending again takes effect once.

use futures::future::join_all;
use serde_json::json;

use crate::support::agent::follow_up;
use crate::support::{Host, Settings, message, task};

#[tokio::test]
async fn the_same_request_is_the_same_task() {
    let host = Host::shared().await;
    let echo = host
        .agent("echo")
        .with_header("idempotency-key", "same-body");
    let first = echo.send(message("x")).await;
    let second = echo.send(message("x")).await;
    assert_eq!(first, second, "a new message id is no new request");
}

#[tokio::test]
async fn another_request_under_the_same_key_is_a_conflict() {
    let host = Host::shared().await;
    let echo = host
        .agent("echo")
        .with_header("idempotency-key", "other-body");
    echo.send(message("x")).await;
    let refusal = echo
        .refused("SendMessage", json!({"message": message("y")}))
        .await;
    assert_eq!(
        (refusal.status, refusal.code, refusal.reason.as_str()),
        (409, -32011, "IDEMPOTENCY_CONFLICT")
    );
}

#[tokio::test]
async fn a_key_counts_for_its_caller_and_agent_only() {
    let host = Host::shared().await;
    let with_key = |agent: &str| {
        host.agent(agent)
            .with_header("idempotency-key", "shared-key")
    };
    let echo = with_key("echo").send(message("x")).await;
    let of_tenant = with_key("echo").of_tenant("acme").send(message("y")).await;
    let approval = with_key("approval").send(message("z")).await;
    assert_ne!(task::id(&echo), task::id(&of_tenant));
    assert_ne!(task::id(&echo), task::id(&approval));
}

#[tokio::test]
async fn many_at_once_are_one_task() {
    let host = Host::shared().await;
    let echo = host.agent("echo").with_header("idempotency-key", "at-once");
    let all = join_all((0..20).map(|_| echo.send(message("x")))).await;
    assert!(all.iter().all(|one| task::id(one) == task::id(&all[0])));
}

#[tokio::test]
async fn a_key_is_remembered_over_a_crash() {
    let host = Host::with(&["approval"], Settings::default()).await;
    let begin = host
        .agent("approval")
        .with_header("idempotency-key", "begin");
    let answer = host
        .agent("approval")
        .with_header("idempotency-key", "answer");
    let asked = begin.send(message("Deploy")).await;
    let id = task::id(&asked);

    host.kill();
    host.restart().await;
    assert_eq!(task::id(&begin.send(message("Deploy")).await), id);
    let done = answer.send(follow_up(id, "yes")).await;

    host.kill();
    host.restart().await;
    // The task has ended, so a new answer would be refused; this one was given already.
    assert_eq!(answer.send(follow_up(id, "yes")).await, done);
}

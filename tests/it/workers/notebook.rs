//! Notebook on the real binary: workers read the earlier tasks of their conversation, and those that the client
//! refers to, and nothing else.

use serde_json::{Value, json};

use crate::support::{Agent, Host, Settings, message, task};

async fn host() -> Host {
    Host::with(&["notebook", "echo"], Settings::default()).await
}

/// A message of a conversation.
fn of(context: &str, text: &str) -> Value {
    let mut message = message(text);
    message["contextId"] = context.into();
    message
}

/// A message that refers to tasks.
fn referring(text: &str, tasks: &[&str]) -> Value {
    let mut message = message(text);
    message["referenceTaskIds"] = json!(tasks);
    message
}

async fn notes(agent: &Agent, message: Value) -> String {
    let done = agent.send(message).await;
    assert_eq!(task::state(&done), "COMPLETED", "{done}");
    task::artifact(&done, "notes")
}

#[tokio::test]
async fn a_worker_reads_the_earlier_tasks_of_its_conversation() {
    let host = host().await;
    let notebook = host.agent("notebook");
    for note in ["buy milk", "call Ada"] {
        notebook.send(of("mine", note)).await;
    }
    notebook.send(of("another", "learn to dance")).await;
    host.agent("echo")
        .send(of("mine", "of another agent"))
        .await;
    let stranger = notebook.of_tenant("stranger");
    stranger.send(of("mine", "of another tenant")).await;

    let all = notes(&notebook, of("mine", "all")).await;
    assert_eq!(all, "- buy milk\n- call Ada\n");
    // What it wrote itself is no note, and the host's end changes nothing.
    host.kill();
    host.restart().await;
    assert_eq!(notes(&notebook, of("mine", "all")).await, all);
    let theirs = notes(&stranger, of("mine", "all")).await;
    assert_eq!(theirs, "- of another tenant\n");
}

#[tokio::test]
async fn a_worker_reads_what_the_client_refers_to() {
    let host = host().await;
    let notebook = host.agent("notebook");
    let note = notebook.send(message("buy milk")).await;
    let reference = referring("all", &[task::id(&note)]);
    assert_eq!(notes(&notebook, reference).await, "- buy milk\n");

    // A task of another agent, which holds no note.
    let echoed = host.agent("echo").send(message("hello")).await;
    let reference = referring("all", &[task::id(&echoed)]);
    assert_eq!(notes(&notebook, reference).await, "");
}

#[tokio::test]
async fn a_reference_to_what_the_client_may_not_know_is_dropped() {
    let host = host().await;
    let notebook = host.agent("notebook");
    let note = notebook.send(message("buy milk")).await;
    let note = task::id(&note);
    let missing = "0190a5f2-6c1e-7d3a-9b0e-2f6d8a4c1e07";

    let stranger = notebook.of_tenant("stranger");
    for (agent, ids) in [
        (&notebook, [missing, "not an id"]),
        (&stranger, [missing, note]),
    ] {
        let done = agent.send(referring("all", &ids)).await;
        assert_eq!(task::artifact(&done, "notes"), "");
        let kept = done.pointer("/history/0/referenceTaskIds");
        assert_eq!(kept, None, "{done}");
    }
    let some = notes(&notebook, referring("all", &[missing, note])).await;
    assert_eq!(some, "- buy milk\n");

    let many = vec![note; 33];
    let params = json!({"message": referring("all", &many)});
    let refusal = notebook.refused("SendMessage", params).await;
    assert_eq!(refusal.code, -32602, "{refusal:?}");
    notes(&notebook, referring("all", &many[..32])).await;
}

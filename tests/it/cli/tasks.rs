//! `taskyard task`.

use serde_json::json;

use super::taskyard;
use crate::support::{Host, message, task};

#[tokio::test]
async fn a_send_prints_the_task_and_exits_as_it_ended() {
    let host = Host::shared().await;
    let done = taskyard(
        &host,
        &["task", "send", "--agent", "echo", "--json", "hello"],
    )
    .exits(0);
    let done = done.json();
    assert_eq!(task::state(&done), "COMPLETED");
    assert_eq!(task::artifact(&done, "echo"), "hello");

    let rejected = taskyard(
        &host,
        &["task", "send", "--agent", "countdown", "--json", "soon"],
    );
    assert_eq!(task::state(&rejected.exits(3).json()), "REJECTED");

    let people = taskyard(&host, &["task", "send", "--agent", "echo", "hello"]).exits(0);
    assert!(people.stdout.contains("hello"), "{}", people.stdout);

    let reply = taskyard(&host, &["task", "send", "--agent", "echo", "/reply hi"]).exits(0);
    assert_eq!(reply.stdout, "hi\n");
}

#[tokio::test]
async fn a_file_is_sent_with_its_type() {
    let host = Host::shared().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("numbers.csv");
    std::fs::write(&file, "n\n1\n2\n").unwrap();
    let file = file.to_str().unwrap();
    let args = [
        "task",
        "send",
        "--agent",
        "csv-report",
        "--json",
        "--file",
        file,
    ];
    let done = taskyard(&host, &args).exits(0).json();
    assert_eq!(
        task::artifact(&done, "table"),
        "| n |\n| --- |\n| 1 |\n| 2 |\n"
    );
}

#[tokio::test]
async fn a_question_is_answered_from_the_command_line() {
    let host = Host::shared().await;
    for (answer, code, state) in [("yes", 0, "COMPLETED"), ("no", 3, "REJECTED")] {
        let asked = taskyard(
            &host,
            &["task", "send", "--agent", "approval", "--json", "Deploy"],
        );
        let asked = asked.exits(4).json();
        let id = task::id(&asked);
        let args = [
            "task", "answer", "--agent", "approval", "--json", id, answer,
        ];
        let done = taskyard(&host, &args).exits(code).json();
        assert_eq!(task::state(&done), state);
        let got = taskyard(&host, &["task", "get", "--agent", "approval", "--json", id]);
        assert_eq!(got.exits(0).json(), done);
    }
}

#[tokio::test]
async fn watching_prints_each_event_until_the_end() {
    let host = Host::shared().await;
    let countdown = host.agent("countdown");
    let id = countdown.begin(message("10")).await;
    let args = ["task", "watch", "--agent", "countdown", "--json", &id];
    let watched = taskyard(&host, &args).exits(0).lines();
    assert_eq!(task::id(&watched[0]["task"]), id);
    let last = &watched.last().unwrap()["statusUpdate"];
    assert_eq!(last["status"]["state"], "TASK_STATE_COMPLETED");

    let again = taskyard(&host, &args).exits(0).json();
    assert_eq!(task::state(&again), "COMPLETED", "an ended task is shown");

    let streamed = [
        "task",
        "send",
        "--agent",
        "countdown",
        "--stream",
        "--json",
        "3",
    ];
    let streamed = taskyard(&host, &streamed).exits(0).lines();
    assert!(streamed.len() > 3);
    let waits = [
        "task", "send", "--agent", "approval", "--stream", "--json", "Deploy",
    ];
    taskyard(&host, &waits).exits(4);
}

#[tokio::test]
async fn a_task_is_begun_listed_and_canceled() {
    let host = Host::shared().await;
    let args = [
        "task",
        "send",
        "--agent",
        "countdown",
        "--no-wait",
        "--json",
        "1000",
    ];
    let args = [&args[..], &["--context", "of-the-command-line"]].concat();
    let begun = taskyard(&host, &args).exits(0).json();
    let id = task::id(&begun);

    let list = ["task", "list", "--agent", "countdown", "--json"];
    let list = [&list[..], &["--context", "of-the-command-line"]].concat();
    let listed = taskyard(&host, &list).exits(0).json();
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(task::id).collect();
    assert_eq!(ids, [id]);
    let completed = [&list[..], &["--state", "completed"]].concat();
    assert_eq!(taskyard(&host, &completed).exits(0).json(), json!([]));

    let cancel = ["task", "cancel", "--agent", "countdown", "--json", id];
    let canceled = taskyard(&host, &cancel).exits(0).json();
    assert_eq!(task::state(&canceled), "CANCELED");
    taskyard(&host, &cancel).exits(1);
    taskyard(&host, &["task", "watch", "--agent", "countdown", id]).exits(3);
}

#[tokio::test]
async fn what_does_not_exist_has_its_own_exit_code() {
    let host = Host::shared().await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    taskyard(&host, &["task", "get", "--agent", "echo", nobody]).exits(5);
    taskyard(&host, &["task", "watch", "--agent", "echo", nobody]).exits(5);
    taskyard(&host, &["task", "cancel", "--agent", "echo", nobody]).exits(5);
    let failed = taskyard(&host, &["task", "send", "--agent", "nobody", "x"]).exits(5);
    assert!(failed.stderr.starts_with("taskyard: "), "{}", failed.stderr);
    assert_eq!(failed.stdout, "");
    // Several agents and no default one: the host says where they are.
    let lost = taskyard(&host, &["task", "send", "hello"]).exits(5);
    assert!(lost.stderr.contains("/agents/NAME"), "{}", lost.stderr);
}

#[tokio::test]
async fn a_wrong_command_line_and_a_missing_host_are_told_apart() {
    let host = Host::shared().await;
    taskyard(&host, &["task", "send", "--agent", "echo"]).exits(2);
    taskyard(&host, &["task", "dance"]).exits(2);
    let nowhere = ["task", "get", "--url", "http://127.0.0.1:9", "x"];
    let failed = taskyard(&host, &nowhere).exits(1);
    assert!(failed.stderr.contains("127.0.0.1:9"), "{}", failed.stderr);
}

//! A disk that answers a sync with an input/output error: nobody can know whether what was written is there, so
//! that is what clients are told.

use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::support::agent::request_body;
use crate::support::{Host, Shim, message, task};

#[tokio::test]
async fn what_a_failed_sync_leaves_open_is_said_to_be_unknown() {
    let shim = Shim::build("eio");
    let host = Host::with(&["echo"], shim.settings()).await;
    let echo = host.agent("echo");
    let before = task::id(&echo.send(message("before")).await).to_owned();

    shim.tell("");
    let sent = request_body("SendMessage", json!({"message": message("meanwhile")}));
    let answer = echo.post().json(&sent).send().await.unwrap();
    assert_eq!(answer.headers().get(RETRY_AFTER), None);
    let answer: Value = answer.json().await.unwrap();
    let error = answer["error"].to_string();
    assert!(error.contains("OUTCOME_UNKNOWN"), "{answer}");
    assert!(!error.contains("RetryInfo"), "{answer}");

    // What comes later was never handed over, and the host says that only people can help.
    let refused = echo.try_begin(message("later")).await.unwrap_err();
    assert!(
        format!("{refused:?}").contains("UNAVAILABLE"),
        "{refused:?}"
    );
    let (status, why) = host.look("/readyz").await;
    assert_eq!(status, 503);
    assert!(why.contains("Input/output error"), "{why}");
    assert_eq!(echo.get(&before).await["id"], before.as_str());
    for _ in 0..100 {
        echo.try_begin(message("later")).await.unwrap_err();
    }
    let lines = host.log().lines().count();
    assert!(lines < 60, "{lines} lines of log");

    host.kill();
    shim.rest();
    host.restart().await;
    // The task is there as a whole, or not at all.
    let echo = host.agent("echo");
    let listed = echo.call("ListTasks", json!({})).await;
    let tasks = listed["tasks"].as_array().unwrap();
    assert!((1..=2).contains(&tasks.len()), "{listed}");
    for listed in tasks {
        let ended = echo.ended(task::id(listed)).await;
        assert_eq!(task::state(&ended), "COMPLETED");
    }
}

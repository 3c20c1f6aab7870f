//! Folders that cannot be used, and disks that are full.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Error, Host, Settings, http, message, places, task};

#[tokio::test]
async fn a_folder_belongs_to_one_host() {
    let host = Host::with(&["echo"], Settings::default()).await;

    let second = Command::new(places::binary())
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ])
        .arg("--data-dir")
        .arg(host.data())
        .stdin(Stdio::null())
        .output()
        .unwrap();

    assert_eq!(second.status.code(), Some(1));
    let error = String::from_utf8(second.stderr).unwrap();
    assert!(error.contains("is in use by another process"), "{error}");
    assert_eq!(
        task::state(&host.agent("echo").send(message("x")).await),
        "COMPLETED"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "not a folder").unwrap();
    let failed = Command::new(places::binary())
        .args(["serve", "--data-dir"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(failed.status.code(), Some(1));
    let error = String::from_utf8(failed.stderr).unwrap();
    assert!(error.contains("a-file"), "{error}");
}

#[tokio::test]
async fn a_full_disk_stops_new_work_and_loses_nothing() {
    let host = Host::with(&["approval", "echo"], Settings::default()).await;
    let echo = host.agent("echo");
    // Limits the size of any file that the host writes: the log of the database cannot grow further.
    let files = 4 << 20;
    host.restart_limited(files).await;
    let asked = host.agent("approval").send(message("Deploy")).await;

    let mut stored = Vec::new();
    let text = "x".repeat(100_000);
    let refusal = loop {
        match echo.try_begin(message(&text)).await {
            Ok(begun) => stored.push(task::id(&begun).to_owned()),
            Err(Error::Refused(refusal)) => break refusal,
            Err(Error::Lost(lost)) => panic!("the host is gone: {lost}"),
        }
        assert!(stored.len() < 1_000, "the disk never fills");
    };

    assert_eq!(
        (refusal.status, refusal.reason.as_str()),
        (503, "UNAVAILABLE"),
        "{refusal:?}"
    );
    assert!(!stored.is_empty());
    let look = async |path: &str| {
        let answer = http::client()
            .get(format!("{}{path}", host.url()))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, why) = look("/readyz").await;
    assert_eq!(status, 503);
    assert!(why.contains("cannot write to its data folder"), "{why}");
    assert_eq!(look("/healthz").await.0, 200);
    // What is stored can still be read, and nothing can be changed.
    assert_eq!(echo.get(&stored[0]).await["id"], stored[0].as_str());
    let cancel = json!({"id": task::id(&asked)});
    let refusal = host.agent("approval").refused("CancelTask", cancel).await;
    assert_eq!(refusal.reason, "UNAVAILABLE");

    host.kill();
    host.restart().await;
    for id in &stored {
        let done = echo.ended(id).await;
        assert_eq!(task::artifact(&done, "echo"), text);
    }
    let done = host.agent("approval").answer(task::id(&asked), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
}

//! Folders that cannot be used, disks that are full for a while, and files that run out.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Resource;
use serde_json::json;

use crate::cli::taskyard;
use crate::support::{Agent, Error, Host, Settings, http, message, places, raw, task};

/// What a host says that cannot start in `data`.
fn refused_in(data: &Path) -> String {
    let output = Command::new(places::binary())
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ])
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    error
}

#[tokio::test]
async fn a_folder_belongs_to_one_host() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let error = refused_in(&host.data());
    assert!(error.contains("is in use by another process"), "{error}");
    assert_eq!(
        task::state(&host.agent("echo").send(message("x")).await),
        "COMPLETED"
    );
}

#[test]
fn a_folder_that_cannot_be_used_is_named_with_what_the_system_says() {
    for (place, is_folder, says) in [
        // Not a folder.
        ("", false, "a-folder"),
        // What is to be locked cannot be opened; who has the folder has nothing to do with it.
        ("lock", true, "lock: Is a directory"),
        ("db/LOCK", true, "Is a directory"),
        ("db", false, "db: File exists"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a-folder");
        let path = match place {
            "" => data.clone(),
            place => data.join(place),
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match is_folder {
            true => fs::create_dir(&path).unwrap(),
            false => fs::write(&path, "not a folder").unwrap(),
        }
        let error = refused_in(&data);
        assert!(error.contains(says), "{place}: {error}");
        assert!(!error.contains("another process"), "{place}: {error}");
    }
}

/// Sends until the host refuses, and waits for nothing; tells what it took, and checks the refusal.
async fn fill(echo: &Agent, text: &str) -> Vec<String> {
    let mut taken = Vec::new();
    let refusal = loop {
        match echo.try_begin(message(text)).await {
            Ok(begun) => taken.push(task::id(&begun).to_owned()),
            Err(Error::Refused(refusal)) => break refusal,
            Err(Error::Lost(lost)) => panic!("the host is gone: {lost}"),
        }
        assert!(taken.len() < 1_000, "nothing ever runs short");
    };
    // The first of them was handed over already.
    let refused = (refusal.status, refusal.reason.as_str());
    let expected = [(503, "UNAVAILABLE"), (500, "OUTCOME_UNKNOWN")];
    assert!(expected.contains(&refused), "{refusal:?}");
    // Where the host keeps its files is nothing for clients.
    assert!(!refusal.message.contains("/db"), "{refusal:?}");
    assert!(!taken.is_empty());
    taken
}

async fn check_kept(echo: &Agent, ids: &[String], text: &str) {
    for id in ids {
        let done = echo.ended(id).await;
        assert_eq!(task::artifact(&done, "echo"), text);
    }
}

#[tokio::test]
async fn a_full_disk_stops_new_work_until_there_is_room_and_loses_nothing() {
    let host = Host::with(&["approval", "echo"], Settings::default()).await;
    let (approval, echo) = (host.agent("approval"), host.agent("echo"));
    // No file that the host writes can become larger: the log of the database cannot grow further.
    host.restart_limited("ulimit -S -f 8192").await;
    let asked = approval.send(message("Deploy")).await;
    let text = "x".repeat(100_000);
    let mut taken = fill(&echo, &text).await;

    let (status, why) = host.look("/readyz").await;
    assert_eq!(status, 503);
    assert!(why.contains("cannot write to its data folder"), "{why}");
    assert!(why.contains("tries again by itself"), "{why}");
    assert!(!why.contains("/db"), "{why}");
    assert_eq!(host.look("/healthz").await.0, 200);
    let status = taskyard(&host, &["status"]).exits(1).stdout;
    assert!(
        status.contains("takes no work: the host cannot write"),
        "{status}"
    );
    let metrics = host.figures().await;
    assert!(metrics.contains("taskyard_store_writable 0"), "{metrics}");
    // What is stored can still be read, and nothing can be changed.
    assert_eq!(echo.get(&taken[0]).await["id"], taken[0].as_str());
    let cancel = json!({"id": task::id(&asked)});
    let refusal = approval.refused("CancelTask", cancel).await;
    assert_eq!(refusal.reason, "UNAVAILABLE");
    assert!(!refusal.message.contains("/db"), "{refusal:?}");
    assert!(host.log().contains("/db/"), "the log names the file");

    // There is room again, and nobody restarts the host.
    host.limit(Resource::Fsize, None);
    host.readyz_becomes(200).await;
    taskyard(&host, &["status"]).exits(0);
    taken.push(echo.begin(message(&text)).await);
    check_kept(&echo, &taken, &text).await;

    host.kill();
    host.restart().await;
    check_kept(&echo, &taken, &text).await;
    let done = approval.answer(task::id(&asked), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
}

#[tokio::test]
async fn files_that_run_out_for_a_while_are_a_shortage_too() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let echo = host.agent("echo");
    let text = "x".repeat(300_000);
    // The connection of this client is open from here on.
    let mut taken = vec![echo.begin(message(&text)).await];
    // What is open stays so; nothing else can be opened, by no part of the process.
    host.limit(Resource::Nofile, Some(1));
    taken.extend(fill(&echo, &text).await);
    host.limit(Resource::Nofile, None);
    host.readyz_becomes(200).await;
    taken.push(echo.begin(message(&text)).await);
    check_kept(&echo, &taken, &text).await;
}

#[tokio::test]
async fn connections_that_ask_for_nothing_keep_nobody_out() {
    let host = Host::with(&["echo"], Settings::default()).await;
    // Fewer files than connections, and no way to have more.
    host.restart_limited("ulimit -n 256").await;
    let mut silent = Vec::new();
    for door in [host.url(), host.admin_url()] {
        for _ in 0..150 {
            silent.push(raw::connect_to(&door).await);
        }
    }

    let text = "x".repeat(300_000);
    let mut taken = Vec::new();
    for _ in 0..100 {
        // Each is a new connection.
        let echo = host.agent_over(http::client(), "echo");
        taken.push(echo.begin(message(&text)).await);
    }
    assert_eq!(host.look("/readyz").await.0, 200);
    taskyard(&host, &["status"]).exits(0);
    check_kept(&host.agent("echo"), &taken, &text).await;
    drop(silent);
    let log = host.log();
    assert!(log.contains("few files may be open at once"), "{log}");
    assert!(!log.contains("Too many open files"), "{log}");
}

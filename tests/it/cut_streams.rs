//! A host that ends cuts streams in a way that no stock client takes for the end of the task.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::{Host, Settings, places};

#[tokio::test]
async fn the_stock_python_client_raises() {
    for binding in ["JSONRPC", "HTTP+JSON", "GRPC"] {
        python(places::python(), "cut.py", binding).await;
    }
}

#[tokio::test]
async fn the_stock_python_client_of_0_3_raises() {
    for binding in ["JSONRPC", "HTTP+JSON"] {
        python(places::python_v03(), "cut_v03.py", binding).await;
    }
}

#[tokio::test]
async fn the_stock_javascript_client_raises() {
    for binding in ["JSONRPC", "HTTP+JSON"] {
        let mut node = places::node("cut.mjs");
        let host = host().await;
        node.args([&host.agent("countdown").url(), binding]);
        is_told(&host, node, binding).await;
    }
}

async fn host() -> Host {
    let settings = Settings::default()
        .set("api.advertise_grpc", true)
        .set("shutdown_grace_seconds", 0);
    Host::with(&["countdown"], settings).await
}

async fn python(python: PathBuf, script: &str, binding: &str) {
    let host = host().await;
    let mut command = Command::new(python);
    command
        .arg(places::root().join("tests/it/python").join(script))
        .args([&host.agent("countdown").url(), binding]);
    is_told(&host, command, binding).await;
}

/// Ends the host while the client follows a task that works.
async fn is_told(host: &Host, mut client: Command, binding: &str) {
    let mut client = client
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(client.stdout.take().unwrap());
    let works = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        (line, said)
    });
    let (line, mut said) = works.await.unwrap();
    if line == "works\n" {
        host.terminate();
    }
    let ended = tokio::task::spawn_blocking(move || {
        let mut rest = line;
        said.read_to_string(&mut rest).unwrap();
        (rest, client.wait_with_output().unwrap())
    });
    let (said, client) = ended.await.unwrap();
    let error = String::from_utf8_lossy(&client.stderr);
    assert!(client.status.success(), "{binding}: {said}\n{error}");
    assert!(said.contains("raised"), "{binding}: {said}");
    assert_eq!(host.exited().await.code(), Some(0));
}

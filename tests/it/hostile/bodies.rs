//! Bodies that are large, slow, or small and many times as large in memory.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::support::{Host, Settings, http, in_time, message, raw, task};

const MIB: u64 = 1 << 20;
/// A client that may only look.
const CLIENTS: &str = r#"[{ token = "a-token-that-only-reads", tenant = "a", name = "reader", scope = { read_only = true } },
 { token = "a-token-that-may-write", tenant = "a", name = "writer" }]"#;
const READER: &str = "a-token-that-only-reads";
const WRITER: &str = "a-token-that-may-write";

async fn host() -> Host {
    let settings = Settings::default()
        .set("api.clients", CLIENTS)
        .set("api.body_timeout_seconds", 1);
    Host::with(&["echo"], settings).await
}

/// What stands for many times as many bytes in memory.
fn many_values(bytes: usize) -> String {
    let values = vec!["{}"; bytes / 3].join(",");
    format!(r#"{{"unknown":[{values}],"#)
}

async fn post(host: &Host, path: &str, token: &str, body: String) -> (u16, String) {
    let request = http::client()
        .post(format!("{}{path}", host.url()))
        .header("content-type", "application/json")
        .header(
            "a2a-version",
            if path.contains("/v1/") { "0.3" } else { "1.0" },
        )
        .bearer_auth(token)
        .body(body);
    match in_time("an answer", request.send()).await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap()),
        // The host refused, and did not read on.
        Err(error) => {
            assert!(error.is_request(), "{error}");
            (0, String::new())
        }
    }
}

#[tokio::test]
async fn credentials_are_looked_at_before_a_large_body() {
    let host = host().await;
    let before = host.peak_bytes();
    let envelope = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{}"a":1}}}}"#,
        many_values(20 << 20)
    );
    for (path, body) in [
        ("/agents/echo", envelope),
        (
            "/agents/echo/message:send",
            many_values(20 << 20) + r#""a":1}"#,
        ),
        (
            "/a/agents/echo/message:send",
            many_values(20 << 20) + r#""a":1}"#,
        ),
        (
            "/agents/echo/v1/message:send",
            many_values(20 << 20) + r#""a":1}"#,
        ),
    ] {
        let (status, _) = post(&host, path, READER, body).await;
        assert!([0, 403].contains(&status), "{path}: {status}");
    }
    let grown = host.peak_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
}

#[tokio::test]
async fn what_brings_no_message_is_small() {
    let host = host().await;
    let padding = " ".repeat(2 << 20);
    let get =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{{"id":"x"}}{padding}}}"#);
    let (status, _) = post(&host, "/agents/echo", WRITER, get).await;
    assert!([0, 413].contains(&status), "{status}");
    let cancel = format!("{{{padding}}}");
    let (status, _) = post(&host, "/agents/echo/tasks/x:cancel", WRITER, cancel).await;
    assert!([0, 413].contains(&status), "{status}");
    // A read-only client has no use for a large body, even if it does not say at once what it wants.
    let late = format!(r#"{{{padding}"jsonrpc":"2.0","id":1,"method":"GetTask"}}"#);
    let (status, _) = post(&host, "/agents/echo", READER, late).await;
    assert!([0, 413].contains(&status), "{status}");
}

#[tokio::test]
async fn values_are_counted_before_they_are_made() {
    let host = host().await;
    let before = host.peak_bytes();
    let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]});
    let params = format!(r#"{}"message":{message}}}"#, many_values(20 << 20));
    let (status, text) = post(&host, "/agents/echo/message:send", WRITER, params.clone()).await;
    assert_eq!(status, 413, "{text}");
    assert!(text.contains("TOO_MANY_VALUES"), "{text}");
    let envelope =
        format!(r#"{{"jsonrpc":"2.0","id":7,"method":"SendMessage","params":{params}}}"#);
    let (status, text) = post(&host, "/agents/echo", WRITER, envelope).await;
    assert_eq!(status, 413, "{text}");
    assert!(
        text.contains("TOO_MANY_VALUES") && text.contains("\"id\":7"),
        "{text}"
    );
    let grown = host.peak_bytes().saturating_sub(before);
    assert!(grown < 100 * MIB, "{} MiB", grown / MIB);
}

#[tokio::test]
async fn bodies_that_stop_in_the_middle_are_given_up() {
    const STUCK: usize = 40;
    let host = host().await;
    let address = raw::address(&host);
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        let mut stream = raw::connect(&host).await;
        let head = format!(
            "POST /agents/echo HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {WRITER}\r\n\
             content-type: application/json\r\ncontent-length: 33000000\r\n\r\n"
        );
        raw::send(&mut stream, head.as_bytes()).await;
        raw::send(&mut stream, &vec![b' '; 1 << 20]).await;
        stuck.push(stream);
    }
    for mut stream in stuck {
        let answer = raw::rest(&mut stream).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
            "{answer}"
        );
    }
    let done = http::client()
        .post(format!("{}/agents/echo/message:send", host.url()))
        .header("a2a-version", "1.0")
        .bearer_auth(WRITER)
        .json(&json!({"message": message("still there?")}))
        .send()
        .await
        .unwrap();
    let done: serde_json::Value = done.json().await.unwrap();
    assert_eq!(task::artifact(&done["task"], "echo"), "still there?");
}

#[tokio::test]
async fn a_tenant_that_holds_its_share_is_told_to_come_back_and_others_go_on() {
    let clients = r#"[{ token = "a-token-of-the-greedy", tenant = "greedy", name = "g" },
     { token = "a-token-of-the-modest", tenant = "modest", name = "m" }]"#;
    let settings = Settings::default()
        .set("api.clients", clients)
        .set("api.body_timeout_seconds", 30)
        .set("memory.budget_bytes", 64 << 20);
    let host = Host::with(&["echo"], settings).await;
    let address = raw::address(&host);
    let mut refused = 0;
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut stream = raw::connect(&host).await;
        let head = format!(
            "POST /agents/echo HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer a-token-of-the-greedy\r\n\
             content-type: application/json\r\ncontent-length: 33000000\r\n\r\n"
        );
        raw::send(&mut stream, head.as_bytes()).await;
        // Refused in the middle, it may be closed already.
        raw::send(&mut stream, &vec![b' '; 8 << 20]).await;
        held.push(stream);
    }
    for stream in &mut held {
        let mut answer = [0; 12];
        let read = tokio::time::timeout(Duration::from_millis(500), stream.read_exact(&mut answer));
        if let Ok(read) = read.await {
            assert!(read.is_err() || answer.ends_with(b"503"), "{answer:?}");
            refused += 1;
        }
    }
    assert!((2..=4).contains(&refused), "{refused} of 6 were refused");
    let done = http::client()
        .post(format!("{}/agents/echo/message:send", host.url()))
        .header("a2a-version", "1.0")
        .bearer_auth("a-token-of-the-modest")
        .json(&json!({"message": message("me too")}))
        .send()
        .await
        .unwrap();
    let done: serde_json::Value = done.json().await.unwrap();
    assert_eq!(task::artifact(&done["task"], "echo"), "me too");
}

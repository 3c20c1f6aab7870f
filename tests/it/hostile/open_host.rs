//! What a page of another site can do to a host on this machine that asks for no credentials: nothing.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::raw::{self, status};
use crate::support::{Host, Settings, message, task};

/// The whole answer to a request with these lines.
async fn ask(url: &str, lines: &[&str], body: &str) -> String {
    let length = format!("content-length: {}", body.len());
    let lines = lines
        .iter()
        .copied()
        .chain([length.as_str(), "connection: close", "", body]);
    let request = lines.collect::<Vec<_>>().join("\r\n");
    raw::answer_of(url, request.as_bytes()).await
}

#[tokio::test]
async fn a_rebound_name_and_a_foreign_page_are_refused() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let own = raw::address(&host);
    let own_host = format!("host: {own}");
    let rpc = r#"{"jsonrpc":"2.0","id":1,"method":"ListTasks","params":{}}"#;
    let json = "content-type: application/json";
    let foreign = [
        (
            "host: evil.example:7420",
            "origin: http://evil.example:7420",
        ),
        ("host: localhost.evil.example", "accept: */*"),
        (own_host.as_str(), "origin: http://evil.example"),
        (own_host.as_str(), "origin: null"),
        (own_host.as_str(), "origin: http://localhost:3000"),
    ];
    for (name, other) in foreign {
        for line in [
            "POST /agents/echo HTTP/1.1",
            "POST /agents/echo/message:send HTTP/1.1",
            "POST /agents/echo/v1/message:send HTTP/1.1",
            "GET /agents/echo/tasks HTTP/1.1",
            "GET /agents HTTP/1.1",
            "GET /agents/echo/.well-known/agent-card.json HTTP/1.1",
            "GET /openapi.json HTTP/1.1",
        ] {
            let answer = ask(
                &host.url(),
                &[line, name, other, json, "a2a-version: 1.0"],
                rpc,
            )
            .await;
            assert_eq!(status(&answer), "403", "{line} {name} {other}: {answer}");
        }
    }
    let origin = format!("origin: http://{own}");
    let lines = [
        "POST /agents/echo HTTP/1.1",
        &own_host,
        &origin,
        json,
        "a2a-version: 1.0",
    ];
    assert_eq!(status(&ask(&host.url(), &lines, rpc).await), "200");
    // Health is for anybody, under any name.
    let probe = ["GET /readyz HTTP/1.1", "host: pod-7.cluster.example"];
    assert_eq!(status(&ask(&host.url(), &probe, "").await), "200");
}

#[tokio::test]
async fn orders_that_a_browser_sends_unasked_are_refused() {
    let host = Host::with(&["approval"], Settings::default()).await;
    let asked = host.agent("approval").send(message("Deploy")).await;
    let id = task::id(&asked);
    let name = format!("host: {}", raw::address(&host));
    for path in [
        format!("/agents/approval/tasks/{id}:cancel"),
        format!("/agents/approval/tasks/{id}:subscribe"),
        format!("/agents/approval/v1/tasks/{id}:cancel"),
    ] {
        let line = format!("POST {path} HTTP/1.1");
        for simple in [
            "accept: */*",
            "content-type: text/plain",
            "content-type: application/x-www-form-urlencoded",
        ] {
            let answer = ask(&host.url(), &[&line, &name, simple], "").await;
            assert_eq!(status(&answer), "415", "{line} {simple}: {answer}");
        }
    }
    let line = format!("POST /agents/approval/tasks/{id}:cancel HTTP/1.1");
    let answer = ask(&host.url(), &[&line, &name, "a2a-version: 1.0"], "").await;
    assert_eq!(status(&answer), "200", "{answer}");
}

#[tokio::test]
async fn a_request_names_one_host_at_every_door() {
    let host = Host::with(&["echo"], Settings::default()).await;
    for url in [host.url(), host.admin_url()] {
        for lines in [
            &["GET /readyz HTTP/1.1"][..],
            &["GET /readyz HTTP/1.1", "host: localhost", "host: localhost"],
            &["GET /readyz HTTP/1.1", "host: x@127.0.0.1"],
            &["GET /readyz HTTP/1.1", "host: 127.0.0.1:"],
            &["GET http://a/readyz HTTP/1.1", "host: b"],
        ] {
            let answer = ask(&url, lines, "").await;
            assert_eq!(status(&answer), "400", "{lines:?}: {answer}");
        }
    }
    for own in ["x@127.0.0.1", "127.0.0.1@evil.example"] {
        let card = "GET /agents/echo/.well-known/agent-card.json HTTP/1.1";
        let answer = ask(&host.url(), &[card, &format!("host: {own}")], "").await;
        assert!(!answer.contains("signatures"), "{answer}");
    }
}

#[tokio::test]
async fn nothing_in_the_data_folder_is_for_others() {
    let host = Host::with(&["echo"], Settings::default()).await;
    host.agent("echo").send(message("x")).await;
    let mut folders = vec![host.data()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            let mode = about.permissions().mode() & 0o077;
            assert_eq!(mode, 0, "{}", entry.path().display());
            match about.is_dir() {
                true => folders.push(entry.path()),
                false => files += 1,
            }
        }
    }
    assert!(files > 5);
}

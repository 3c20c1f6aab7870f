//! HTTP/1.1 that is built to be read in two ways, or to be long to read.

use crate::support::raw::{self, status};
use crate::support::{Host, Settings, message, task};

const MIB: u64 = 1 << 20;
const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ListTasks","params":{}}"#;

async fn host() -> Host {
    Host::with(&["echo"], Settings::default()).await
}

/// A call with further lines in its head; the connection is closed after it.
fn call(host: &Host, lines: &str, body: &str) -> String {
    let address = raw::address(host);
    format!(
        "POST /agents/echo HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\na2a-version: 1.0\r\n{lines}\r\n{body}"
    )
}

async fn check_unharmed(host: &Host) {
    let done = host.agent("echo").send(message("still there?")).await;
    assert_eq!(task::artifact(&done, "echo"), "still there?");
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let host = host().await;
    let length = BODY.len();
    let proper = call(&host, &format!("content-length: {length}\r\n"), BODY);
    let answer = raw::answer(&host, proper.as_bytes()).await;
    assert_eq!(status(&answer), "200", "{answer}");
    for lines in [
        format!("content-length: {length}\r\ncontent-length: 4\r\n"),
        format!("content-length: {length}, 4\r\n"),
        format!("content-length: +{length}\r\n"),
        format!("content-length: {length}x\r\n"),
        "content-length: -1\r\n".to_owned(),
        "content-length: 99999999999999999999999\r\n".to_owned(),
        "transfer-encoding: identity\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n".to_owned(),
        format!("content-length : {length}\r\n"),
        format!("x-folded: a\r\n b\r\ncontent-length: {length}\r\n"),
        format!("x-zero: a\0b\r\ncontent-length: {length}\r\n"),
        format!("x-return: a\rb\r\ncontent-length: {length}\r\n"),
        format!(": no name\r\ncontent-length: {length}\r\n"),
    ] {
        let request = call(&host, &lines, BODY);
        let answer = raw::answer(&host, request.as_bytes()).await;
        assert_eq!(status(&answer), "400", "{lines:?}: {answer}");
    }
    check_unharmed(&host).await;
}

#[tokio::test]
async fn a_request_inside_a_body_is_no_request() {
    let host = host().await;
    let address = raw::address(&host);
    let inner = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let next = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let call = |lines: &str, body: &str| {
        let call = call(&host, lines, body).replace("connection: close\r\n", "");
        format!("{call}{next}")
    };
    let statuses = async |request: String| {
        let answer = raw::answer(&host, request.as_bytes()).await;
        let answers = answer.match_indices("HTTP/1.1 ");
        let statuses = answers.map(|(at, _)| status(&answer[at..]).to_owned());
        statuses.collect::<Vec<_>>()
    };
    let length = format!("content-length: {}\r\n", inner.len());
    // One answer is that of the call, which is no JSON, and one that of the request after it.
    assert_eq!(statuses(call(&length, &inner)).await, ["200", "200"]);
    // With both, a proxy that goes by the length takes the inner request for a part of the body, and
    // gives its answer to whoever asks next. So nothing is answered after what goes by the chunks.
    let body = format!("0\r\n\r\n{inner}");
    let both = [
        format!("content-length: {}\r\n", body.len()),
        "transfer-encoding: chunked\r\n".to_owned(),
    ];
    for lines in [
        both.concat(),
        both.iter().rev().map(String::as_str).collect(),
    ] {
        let statuses = statuses(call(&lines, &body)).await;
        assert_eq!(statuses.len(), 1, "{lines:?}: {statuses:?}");
    }
    check_unharmed(&host).await;
}

#[tokio::test]
async fn heads_and_chunks_have_limits() {
    let host = host().await;
    let before = host.peak_bytes();
    let many: String = (0..5_000).map(|i| format!("x-{i}: y\r\n")).collect();
    let long = format!("x-long: {}\r\n", "y".repeat(8 << 20));
    for lines in [many, long] {
        let request = call(&host, &lines, "");
        let answer = raw::answer(&host, request.as_bytes()).await;
        assert!(["", "400", "431"].contains(&status(&answer)), "{answer}");
    }
    let chunked = "transfer-encoding: chunked\r\n";
    for body in [
        "fffffffffffffffff\r\n".to_owned(),
        "-1\r\nx\r\n".to_owned(),
        "zz\r\nx\r\n".to_owned(),
        format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(8 << 20)),
        format!("0\r\n{}\r\n", "x-trailer: y\r\n".repeat(100_000)),
    ] {
        let request = call(&host, chunked, &body);
        let answer = raw::answer(&host, request.as_bytes()).await;
        let shown = &body[..body.len().min(20)];
        let refused = ["", "400"].contains(&status(&answer)) || answer.contains(r#""error":{"#);
        assert!(refused, "{shown:?}: {answer}");
    }
    let grown = host.peak_bytes().saturating_sub(before);
    assert!(grown < 16 * MIB, "{} MiB", grown / MIB);
    check_unharmed(&host).await;
}

#[tokio::test]
async fn paths_lead_nowhere_else_and_write_no_headers() {
    let host = host().await;
    let address = raw::address(&host);
    for path in [
        "/../../etc/passwd",
        "/agents/../v1/agents",
        "/agents/%2e%2e/%2e%2e/v1/agents",
        "/agents/echo/..%2f..%2fv1%2fagents",
        "/v1/agents",
        "/agents/echo/tasks/x%0d%0aset-cookie:%20evil=1",
        "/agents/ev%0d%0aset-cookie:%20evil=1/tasks/x",
        "/%0d%0aset-cookie:%20evil=1/agents/echo/tasks/x",
        "/agents/echo/tasks/x%00y",
        "http://169.254.169.254/latest/meta-data/",
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\na2a-version: 1.0\r\nconnection: close\r\n\r\n"
        );
        let answer = raw::answer(&host, request.as_bytes()).await;
        let head = answer.split("\r\n\r\n").next().unwrap();
        assert!(status(&answer).starts_with('4'), "{path}: {answer}");
        assert!(!head.contains("\r\nset-cookie"), "{path}: {answer}");
    }
    let tunnel =
        format!("CONNECT {address} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let answer = raw::answer(&host, tunnel.as_bytes()).await;
    assert!(status(&answer).starts_with('4'), "{answer}");
}

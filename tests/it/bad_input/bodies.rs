//! Bodies that are no requests, and requests that are not for this host.

use futures::stream;
use reqwest::{Body, RequestBuilder};
use serde_json::{Value, json};

use super::{MAX_BODY_BYTES, assert_unharmed, host};
use crate::support::agent::{Refusal, read, request_body};
use crate::support::{Error, Host, http, in_time, message};

/// What is sent to the agent `echo`, and the JSON-RPC code of the answer.
fn not_requests() -> Vec<(&'static str, Vec<u8>, i64)> {
    let with = |member: &str, value: Value| {
        let mut request = request_body("GetTask", json!({"id": "x"}));
        request[member] = value;
        request.to_string().into_bytes()
    };
    let without = |member: &str| {
        let mut request = request_body("GetTask", json!({"id": "x"}));
        request.as_object_mut().unwrap().remove(member);
        request.to_string().into_bytes()
    };
    vec![
        ("half of a JSON object", b"{\"jsonrpc\"".to_vec(), -32700),
        ("nothing", Vec::new(), -32700),
        ("bytes that are no text", vec![0xff, 0xfe, 0x00], -32700),
        ("two documents", b"{} {}".to_vec(), -32700),
        ("nesting without an end", b"[".repeat(50_000), -32700),
        ("a batch", b"[{}]".to_vec(), -32600),
        ("a text", b"\"hello\"".to_vec(), -32600),
        ("null", b"null".to_vec(), -32600),
        ("a notification", without("id"), -32600),
        ("an id that is an object", with("id", json!({})), -32600),
        ("no version of JSON-RPC", without("jsonrpc"), -32600),
        (
            "an old version of JSON-RPC",
            with("jsonrpc", json!("1.0")),
            -32600,
        ),
        ("no method", without("method"), -32600),
        (
            "a method that is a number",
            with("method", json!(7)),
            -32600,
        ),
        (
            "an unknown method",
            with("method", json!("Explode")),
            -32601,
        ),
        (
            "a method of version 0.3",
            with("method", json!("message/send")),
            -32601,
        ),
        (
            "a method in lower case",
            with("method", json!("gettask")),
            -32601,
        ),
        ("params that are a list", with("params", json!([1])), -32602),
        ("params that are a text", with("params", json!("x")), -32602),
    ]
}

async fn refused(what: &str, request: RequestBuilder) -> Refusal {
    let answer = in_time(what, request.send()).await.unwrap();
    match read(answer).await {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{what} was not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let host = host().await;
    for (what, body, code) in not_requests() {
        let request = host
            .agent("echo")
            .post()
            .header("content-type", "application/json");
        let refusal = refused(what, request.body(body)).await;
        assert_eq!(
            (refusal.status, refusal.code),
            (200, code),
            "{what}: {refusal:?}"
        );
        assert!(!refusal.message.is_empty(), "{what}");
    }
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn the_id_of_a_refused_request_is_repeated_if_it_is_known() {
    let host = host().await;
    for (body, id) in [
        (
            json!({"jsonrpc": "2.0", "id": "mine", "method": "Explode"}),
            json!("mine"),
        ),
        (json!({"jsonrpc": "2.0", "id": 7, "method": 7}), json!(7)),
        (
            json!({"jsonrpc": "2.0", "id": {}, "method": "GetTask"}),
            Value::Null,
        ),
    ] {
        let answer = host.agent("echo").post().json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        assert_eq!(answer["jsonrpc"], "2.0");
    }
}

#[tokio::test]
async fn the_id_is_found_in_what_is_not_quite_a_request() {
    let host = host().await;
    let whole = request_body("GetTask", json!({"id": "x"}));
    let large = request_body("GetTask", json!({"id": "x".repeat(MAX_BODY_BYTES)})).to_string();
    let cut = whole.to_string().trim_end_matches('}').to_owned();
    for (what, body) in [
        ("a cut one", cut),
        ("one with more behind it", format!("{whole} x")),
        ("one in a batch", format!("[{whole}]")),
        (
            "one with half a character",
            whole.to_string().replace("\"x\"", "\"\\ud83d\""),
        ),
        ("one with a mark in front", format!("\u{feff}{whole}")),
        ("one that is too large", large),
    ] {
        let request = host.agent("echo").post();
        let request = request
            .header("content-type", "application/json")
            .body(body);
        let answer = in_time(what, request.send()).await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["id"], whole["id"], "{what}: {answer}");
        assert!(answer["error"].is_object(), "{what}: {answer}");
    }
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn another_version_of_the_protocol_is_refused() {
    let host = host().await;
    let body = request_body("SendMessage", json!({"message": message("x")}));
    for version in [
        None,
        Some(""),
        Some("0.3"),
        Some("1.1"),
        Some("2.0"),
        Some("one"),
    ] {
        let mut request = http::client().post(host.agent("echo").url()).json(&body);
        if let Some(version) = version {
            request = request.header("a2a-version", version);
        }
        let refusal = refused("another version", request).await;
        assert_eq!(
            (refusal.status, refusal.code, refusal.reason.as_str()),
            (200, -32009, "VERSION_NOT_SUPPORTED"),
            "{version:?}: {refusal:?}"
        );
    }
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let host = host().await;
    let body = request_body("SendMessage", json!({"message": message("x")})).to_string();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "json"] {
        let request = host
            .agent("echo")
            .post()
            .header("content-type", content_type);
        let refusal = refused(content_type, request.body(body.clone())).await;
        assert_eq!(
            (refusal.status, refusal.code, refusal.reason.as_str()),
            (415, -32005, "CONTENT_TYPE_NOT_SUPPORTED"),
            "{content_type}: {refusal:?}"
        );
    }
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let host = host().await;
    let large = request_body(
        "SendMessage",
        json!({"message": message(&"x".repeat(MAX_BODY_BYTES))}),
    );
    let large = large.to_string();
    let unannounced = Body::wrap_stream(stream::iter([Ok::<_, std::io::Error>(large.clone())]));
    for (what, body) in [
        ("announced", Body::from(large)),
        ("unannounced", unannounced),
    ] {
        let request = host
            .agent("echo")
            .post()
            .header("content-type", "application/json");
        let refusal = refused(what, request.body(body)).await;
        assert_eq!(
            (refusal.status, refusal.code, refusal.reason.as_str()),
            (413, -32000, "BODY_TOO_LARGE"),
            "{what}: {refusal:?}"
        );
    }
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn an_unknown_agent_is_refused() {
    let host = host().await;
    for name in ["nobody", "Echo", "no!", "..%2Fecho", &"x".repeat(300)] {
        let agent = host.agent(name);
        let refusal = agent
            .refused("SendMessage", json!({"message": message("x")}))
            .await;
        assert_eq!(
            (refusal.status, refusal.reason.as_str()),
            (404, "AGENT_NOT_FOUND"),
            "{name}: {refusal:?}"
        );
    }
    assert_unharmed(&host).await;
}

#[tokio::test]
async fn paths_and_verbs_that_do_not_exist_are_refused() {
    async fn status(host: &Host, verb: reqwest::Method, path: &str) -> u16 {
        let request = http::client().request(verb, format!("{}{path}", host.url()));
        in_time(path, request.send())
            .await
            .unwrap()
            .status()
            .as_u16()
    }
    let host = host().await;
    assert_eq!(status(&host, reqwest::Method::GET, "/nowhere").await, 404);
    assert_eq!(status(&host, reqwest::Method::GET, "/v1/agents").await, 404);
    assert_eq!(status(&host, reqwest::Method::GET, "/metrics").await, 404);
    assert_eq!(
        status(&host, reqwest::Method::PUT, "/agents/echo").await,
        405
    );
    assert_unharmed(&host).await;
}

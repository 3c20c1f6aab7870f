//! gRPC that lies about its frames, or brings too much. What HTTP/2 itself allows is in `http2`.

use std::time::Duration;

use reqwest::{Body, RequestBuilder, Response};
use serde_json::json;

use crate::bindings::client::{Binding, Client};
use crate::support::gzip::gzip;
use crate::support::{Host, Settings, http, in_time, message, task};

const MIB: u64 = 1 << 20;
const SERVICE: &str = "/lf.a2a.v1.A2AService";

/// Codes of gRPC that say that the host is at fault, or does not know.
const HOSTS_FAULT: [&str; 3] = ["2", "13", "15"];

fn frame(flag: u8, length: usize, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&[flag], length.as_slice(), content].concat()
}

fn client() -> reqwest::Client {
    let timeout = Duration::from_secs(30);
    let builder = http::builder().http2_prior_knowledge().timeout(timeout);
    builder.build().unwrap()
}

fn post(host: &Host, path: &str, body: impl Into<Body>) -> RequestBuilder {
    let request = client().post(format!("{}{path}", host.url()));
    let request = request
        .header("te", "trailers")
        .header("a2a-version", "1.0");
    request
        .header("content-type", "application/grpc")
        .body(body)
}

/// The code of an answer that has no message; nothing if there is one, or no answer at all.
async fn code(what: &str, request: RequestBuilder) -> Option<String> {
    let answer = in_time(what, request.send()).await.ok()?;
    assert!(answer.status().as_u16() < 500, "{what}: {answer:?}");
    let code = answer
        .headers()
        .get("grpc-status")?
        .to_str()
        .unwrap()
        .to_owned();
    let said = answer.headers().get("grpc-message").cloned();
    assert!(
        !HOSTS_FAULT.contains(&code.as_str()),
        "{what}: {code} {said:?}"
    );
    Some(code)
}

async fn check_unharmed(host: &Host) {
    let done = Client::new(Binding::Grpc, host, "echo");
    let done = done
        .call("SendMessage", json!({"message": message("still there?")}))
        .await;
    assert_eq!(task::state(&done.unwrap()["task"]), "COMPLETED");
    let log = host.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn frames_that_lie_are_refused() {
    let host = Host::with(&["echo"], Settings::default()).await;
    check_unharmed(&host).await;
    let before = host.peak_bytes();
    // Field 2 of a request for a task: its id.
    let proper = b"\x12\x01x";
    let zeros = vec![0; 64 << 20];
    let bomb: Vec<u8> = gzip([zeros.as_slice()]).concat();
    let nested = (0..5_000).fold(Vec::new(), |inner: Vec<u8>, _| {
        let length = inner.len().min(100) as u8;
        [&[0x0a, length], inner.get(..usize::from(length)).unwrap()].concat()
    });
    let frames = [
        ("nothing", Vec::new()),
        ("a piece of a head", vec![0, 0, 0]),
        ("too short", frame(0, 100, proper)),
        ("too long", frame(0, 1, proper)),
        ("beyond all", frame(0, u32::MAX as usize, proper)),
        ("beyond the limit", frame(0, 40 << 20, proper)),
        ("compressed, it says", frame(1, 3, proper)),
        ("an unknown flag", frame(2, 3, proper)),
        ("all flags", frame(255, 3, proper)),
        ("two of them", frame(0, 3, proper).repeat(2)),
        (
            "a length without an end",
            frame(
                0,
                11,
                &[0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            ),
        ),
        ("a length beyond its frame", frame(0, 3, b"\x12\x7fx")),
        ("a field of number 0", frame(0, 2, b"\x02\x00")),
        ("an unknown wire type", frame(0, 2, b"\x17\x00")),
        ("groups without an end", frame(0, 5_000, &[0x0b; 5_000])),
        ("messages in messages", frame(0, nested.len(), &nested)),
        ("no UTF-8", frame(0, 3, b"\x12\x01\xff")),
    ];
    for method in [
        "GetTask",
        "SendMessage",
        "SendStreamingMessage",
        "ListTasks",
        "CreateTaskPushNotificationConfig",
    ] {
        for (what, frame) in &frames {
            let path = format!("{SERVICE}/{method}");
            code(
                &format!("{method}: {what}"),
                post(&host, &path, frame.clone()),
            )
            .await;
        }
    }
    for encoding in ["gzip", "deflate", "zstd", "evil", "identity"] {
        for (flag, content) in [(1, bomb.as_slice()), (1, proper), (0, bomb.as_slice())] {
            let what = format!("{encoding} {flag}");
            let frame = frame(flag, content.len(), content);
            let request = post(&host, &format!("{SERVICE}/GetTask"), frame);
            code(&what, request.header("grpc-encoding", encoding)).await;
        }
    }
    let grown = host.peak_bytes().saturating_sub(before);
    assert!(grown < 48 * MIB, "{} MiB", grown / MIB);
    check_unharmed(&host).await;
}

#[tokio::test]
async fn unknown_methods_and_wild_metadata_are_refused() {
    let host = Host::with(&["echo"], Settings::default()).await;
    let proper = frame(0, 3, b"\x12\x01x");
    for path in [
        format!("{SERVICE}/Explode"),
        format!("{SERVICE}/gettask"),
        format!("{SERVICE}/"),
        format!("{SERVICE}/GetTask/x"),
        "/lf.a2a.v1.Nothing/GetTask".to_owned(),
        "/a2a.v1.A2AService/GetTask".to_owned(),
        "/grpc.health.v1.Health/Explode".to_owned(),
        "/grpc.reflection.v1.ServerReflection/Explode".to_owned(),
    ] {
        let code = code(&path, post(&host, &path, proper.clone())).await;
        assert!(code.is_none_or(|code| code == "12"), "{path}");
    }
    let path = format!("{SERVICE}/GetTask");
    for (name, value) in [
        ("grpc-timeout", "99999999999S"),
        ("grpc-timeout", "-1S"),
        ("grpc-timeout", "1X"),
        ("grpc-timeout", "0n"),
        ("grpc-timeout", ""),
        ("grpc-accept-encoding", "evil,,gzip;q=9"),
        ("x-bin", "not base64!"),
        ("grpc-status", "0"),
        ("grpc-message", "%zz%0d%0a"),
        ("a2a-version", "9.9"),
        ("a2a-extensions", ",,,"),
        ("last-event-id", "-1"),
        ("idempotency-key", "a b"),
        ("content-length", "0"),
        ("x-large", &"y".repeat(15 << 10)),
        ("x-giant", &"y".repeat(200 << 10)),
    ] {
        code(
            &format!("{name}: {value:.20}"),
            post(&host, &path, proper.clone()).header(name, value),
        )
        .await;
    }
    for kind in [
        "application/grpc-web",
        "application/grpc+json",
        "application/grpc;x",
        "application/json",
    ] {
        let request = client()
            .post(format!("{}{path}", host.url()))
            .header("content-type", kind);
        code(kind, request.body(proper.clone())).await;
    }
    let many = (0..2_000).fold(post(&host, &path, proper), |request, n| {
        request.header(format!("x-{n}"), "y")
    });
    code("thousands of entries", many).await;
    check_unharmed(&host).await;
}

#[tokio::test]
async fn streams_of_one_connection_cost_little_each() {
    // As many as one connection may have at once, nearly.
    const STREAMS: u64 = 90;
    let host = Host::with(&["approval", "echo"], Settings::default()).await;
    check_unharmed(&host).await;
    let asked = host.agent("approval").send(message("Deploy")).await;
    let id = task::id(&asked).as_bytes();
    let agent = b"agents/approval";
    let subscribe = [
        &[0x0a, agent.len() as u8],
        agent.as_slice(),
        &[0x12, id.len() as u8],
        id,
    ];
    let subscribe = subscribe.concat();
    let (memory, files, threads) = (host.resident_bytes(), host.descriptors(), host.threads());
    let client = client();
    let mut open: Vec<Response> = Vec::new();
    for _ in 0..STREAMS {
        let request = client
            .post(format!("{}{SERVICE}/SubscribeToTask", host.url()))
            .header("te", "trailers")
            .header("a2a-version", "1.0")
            .header("content-type", "application/grpc")
            .body(frame(0, subscribe.len(), &subscribe));
        let answer = in_time("a stream", request.send()).await.unwrap();
        assert_eq!(answer.headers().get("grpc-status"), None, "{answer:?}");
        open.push(answer);
    }
    let grown = host.resident_bytes().saturating_sub(memory);
    assert!(grown < STREAMS * (128 << 10), "{} KiB", grown >> 10);
    assert!(host.descriptors() <= files + 8, "{}", host.descriptors());
    assert!(host.threads() <= threads + 8, "{}", host.threads());
    check_unharmed(&host).await;
}

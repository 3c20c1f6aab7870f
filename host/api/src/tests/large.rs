//! Tasks with large artifacts: the same by every binding, whether they are written piece by piece or not.

use a2a_pb::proto;
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::grpc_client::{client, get, v1};
use super::host::{Host, message};
use super::http::{Stream, ask, post};
use super::rest_client::Rest;
use super::worker::{LARGE_CHUNK, LARGE_COUNTS, large_data};
use crate::Config;

async fn host() -> Host {
    Host::new(Config::default()).await
}

/// The text of one chunk.
fn text() -> String {
    LARGE_CHUNK.repeat(LARGE_COUNTS.0)
}

/// The parts of an artifact that came in chunks.
fn chunks(part: Value) -> Value {
    vec![part; LARGE_COUNTS.1].into()
}

fn data(is_object: bool) -> Value {
    serde_json::from_str(&large_data(is_object)).unwrap()
}

/// The artifacts as clients of 1.0 see them.
fn artifacts() -> Value {
    json!([
        {"artifactId": "text", "parts": chunks(json!({"text": text()}))},
        {"artifactId": "bytes", "parts": chunks(json!({"raw": STANDARD.encode(text())}))},
        {"artifactId": "data", "parts": [{"data": data(true)}, {"data": data(false)}]},
    ])
}

/// Compares without printing megabytes.
#[track_caller]
fn assert_same(found: &Value, expected: &Value) {
    let cut = |value: &Value| value.to_string().chars().take(400).collect::<String>();
    assert!(found == expected, "{} is not {}", cut(found), cut(expected));
}

#[tokio::test]
async fn a_large_task_is_the_same_by_every_binding() {
    let host = host().await;
    let sent = host.send("large").await;
    assert_same(&sent["artifacts"], &artifacts());
    assert_eq!(sent["status"]["state"], "TASK_STATE_COMPLETED");
    let id = sent["id"].as_str().unwrap();
    assert_same(&host.result("GetTask", json!({"id": id})).await, &sent);
    let rest = Rest::new(&host);
    assert_same(&rest.get(&format!("/tasks/{id}")).await, &sent);
    let list = json!({"includeArtifacts": true});
    let listed = host.result("ListTasks", list).await;
    assert_same(&listed["tasks"][0], &sent);

    let got = client(&host).get_task(v1(get(id))).await.unwrap();
    let got = got.into_inner().artifacts;
    let expected = [
        proto::part::Content::Text(text()),
        proto::part::Content::Raw(text().into_bytes()),
    ];
    for (artifact, content) in got.iter().zip(expected) {
        assert_eq!(artifact.parts.len(), LARGE_COUNTS.1);
        assert!(
            artifact
                .parts
                .iter()
                .all(|part| part.content.as_ref() == Some(&content))
        );
    }
}

#[tokio::test]
async fn a_large_task_is_the_same_in_0_3() {
    let host = host().await;
    let id = host.send("large").await["id"].take();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": id}});
    let request = post("/agents/echo", &[]).body(Body::from(body.to_string()));
    let task = ask(&host.public, request.unwrap()).await.json()["result"].take();
    let bytes = STANDARD.encode(text());
    let expected = json!([
        {"artifactId": "text", "parts": chunks(json!({"kind": "text", "text": text()}))},
        {"artifactId": "bytes", "parts": chunks(json!({"kind": "file", "file": {"bytes": bytes}}))},
    ]);
    let found = task["artifacts"].as_array().unwrap();
    assert_same(&Value::from(&found[..2]), &expected);
    assert_same(&found[2]["parts"][0]["data"], &data(true));

    let path = format!("/agents/echo/v1/tasks/{}", id.as_str().unwrap());
    let request = Request::get(path).body(Body::empty()).unwrap();
    let task = ask(&host.public, request).await.json();
    let found = &task["artifacts"][1]["parts"][0]["file"]["fileWithBytes"];
    assert_same(found, &json!(bytes));
}

#[tokio::test]
async fn a_large_artifact_is_written_piece_by_piece() {
    let host = host().await;
    let id = host.send("large").await["id"].take();
    let body = json!({"jsonrpc": "2.0", "id": "r", "method": "GetTask", "params": {"id": id}});
    let request = post("/", &[("a2a-version", "1.0")]).body(Body::from(body.to_string()));
    let stream = Stream::open(&host.public, request.unwrap()).await;
    let sizes = stream.pieces().await;
    let (repeats, chunks) = LARGE_COUNTS;
    // An entry as base64 is what is largest; text with control characters comes close.
    let entry = 2 * repeats * LARGE_CHUNK.len();
    assert!(sizes.len() > 2 * chunks, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size < entry), "{sizes:?}");
}

#[tokio::test]
async fn pages_end_early_when_they_are_large() {
    let host = host().await;
    let mut sent = Vec::new();
    for _ in 0..8 {
        sent.push(host.send("large").await["id"].take());
    }
    sent.reverse();
    let page = async |artifacts: bool, token: Value| {
        let params = json!({"includeArtifacts": artifacts, "pageToken": token, "pageSize": 8});
        host.result("ListTasks", params).await
    };
    let ids = |page: &Value| -> Vec<Value> {
        let tasks = page["tasks"].as_array().unwrap().iter();
        tasks.map(|task| task["id"].clone()).collect()
    };
    let small = page(false, json!("")).await;
    assert_eq!(ids(&small), sent);
    assert!(small["tasks"][0].get("artifacts").is_none());
    let (mut found, mut sizes, mut token) = (Vec::new(), Vec::new(), json!(""));
    loop {
        let large = page(true, token).await;
        assert_eq!(large["totalSize"], 8);
        assert_same(&large["tasks"][0]["artifacts"], &artifacts());
        sizes.push(ids(&large).len());
        found.extend(ids(&large));
        token = large["nextPageToken"].clone();
        if token == "" {
            break;
        }
    }
    assert_eq!(found, sent);
    assert!(
        sizes.len() > 1 && sizes.iter().all(|size| *size < 8),
        "{sizes:?}"
    );
}

#[tokio::test]
async fn a_stream_begins_with_all_of_a_large_task() {
    let host = host().await;
    let params = message("large and stay");
    let mut stream = host
        .stream_at("/", &[], "SendStreamingMessage", params)
        .await;
    let (_, first) = stream.event().await.unwrap();
    let id = first["task"]["id"].clone();
    // The JSON is what is written last.
    while stream.event().await.unwrap().1["artifactUpdate"]["artifact"]["artifactId"] != "data" {}

    let mut again = host
        .stream_at("/", &[], "SubscribeToTask", json!({"id": id}))
        .await;
    let (_, first) = again.event().await.unwrap();
    assert_same(&first["task"]["artifacts"], &artifacts());
    let body =
        json!({"jsonrpc": "2.0", "id": "r", "method": "tasks/resubscribe", "params": {"id": id}});
    let request = post("/agents/echo", &[]).body(Body::from(body.to_string()));
    let mut old = Stream::open(&host.public, request.unwrap()).await;
    let (_, first) = old.event().await.unwrap();
    let parts = chunks(json!({"kind": "text", "text": text()}));
    assert_same(&first["artifacts"][0]["parts"], &parts);

    host.result("CancelTask", json!({"id": id})).await;
    for stream in [stream, again, old] {
        assert!(!stream.events().await.is_empty());
    }
}

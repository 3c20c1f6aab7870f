//! What clients and proxies send that is not quite as it should be: characters that were cut, values that
//! come twice, defaults that are written out. Alike in every binding.

use axum::body::Body;
use axum::http::{HeaderName, Request, StatusCode};
use serde_json::{Value, json};
use tonic::metadata::{AsciiMetadataKey, MetadataValue};

use super::admin::as_operator;
use super::grpc_client::{self, client};
use super::host::{Host, message};
use super::http::{Answer, ask};
use crate::Config;

/// A mark in front, half of an emoji, and a byte that is no text.
const CUT: &[u8] = b"a\\ud83d\xff";
const MENDED: &str = "a\u{fffd}\u{fffd}";

async fn host() -> Host {
    Host::new(Config::default()).await
}

type Lines<'a> = &'a [(&'static str, &'a str)];

/// A request with these header lines, each on its own.
async fn post(host: &Host, path: &str, lines: Lines<'_>, body: impl Into<Body>) -> Answer {
    let mut request = Request::post(path).body(body.into()).unwrap();
    for (name, value) in lines {
        let name = HeaderName::from_static(name);
        request.headers_mut().append(name, value.parse().unwrap());
    }
    ask(&host.public, request).await
}

/// `document` as a careless client writes it: a mark in front, and `CUT` where it says "CUT".
fn careless(document: &Value) -> Vec<u8> {
    let text = document.to_string();
    let (before, after) = text.split_once("CUT").unwrap();
    let mark = "\u{feff}".as_bytes();
    [mark, before.as_bytes(), CUT, after.as_bytes()].concat()
}

const JSON: (&str, &str) = ("content-type", "application/json");
const V1: (&str, &str) = ("a2a-version", "1.0");

fn rpc(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

#[tokio::test]
async fn a_character_that_was_cut_costs_no_request() {
    let host = host().await;
    let v1 = [JSON, V1];
    let new = careless(&rpc("SendMessage", message("CUT")));
    let answer = post(&host, "/", &v1, new).await.json();
    let artifact = "/artifacts/0/parts/0/text";
    let text = |task: &Value| task.pointer(artifact).cloned().unwrap_or_default();
    assert_eq!(text(&answer["result"]["task"]), MENDED, "{answer}");

    let answer = post(&host, "/message:send", &v1, careless(&message("CUT"))).await;
    assert_eq!(text(&answer.json()["task"]), MENDED);

    let old = json!({"message": {"messageId": "m", "role": "user", "parts": [{"text": "CUT"}]}});
    let old = careless(&rpc("message/send", old));
    let answer = post(&host, "/", &[JSON], old).await.json();
    assert_eq!(text(&answer["result"]), MENDED, "{answer}");

    let old = json!({
        "message": {"messageId": "m", "role": "ROLE_USER", "content": [{"text": "CUT"}]},
        "configuration": {"blocking": true},
    });
    let answer = post(&host, "/v1/message:send", &[JSON], careless(&old)).await;
    assert_eq!(text(&answer.json()["task"]), MENDED);
}

#[tokio::test]
async fn operators_are_read_as_leniently() {
    let host = host().await;
    let marked = format!("\u{feff}{}", json!({"tenant": "acme", "name": "ci"}));
    let made = as_operator(&host, Request::post("/v1/keys"), &marked).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let rules = as_operator(&host, Request::put("/v1/agents/echo/egress"), "\u{feff}[]").await;
    assert_eq!(rules.status, StatusCode::OK, "{}", rules.text());
    for (query, status) in [
        ("agent=echo&agent=echo", StatusCode::OK),
        ("agent=echo&agent=other", StatusCode::BAD_REQUEST),
    ] {
        let uri = format!("/v1/tasks?{query}");
        let answer = as_operator(&host, Request::get(uri), "").await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_refusal_has_the_id_that_could_be_read() {
    let open = host().await;
    let small = Host::new(Config {
        max_body_bytes: 50,
        ..Config::default()
    });
    let shut = Host::new(Config {
        require_credentials: true,
        ..Config::default()
    });
    let (small, shut) = (small.await, shut.await);
    let whole = rpc("GetTask", json!({"id": "a-task-that-there-is-not"})).to_string();
    let cut = whole.strip_suffix("\"}}").unwrap();
    let chunked = || {
        let whole = whole.clone();
        Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>(whole)]))
    };
    let unclear = [JSON, V1, ("a2a-version", "0.3")];
    let text = [("content-type", "text/plain"), V1];
    for (answer, status, code) in [
        (
            post(&shut, "/", &[JSON, V1], whole.clone()).await,
            401,
            -32000,
        ),
        (post(&open, "/", &text, whole.clone()).await, 415, -32005),
        (
            post(&small, "/", &[JSON, V1], whole.clone()).await,
            413,
            -32000,
        ),
        (post(&small, "/", &[JSON, V1], chunked()).await, 413, -32000),
        (
            post(&open, "/", &[JSON, V1], cut.to_owned()).await,
            200,
            -32700,
        ),
        (
            post(&open, "/", &[JSON, V1], format!("[{whole}]")).await,
            200,
            -32600,
        ),
        (post(&open, "/", &unclear, whole.clone()).await, 200, -32009),
        (
            post(&open, "/agents/nobody", &[JSON, V1], whole.clone()).await,
            404,
            -32000,
        ),
    ] {
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        let body = answer.json();
        assert_eq!(
            (&body["id"], &body["error"]["code"]),
            (&json!(7), &json!(code)),
            "{body}"
        );
    }
}

/// How a send with these header lines ends, in each binding: the JSON-RPC code of the error, or 0.
async fn sends(host: &Host, lines: Lines<'_>) -> Vec<(String, String)> {
    let with_type: Vec<_> = [&[JSON][..], lines].concat();
    let body = rpc("SendMessage", message("x"));
    let rpc = post(host, "/", &with_type, body.to_string()).await.json();
    let sent = post(host, "/message:send", &with_type, message("x").to_string()).await;
    let rest = sent.json();
    let mut request = tonic::Request::new(grpc_client::message("x"));
    for (name, value) in lines {
        let name = AsciiMetadataKey::from_static(name);
        let value = MetadataValue::try_from(*value).unwrap();
        request.metadata_mut().append(name, value);
    }
    let grpc = client(host).send_message(request).await;
    let told = |task: &Value, error: &Value| {
        let id = task["id"].as_str().unwrap_or_default();
        let problem = error["message"].as_str().unwrap_or_default();
        (id.to_owned(), problem.to_owned())
    };
    let grpc = match grpc.map(|answer| answer.into_inner().payload) {
        Ok(Some(a2a_pb::proto::send_message_response::Payload::Task(task))) => {
            (task.id, String::new())
        }
        Err(status) => (String::new(), status.message().to_owned()),
        other => panic!("{other:?}"),
    };
    vec![
        told(&rpc["result"]["task"], &rpc["error"]),
        told(&rest["task"], &rest["error"]),
        grpc,
    ]
}

#[tokio::test]
async fn equal_copies_of_a_header_are_one_and_different_ones_are_refused() {
    let host = host().await;
    let key = "idempotency-key";
    for lines in [
        &[V1][..],
        &[V1, V1],
        &[("a2a-version", "1.0, 1.0")],
        &[("a2a-version", ""), V1],
        &[V1, (key, "")],
    ] {
        let tasks: Vec<_> = sends(&host, lines).await;
        assert!(
            tasks
                .iter()
                .all(|(id, problem)| !id.is_empty() && problem.is_empty()),
            "{tasks:?}"
        );
    }
    // One key is one task, however often it is written.
    for lines in [
        &[V1, (key, "k")][..],
        &[V1, (key, "k"), (key, "k")],
        &[V1, (key, "k, k")],
        &[V1, (key, "k,k"), (key, "")],
    ] {
        let tasks = sends(&host, lines).await;
        let again = sends(&host, &[V1, (key, "k")]).await;
        assert!(
            tasks.iter().all(|task| *task == again[0]),
            "{tasks:?} {again:?}"
        );
    }
    for (lines, problem) in [
        (
            &[V1, ("a2a-version", "0.3")][..],
            "A2A-Version is given more than once",
        ),
        (
            &[("a2a-version", "1.0, 0.3")],
            "A2A-Version is given more than once",
        ),
        (
            &[V1, (key, "k"), (key, "l")],
            "Idempotency-Key is given more than once",
        ),
        (
            &[V1, (key, "k, l")],
            "Idempotency-Key is given more than once",
        ),
        (
            &[V1, (key, "k,l")],
            "Idempotency-Key is given more than once",
        ),
    ] {
        for (_, told) in sends(&host, lines).await {
            assert!(told.starts_with(problem), "{lines:?}: {told}");
        }
    }
}

#[tokio::test]
async fn a_content_type_that_comes_twice_is_one_if_it_is_the_same() {
    let host = host().await;
    let other = ("content-type", "text/plain");
    let joined = ("content-type", "application/json, application/json");
    for (path, body) in [
        ("/", rpc("SendMessage", message("x"))),
        ("/message:send", message("x")),
    ] {
        let send = async |lines: Lines<'_>| post(&host, path, lines, body.to_string()).await.status;
        assert_eq!(send(&[JSON, JSON, V1]).await, StatusCode::OK);
        assert_eq!(send(&[joined, V1]).await, StatusCode::OK);
        assert_eq!(
            send(&[JSON, other, V1]).await,
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
    }
}

#[tokio::test]
async fn the_last_event_that_was_seen_is_one() {
    let host = host().await;
    let task = host.send("ask").await["id"].take();
    let body = rpc("SubscribeToTask", json!({"id": task})).to_string();
    let seen = |value: &'static str| ("last-event-id", value);
    for (lines, taken) in [
        (&[seen("2")][..], true),
        (&[seen("2"), seen("2")], true),
        (&[seen("2, 2")], true),
        (&[seen("")], true),
        (&[seen("2"), seen("3")], false),
        (&[seen("2,3")], false),
    ] {
        let lines = [&[JSON, V1][..], lines].concat();
        let mut request = Request::post("/").body(Body::from(body.clone())).unwrap();
        for (name, value) in lines {
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let answer = super::http::Stream::open(&host.public, request).await;
        let streams = answer.headers["content-type"] == "text/event-stream";
        assert_eq!(streams, taken);
    }
}

#[tokio::test]
async fn a_page_of_webhooks_is_as_large_as_it_can_be() {
    let host = host().await;
    let task = host.send("x").await["id"].take();
    let config = json!({"taskId": task, "id": "c", "url": "https://h/x"});
    host.result("CreateTaskPushNotificationConfig", config)
        .await;
    for size in [
        json!(0),
        json!("0"),
        json!(null),
        json!(1),
        json!(101),
        json!(i32::MAX),
    ] {
        let list = json!({"taskId": task, "pageSize": size, "pageToken": "", "tenant": null});
        let found = host.result("ListTaskPushNotificationConfigs", list).await;
        assert_eq!(found["configs"][0]["id"], "c", "{size}");
        let text = size
            .as_str()
            .map_or_else(|| size.to_string(), str::to_owned);
        let text = text.replace("null", "");
        let uri = format!(
            "/tasks/{}/pushNotificationConfigs?pageSize={text}&pageToken=",
            task.as_str().unwrap()
        );
        let request = Request::get(uri).header("a2a-version", "1.0");
        let found = ask(&host.public, request.body(Body::empty()).unwrap()).await;
        assert_eq!(found.json()["configs"][0]["id"], "c", "{size}");
    }
    let negative = json!({"taskId": task, "pageSize": -1});
    assert_eq!(
        host.error("ListTaskPushNotificationConfigs", negative)
            .await,
        -32602
    );
}

#[tokio::test]
async fn lists_take_a_plus_that_became_a_space_and_the_name_of_a_draft() {
    let host = host().await;
    host.send("x").await;
    for (query, count) in [
        ("statusTimestampAfter=2020-01-01T00:00:00+01:00", 1),
        ("lastUpdatedAfter=2020-01-01T00:00:00%2B01:00", 1),
        ("last_updated_after=2999-01-01T00:00:00+01:00", 0),
    ] {
        let request = Request::get(format!("/tasks?{query}")).header("a2a-version", "1.0");
        let found = ask(&host.public, request.body(Body::empty()).unwrap())
            .await
            .json();
        assert_eq!(found["totalSize"], count, "{query}: {found}");
    }
    let found = host
        .result(
            "ListTasks",
            json!({"lastUpdatedAfter": "2999-01-01T00:00:00Z"}),
        )
        .await;
    assert_eq!(found["totalSize"], 0);
}

#[tokio::test]
async fn references_that_the_caller_cannot_see_are_dropped() {
    let host = host().await;
    let known = host.send("x").await["id"].take();
    let theirs = host
        .call_at("/acme/agents/echo", &[], "SendMessage", message("x"))
        .await;
    let theirs = theirs.json()["result"]["task"]["id"].take();
    assert!(theirs.is_string());
    let mut params = message("see");
    params["message"]["referenceTaskIds"] = json!([theirs, known, "no id"]);
    let sent = host.result("SendMessage", params).await["task"].take();
    assert_eq!(sent["history"][0]["referenceTaskIds"], json!([known]));
}

#[tokio::test]
async fn a_message_to_an_ended_task_is_told_where_to_go_on() {
    let host = host().await;
    let mut first = message("x");
    first["message"]["contextId"] = "trip-7".into();
    let task = host.result("SendMessage", first).await["task"]["id"].take();
    let task = task.as_str().unwrap();
    let go_on = "to go on, begin a new task with the contextId \"trip-7\"";
    let told =
        |state: &str| format!("the task has ended ({state}) and takes no more messages; {go_on}");

    let mut params = message("more");
    params["message"]["taskId"] = task.into();
    let answer = host.call("SendMessage", params.clone()).await;
    assert_eq!(answer["error"]["message"], told("TASK_STATE_COMPLETED"));
    assert_eq!(
        answer["error"]["data"][0]["metadata"]["contextId"],
        "trip-7"
    );
    let answer = post(&host, "/message:send", &[JSON, V1], params.to_string()).await;
    assert_eq!(
        answer.json()["error"]["message"],
        told("TASK_STATE_COMPLETED")
    );
    let mut request = grpc_client::message("more");
    request.message.as_mut().unwrap().task_id = task.to_owned();
    let refused = client(&host).send_message(grpc_client::v1(request)).await;
    assert_eq!(refused.unwrap_err().message(), told("TASK_STATE_COMPLETED"));

    let old = json!({"message": {"messageId": "m", "role": "user", "taskId": task, "parts": [{"text": "x"}]}});
    let answer = post(&host, "/", &[JSON], rpc("message/send", old).to_string()).await;
    assert_eq!(answer.json()["error"]["message"], told("completed"));
    let old = json!({"message": {
        "messageId": "m", "role": "ROLE_USER", "taskId": task, "content": [{"text": "x"}],
    }});
    let answer = post(&host, "/v1/message:send", &[JSON], old.to_string()).await;
    assert_eq!(answer.json()["message"], told("TASK_STATE_COMPLETED"));

    let answer = host.call("CancelTask", json!({"id": task})).await;
    let told = "the task has ended (TASK_STATE_COMPLETED) and cannot be canceled";
    assert_eq!(answer["error"]["message"], told);
}

#[tokio::test]
async fn an_agent_may_take_a_message_of_its_context_for_the_answer() {
    let host = host().await;
    let uri = "/v1/agents?answer_by_context=true";
    let request = Request::post(uri).header("content-type", "application/wasm");
    let deployed = as_operator(&host, request, "1.0.0").await;
    assert_eq!(
        deployed.json()["answer_by_context"],
        true,
        "{}",
        deployed.text()
    );
    let in_context = |text: &str| {
        let mut params = message(text);
        params["message"]["contextId"] = "c".into();
        params
    };
    let asking = host.result("SendMessage", in_context("ask")).await["task"].take();
    assert_eq!(asking["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    let lines = [("idempotency-key", "k")];
    for _ in 0..2 {
        let answer = host
            .call_at("/", &lines, "SendMessage", in_context("yes"))
            .await;
        let task = answer.json()["result"]["task"].take();
        assert_eq!(task["id"], asking["id"]);
        assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED");
    }
    let another = host.result("SendMessage", in_context("more")).await["task"].take();
    assert_ne!(another["id"], asking["id"]);
}

//! Clients of version 0.3 over JSON-RPC: the same host, asked and answered in the old words.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::host::Host;
use super::http::{Stream, ask, post};
use crate::Config;

async fn host() -> Host {
    Host::new(Config::default()).await
}

async fn stream(host: &Host, headers: &[(&str, &str)], method: &str, params: Value) -> Stream {
    let body = json!({"jsonrpc": "2.0", "id": "r", "method": method, "params": params});
    let request = post("/agents/echo", headers).body(Body::from(body.to_string()));
    Stream::open(&host.public, request.unwrap()).await
}

async fn call(host: &Host, method: &str, params: Value) -> Value {
    stream(host, &[], method, params).await.whole().await.json()
}

async fn result(host: &Host, method: &str, params: Value) -> Value {
    let mut answer = call(host, method, params).await;
    assert!(answer.get("error").is_none(), "{method}: {answer}");
    answer["result"].take()
}

async fn error(host: &Host, method: &str, params: Value) -> i64 {
    let answer = call(host, method, params).await;
    answer["error"]["code"].as_i64().unwrap_or_default()
}

fn message(text: &str) -> Value {
    let parts = json!([{"kind": "text", "text": text}]);
    json!({"message": {"kind": "message", "messageId": "m", "role": "user", "parts": parts}})
}

fn follow_up(task: &Value, text: &str) -> Value {
    let mut params = message(text);
    params["message"]["taskId"] = task["id"].clone();
    params
}

#[tokio::test]
async fn a_send_is_answered_with_the_bare_task() {
    let host = host().await;
    let task = result(&host, "message/send", message("hello")).await;
    assert_eq!(
        (&task["kind"], &task["status"]["state"]),
        (&json!("task"), &json!("completed"))
    );
    let part = json!([{"kind": "text", "text": "hello"}]);
    assert_eq!(task["artifacts"][0]["parts"], part);
    assert_eq!(task["history"][0]["kind"], "message");
    assert_eq!(task["history"][0]["role"], "user");
    assert_eq!(
        result(&host, "tasks/get", json!({"id": task["id"]})).await,
        task
    );
    let unlimited = json!({"id": task["id"], "historyLength": 0});
    assert_eq!(result(&host, "tasks/get", unlimited).await, task);
}

#[tokio::test]
async fn a_direct_answer_is_a_bare_message() {
    let answer = result(&host().await, "message/send", message("reply")).await;
    assert_eq!(
        (&answer["kind"], &answer["role"]),
        (&json!("message"), &json!("agent"))
    );
    assert_eq!(
        answer["parts"],
        json!([{"kind": "text", "text": "directly"}])
    );
}

#[tokio::test]
async fn who_does_not_block_gets_a_task_that_goes_on_and_can_be_canceled() {
    let host = host().await;
    let mut params = message("stay");
    params["configuration"] = json!({"blocking": false});
    let task = result(&host, "message/send", params).await;
    assert!(["submitted", "working"].contains(&task["status"]["state"].as_str().unwrap()));
    let id = json!({"id": task["id"]});
    let canceled = result(&host, "tasks/cancel", id.clone()).await;
    assert_eq!(canceled["status"]["state"], "canceled");
    assert_eq!(error(&host, "tasks/cancel", id).await, -32002);
}

#[tokio::test]
async fn a_question_is_answered_by_the_next_message() {
    let host = host().await;
    let task = result(&host, "message/send", message("ask")).await;
    assert_eq!(task["status"]["state"], "input-required");
    let task = result(&host, "message/send", follow_up(&task, "that")).await;
    assert_eq!(task["status"]["state"], "completed");
}

#[tokio::test]
async fn the_last_event_of_a_stream_is_final() {
    let host = host().await;
    for (text, last_state) in [("count", "completed"), ("ask", "input-required")] {
        let stream = stream(&host, &[], "message/stream", message(text)).await;
        let events = stream.events().await;
        let (_, first) = &events[0];
        assert_eq!(first["kind"], "task");
        let finals = events
            .iter()
            .map(|(_, event)| event["final"] == json!(true));
        let finals: Vec<_> = finals.collect();
        assert_eq!(finals.iter().filter(|is_final| **is_final).count(), 1);
        assert_eq!(finals.last(), Some(&true));
        let (_, last) = events.last().unwrap();
        assert_eq!(last["kind"], "status-update");
        assert_eq!(last["status"]["state"], last_state);
    }
}

#[tokio::test]
async fn results_are_streamed_in_pieces() {
    let stream = stream(&host().await, &[], "message/stream", message("count")).await;
    let events = stream.events().await;
    let pieces = events
        .iter()
        .filter(|(_, event)| event["kind"] == "artifact-update");
    let text = |event: &Value| {
        event["artifact"]["parts"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let texts: String = pieces.map(|(_, event)| text(event)).collect();
    assert_eq!(texts, "0 1 2 3 4 5 6 7 8 9 ");
}

#[tokio::test]
async fn who_resubscribes_hears_the_rest_of_the_turn() {
    let host = host().await;
    let task = result(&host, "message/send", message("ask")).await;
    let id = json!({"id": task["id"]});
    let mut following = stream(&host, &[], "tasks/resubscribe", id.clone()).await;
    let (seen, first) = following.event().await.unwrap();
    assert_eq!(
        (&first["kind"], &first["status"]["state"]),
        (&json!("task"), &json!("input-required"))
    );
    let seen = seen.to_string();
    let again = stream(
        &host,
        &[("last-event-id", &seen)],
        "tasks/resubscribe",
        id.clone(),
    )
    .await;
    assert_eq!(
        again.events().await,
        [],
        "the question was the end of the turn"
    );
    result(&host, "message/send", follow_up(&task, "that")).await;
    let rest = following.events().await;
    let (_, last) = rest.last().unwrap();
    assert_eq!(
        (&last["status"]["state"], &last["final"]),
        (&json!("completed"), &json!(true))
    );
    assert_eq!(
        refused_stream(&host, "tasks/resubscribe", id).await["code"],
        -32004
    );
}

/// The error of a stream that must be refused, as clients that read nothing but events get it.
async fn refused_stream(host: &Host, method: &str, params: Value) -> Value {
    let mut stream = stream(host, &[], method, params).await;
    assert_eq!(stream.status, StatusCode::OK, "{method}");
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let event = stream.next().await.unwrap();
    assert_eq!(stream.next().await, None, "one event, and no more");
    let mut answer: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(
        (&answer["jsonrpc"], &answer["id"]),
        (&json!("2.0"), &json!("r"))
    );
    answer["error"].take()
}

#[tokio::test]
async fn the_error_of_a_stream_is_its_only_event() {
    let host = host().await;
    let wrong = refused_stream(&host, "message/stream", json!({"message": {}})).await;
    assert_eq!(wrong["code"], -32602);
    let violations = &wrong["data"]["details"][0]["fieldViolations"];
    assert_eq!(violations[0]["field"], "message.messageId");
    let unknown = json!({"id": "0190163d-8694-739b-aea5-966c26f8ad91"});
    for (method, params) in [
        ("tasks/resubscribe", unknown.clone()),
        ("message/stream", follow_up(&unknown, "x")),
    ] {
        assert_eq!(refused_stream(&host, method, params).await["code"], -32001);
    }
    let silent = Config {
        streaming: false,
        ..Config::default()
    };
    let silent = Host::new(silent).await;
    let refused = refused_stream(&silent, "message/stream", message("x")).await;
    assert_eq!(refused["code"], -32004);
}

#[tokio::test]
async fn what_http_software_must_understand_keeps_its_status() {
    let host = host().await;
    let body =
        json!({"jsonrpc": "2.0", "id": "r", "method": "message/stream", "params": message("x")});
    let request = post("/agents/nobody", &[]).body(Body::from(body.to_string()));
    let mut stream = Stream::open(&host.public, request.unwrap()).await;
    assert_eq!(stream.status, StatusCode::NOT_FOUND);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let event = stream.next().await.unwrap();
    assert!(event.contains("there is no such agent"), "{event}");
}

#[tokio::test]
async fn methods_of_0_2_are_unknown_and_have_a_successor() {
    let answer = call(&host().await, "tasks/send", message("x")).await;
    assert_eq!(answer["error"]["code"], -32601);
    let said = answer["error"]["message"].as_str().unwrap();
    assert!(said.contains("message/send"), "{said}");
}

#[tokio::test]
async fn files_may_have_the_names_of_the_definition() {
    let mut params = message("hello");
    let file = json!({"fileWithBytes": "AAH/", "mediaType": "text/csv", "filename": "a.csv"});
    params["message"]["parts"] = json!([{"text": "hello"}, {"kind": "file", "file": file}]);
    let task = result(&host().await, "message/send", params).await;
    let kept = &task["history"][0]["parts"][1]["file"];
    let expected = json!({"bytes": "AAH/", "mimeType": "text/csv", "name": "a.csv"});
    assert_eq!(*kept, expected);
}

#[tokio::test]
async fn webhooks_are_set_found_listed_and_removed() {
    let host = host().await;
    let task = result(&host, "message/send", message("hello")).await["id"].take();
    let webhook = json!({
        "id": "c", "url": "https://h", "token": "k",
        "authentication": {"schemes": ["Bearer"], "credentials": "s"},
    });
    let config = json!({"taskId": task, "pushNotificationConfig": webhook});
    let set = result(&host, "tasks/pushNotificationConfig/set", config.clone()).await;
    assert_eq!(set, config);
    let one = json!({"id": task, "pushNotificationConfigId": "c"});
    let get = "tasks/pushNotificationConfig/get";
    for params in [one.clone(), json!({"id": task})] {
        let found = result(&host, get, params).await;
        assert_eq!(found["pushNotificationConfig"]["url"], "https://h");
    }
    let list = "tasks/pushNotificationConfig/list";
    let listed = result(&host, list, json!({"id": task})).await;
    assert_eq!(listed[0]["pushNotificationConfig"]["id"], "c");
    let delete = "tasks/pushNotificationConfig/delete";
    let removed = call(&host, delete, one).await;
    assert_eq!(
        removed,
        json!({"jsonrpc": "2.0", "id": "r", "result": null})
    );
    assert_eq!(result(&host, list, json!({"id": task})).await, json!([]));
    assert_eq!(error(&host, get, json!({"id": task})).await, -32001);
}

#[tokio::test]
async fn a_webhook_without_an_id_replaces_the_one_before() {
    let host = host().await;
    let mut params = message("hello");
    params["configuration"] = json!({"pushNotificationConfig": {"url": "https://a"}});
    let task = result(&host, "message/send", params).await["id"].take();
    let config = json!({"taskId": task, "pushNotificationConfig": {"url": "https://b"}});
    result(&host, "tasks/pushNotificationConfig/set", config).await;
    let listed = result(
        &host,
        "tasks/pushNotificationConfig/list",
        json!({"id": task}),
    )
    .await;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["pushNotificationConfig"]["url"], "https://b");
}

#[tokio::test]
async fn there_is_no_extended_card_where_anybody_may_call() {
    let code = error(
        &host().await,
        "agent/getAuthenticatedExtendedCard",
        json!({}),
    )
    .await;
    assert_eq!(code, -32007);
}

#[tokio::test]
async fn errors_have_a_code_of_0_3_and_an_object_with_details() {
    let host = host().await;
    let unknown = json!({"id": "0190163d-8694-739b-aea5-966c26f8ad91"});
    assert_eq!(error(&host, "tasks/get", unknown).await, -32001);
    let answer = call(&host, "message/send", json!({"message": {}})).await;
    assert_eq!(answer["error"]["code"], -32602);
    let violations = &answer["error"]["data"]["details"][0]["fieldViolations"];
    assert_eq!(violations[0]["field"], "message.messageId");
    let mut config = Config::default();
    let required = vec![crate::Extension::Priority];
    config
        .required_extensions
        .insert("echo".parse().unwrap(), required);
    let strict = Host::new(config).await;
    let answer = call(&strict, "message/send", message("hello")).await;
    assert_eq!(
        answer["error"]["code"], -32600,
        "1.0 has a code of its own for it"
    );
}

#[tokio::test]
async fn the_version_and_the_option_decide_who_is_served() {
    let host = host().await;
    let code = async |host: &Host, headers: &[(&str, &str)], method: &str| {
        let asked = stream(host, headers, method, json!({"id": "x"})).await;
        asked.whole().await.json()["error"]["code"]
            .as_i64()
            .unwrap()
    };
    for named in [
        &[][..],
        &[("a2a-version", "0.3")],
        &[("a2a-version", "0.3.0")],
    ] {
        assert_eq!(code(&host, named, "tasks/get").await, -32001);
        assert_eq!(code(&host, named, "GetTask").await, -32009);
    }
    assert_eq!(
        code(&host, &[("a2a-version", "1.0")], "tasks/get").await,
        -32601
    );
    assert_eq!(
        code(&host, &[("a2a-version", "0.2")], "tasks/get").await,
        -32009
    );
    let assuming = Host::new(Config {
        assume_version_when_absent: Some("1.0".to_owned()),
        ..Config::default()
    })
    .await;
    assert_eq!(code(&assuming, &[], "tasks/get").await, -32001);
    assert_eq!(code(&assuming, &[], "GetTask").await, -32001);
    let without = Host::new(Config {
        protocol_0_3: false,
        ..Config::default()
    })
    .await;
    assert_eq!(code(&without, &[], "tasks/get").await, -32009);
    let rest = Request::get("/v1/tasks/x").body(Body::empty()).unwrap();
    let refused = ask(&without.public, rest).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert!(refused.text().contains("v1"));
}

#[tokio::test]
async fn extensions_are_echoed_under_their_old_name() {
    let uri = crate::Extension::Priority.uri();
    let headers = [("x-a2a-extensions", uri)];
    let asked = stream(&host().await, &headers, "message/send", message("hello")).await;
    assert_eq!(asked.whole().await.header("x-a2a-extensions"), uri);
}

//! JSON that is built to be read wrong, at every member of every request: it is refused or taken, and never the
//! host's fault. How refusals are worded is in `bad_input`; random damage is there, too.

use futures::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::bindings::client::{Binding, Client};
use crate::support::host::ADMIN_TOKEN;
use crate::support::{Host, Settings, http, in_time, message, task};

const MIB: u64 = 1 << 20;
/// Requests under way at once.
const AT_ONCE: usize = 16;
/// How much of a value is put into a path.
const MAX_PATH_BYTES: usize = 5_000;
/// A body that may be refused before it is read.
const LARGE_BYTES: usize = 8 << 10;
/// Stands for what is put into a request.
const MARK: &str = "@@";

/// What is put into requests: JSON, or nearly.
fn values() -> Vec<Vec<u8>> {
    let short = [
        "null",
        "true",
        "0",
        "-1",
        "-0",
        "1.5",
        "2147483648",
        "18446744073709551616",
        "1e999999",
        "-1e999999",
        "1e-999999",
        "0.1e1",
        "01",
        "+1",
        "0x10",
        "NaN",
        "-Infinity",
        "\"\"",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ufeff\"",
        "\"\u{feff}\"",
        "\"\u{202e}x\"",
        "\"\\u001b[31m\"",
        "\"\\r\\nx: y\"",
        "\"../../x\"",
        "\"%00\"",
        "\"a/b\"",
        "'x'",
        "[]",
        "{}",
        "[[]]",
        "[null]",
        "{\"\":null}",
        "{\"a\":1,\"a\":{}}",
        "{\"__proto__\":{}}",
        "\"\n\"",
        "\"x\" \"y\"",
        "\u{feff}1",
        "\"9999-12-31T23:59:59.999999999Z\"",
        "\"-0001-01-01T00:00:00Z\"",
        "\"1e999999\"",
        "\"TASK_STATE_WORKING\"",
    ];
    let mut values: Vec<Vec<u8>> = short.iter().map(|text| text.as_bytes().to_vec()).collect();
    values.extend([
        b"\"\xff\xfe\"".to_vec(),
        b"\"\xed\xa0\x80\"".to_vec(),
        b"\"\xc0\x80\"".to_vec(),
        b"\0".to_vec(),
        format!("\"{}\"", "x".repeat(20_000)).into_bytes(),
        format!("\"{}\"", "\u{10ffff}".repeat(100)).into_bytes(),
        format!("1{}", "0".repeat(5_000)).into_bytes(),
        // As deep as all bindings can tell: readers of Protocol Buffers stop at 100 messages within each other.
        format!("{}{}", "[".repeat(40), "]".repeat(40)).into_bytes(),
        format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)).into_bytes(),
        "[".repeat(20_000).into_bytes(),
        format!("[{}1]", "1,".repeat(10_000)).into_bytes(),
        format!("[{}{{}}]", "{},".repeat(10_000)).into_bytes(),
        json!(
            (0..10_000)
                .map(|n| (n.to_string(), n))
                .collect::<std::collections::BTreeMap<_, _>>()
        )
        .to_string()
        .into_bytes(),
    ]);
    values
}

/// A request with one place in which anything may be.
struct Hole {
    method: Method,
    /// With the mark if it is in the path or the query.
    path: String,
    version: &'static str,
    /// With the mark if it is in here; empty if there is no body.
    body: String,
}

impl Hole {
    fn filled(&self, value: &[u8]) -> (String, Vec<u8>) {
        // What is in a path is no JSON: without the quotes of a text.
        let bare = value
            .strip_prefix(b"\"")
            .and_then(|it| it.strip_suffix(b"\""));
        let bare = bare.unwrap_or(value).iter().take(MAX_PATH_BYTES);
        let bare: String = bare.map(|byte| format!("%{byte:02x}")).collect();
        let mark = format!("\"{MARK}\"");
        let body = match self.body.split_once(&mark) {
            Some((before, after)) => [before.as_bytes(), value, after.as_bytes()].concat(),
            None => self.body.clone().into_bytes(),
        };
        (self.path.replace(MARK, &bare), body)
    }
}

/// `whole` with the mark in each of its places, from the whole to the smallest.
fn marked(whole: &Value) -> Vec<String> {
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Object(members) => {
                let inner = members.iter();
                inner.for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
            }
            Value::Array(items) => {
                let inner = items.iter().enumerate();
                inner.for_each(|(index, value)| places(value, &format!("{at}/{index}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(whole, "", &mut found);
    let marked = found.into_iter().map(|place| {
        let mut marked = whole.clone();
        *marked.pointer_mut(&place).unwrap() = MARK.into();
        marked.to_string()
    });
    marked.collect()
}

/// A message with everything that one can have, in the words of a version.
fn full_message(version: &str) -> Value {
    let parts = match version {
        "1.0" => json!([
            {"text": "x", "mediaType": "text/plain", "filename": "x", "metadata": {"k": 1}},
            {"data": {"a": [1]}},
            {"raw": "eA=="},
        ]),
        _ => json!([
            {"kind": "text", "text": "x", "metadata": {"k": 1}},
            {"kind": "data", "data": {"a": [1]}},
            {"kind": "file", "file": {"bytes": "eA==", "mimeType": "text/plain", "name": "x"}},
        ]),
    };
    json!({
        "messageId": "m", "contextId": "c", "role": if version == "1.0" { "ROLE_USER" } else { "user" },
        "parts": parts, "metadata": {"m": 1}, "extensions": ["urn:x"], "referenceTaskIds": ["x"],
    })
}

fn push(version: &str) -> Value {
    let authentication = match version {
        "1.0" => json!({"scheme": "Bearer", "credentials": "c"}),
        _ => json!({"schemes": ["Bearer"], "credentials": "c"}),
    };
    json!({"id": "p", "url": "http://127.0.0.1:9/", "token": "t", "authentication": authentication})
}

/// The params of each method of JSON-RPC, about the task `id`.
fn params(id: &str) -> Vec<(&'static str, &'static str, Value)> {
    let mut config = push("1.0");
    config["taskId"] = id.into();
    let send = json!({
        "tenant": "", "message": full_message("1.0"), "metadata": {"x": 1},
        "configuration": {
            "acceptedOutputModes": ["text/plain"], "historyLength": 1, "returnImmediately": true,
            "taskPushNotificationConfig": push("1.0"),
        },
    });
    let old_send = json!({
        "message": full_message("0.3"), "metadata": {"x": 1},
        "configuration": {
            "acceptedOutputModes": ["text/plain"], "historyLength": 1, "blocking": false,
            "pushNotificationConfig": push("0.3"),
        },
    });
    let list = json!({
        "contextId": "c", "status": "TASK_STATE_WORKING", "pageSize": 5, "pageToken": "x", "historyLength": 1,
        "statusTimestampAfter": "2024-01-01T00:00:00Z", "includeArtifacts": true,
    });
    let one = json!({"taskId": id, "id": "p"});
    let old_one = json!({"id": id, "pushNotificationConfigId": "p"});
    let page = json!({"taskId": id, "pageSize": 5, "pageToken": "x"});
    let about = json!({"id": id, "historyLength": 1});
    vec![
        ("1.0", "SendMessage", send.clone()),
        ("1.0", "SendStreamingMessage", send),
        ("1.0", "GetTask", about.clone()),
        ("1.0", "CancelTask", json!({"id": id, "metadata": {"x": 1}})),
        ("1.0", "SubscribeToTask", json!({"id": id})),
        ("1.0", "ListTasks", list),
        ("1.0", "CreateTaskPushNotificationConfig", config),
        ("1.0", "GetTaskPushNotificationConfig", one.clone()),
        ("1.0", "ListTaskPushNotificationConfigs", page),
        ("1.0", "DeleteTaskPushNotificationConfig", one),
        ("1.0", "GetExtendedAgentCard", json!({"tenant": ""})),
        ("0.3", "message/send", old_send.clone()),
        ("0.3", "message/stream", old_send),
        ("0.3", "tasks/get", about.clone()),
        ("0.3", "tasks/cancel", json!({"id": id})),
        ("0.3", "tasks/resubscribe", json!({"id": id})),
        (
            "0.3",
            "tasks/pushNotificationConfig/set",
            json!({"taskId": id, "pushNotificationConfig": push("0.3")}),
        ),
        ("0.3", "tasks/pushNotificationConfig/get", old_one.clone()),
        (
            "0.3",
            "tasks/pushNotificationConfig/list",
            json!({"id": id}),
        ),
        ("0.3", "tasks/pushNotificationConfig/delete", old_one),
        ("0.3", "agent/getAuthenticatedExtendedCard", json!({})),
    ]
}

/// The requests of JSON-RPC, in both versions.
fn envelopes(id: &str) -> Vec<Hole> {
    let mut holes = Vec::new();
    for (version, method, params) in params(id) {
        let whole = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        holes.extend(marked(&whole).into_iter().map(|body| Hole {
            method: Method::POST,
            path: "/agents/echo".to_owned(),
            version,
            body,
        }));
    }
    holes
}

/// The requests of HTTP+JSON, in both versions.
fn resources(id: &str) -> Vec<Hole> {
    let with_body = |version, path: String, body: &Value| {
        let bodies = marked(body).into_iter();
        let holes = bodies.map(move |body| Hole {
            method: Method::POST,
            path: path.clone(),
            version,
            body,
        });
        holes.collect::<Vec<_>>()
    };
    let without = |method, version, path: String| {
        let body = String::new();
        vec![Hole {
            method,
            path,
            version,
            body,
        }]
    };
    let mut holes = Vec::new();
    let base = "/agents/echo";
    for (version, name, params) in params(id) {
        let verb = match name {
            "SendMessage" | "message/send" => "message:send",
            "CreateTaskPushNotificationConfig" => &format!("tasks/{id}/pushNotificationConfigs"),
            "CancelTask" => &format!("tasks/{id}:cancel"),
            _ => continue,
        };
        let path = if version == "1.0" { "" } else { "/v1" };
        holes.extend(with_body(version, format!("{base}{path}/{verb}"), &params));
    }
    for (version, path) in [("1.0", ""), ("0.3", "/v1")] {
        let path = format!("{base}{path}");
        for (method, rest) in [
            (Method::GET, format!("tasks/{MARK}")),
            (Method::GET, format!("tasks/{id}?historyLength={MARK}")),
            (Method::POST, format!("tasks/{MARK}:cancel")),
            (Method::GET, format!("tasks/{MARK}:subscribe")),
            (
                Method::GET,
                format!("tasks/{id}/pushNotificationConfigs?pageToken={MARK}"),
            ),
            (
                Method::GET,
                format!("tasks/{id}/pushNotificationConfigs/{MARK}"),
            ),
            (
                Method::DELETE,
                format!("tasks/{id}/pushNotificationConfigs/{MARK}"),
            ),
            (Method::GET, format!("tasks?status={MARK}")),
            (
                Method::GET,
                format!("tasks?pageToken={MARK}&pageSize={MARK}"),
            ),
            (Method::GET, format!("tasks?statusTimestampAfter={MARK}")),
            (
                Method::GET,
                format!("tasks?contextId={MARK}&includeArtifacts={MARK}"),
            ),
            (Method::GET, format!("extendedAgentCard?{MARK}={MARK}")),
        ] {
            holes.extend(without(method, version, format!("{path}/{rest}")));
        }
    }
    holes.extend(without(
        Method::GET,
        "1.0",
        format!("/{MARK}/agents/{MARK}/tasks"),
    ));
    holes
}

/// The orders of operators.
fn orders(id: &str) -> Vec<Hole> {
    let mut holes = Vec::new();
    for (method, path, body) in [
        (
            Method::POST,
            "/v1/keys".to_owned(),
            json!({"tenant": "a", "name": "n", "agents": ["echo"], "read_only": true}),
        ),
        (
            Method::PUT,
            "/v1/agents/echo/egress".to_owned(),
            json!({"rules": [{"host": "https://a.example", "inject": {"x": "y"}}]}),
        ),
        (
            Method::POST,
            format!("/v1/tasks/{id}/retry"),
            json!({"from": 1}),
        ),
        (
            Method::POST,
            format!("/v1/tasks/{id}/probe"),
            json!({"to": "x"}),
        ),
        (
            Method::POST,
            format!("/v1/tasks/{id}/move"),
            json!({"to": "x"}),
        ),
        (
            Method::POST,
            format!("/v1/tasks/{id}/fail"),
            json!({"reason": "x"}),
        ),
        (
            Method::POST,
            format!("/v1/tasks/{id}/answer"),
            json!({"text": "x", "data": {"a": 1}}),
        ),
    ] {
        holes.extend(marked(&body).into_iter().map(|body| Hole {
            method: method.clone(),
            path: path.clone(),
            version: "1.0",
            body,
        }));
    }
    for path in [
        format!("/v1/agents/{MARK}"),
        format!("/v1/tasks?agent={MARK}&page_size={MARK}"),
        format!("/v1/tasks?page_token={MARK}"),
        format!("/v1/parked?page_token={MARK}"),
        format!("/v1/tasks/{MARK}"),
        format!("/v1/tasks/{id}/log?after={MARK}"),
        format!("/v1/tasks/{id}/log?page_size={MARK}"),
    ] {
        holes.push(Hole {
            method: Method::GET,
            path,
            version: "1.0",
            body: String::new(),
        });
    }
    holes
}

/// Puts every value into every hole. Nothing of it is the host's fault.
async fn attack(door: &str, holes: Vec<Hole>) -> usize {
    let client = http::client();
    let values = values();
    // Each place gets another part of the values, and a smaller one if the request makes work.
    let attempts = holes.iter().enumerate().flat_map(|(number, hole)| {
        let step = match hole.body.contains("\"role\"") {
            true => 17,
            false => 5,
        };
        let some = values.iter().skip(number % step).step_by(step);
        some.map(move |value| (hole, value))
    });
    let attempts = attempts.map(|(hole, value)| {
        let (path, body) = hole.filled(value);
        let what = format!(
            "{} {:.300} {:.600}",
            hole.method,
            path,
            String::from_utf8_lossy(&body)
        );
        let is_large = body.len() > LARGE_BYTES;
        let request = client
            .request(hole.method.clone(), format!("{door}{path}"))
            .header("a2a-version", hole.version)
            .header("content-type", "application/json")
            .bearer_auth(ADMIN_TOKEN)
            .body(body);
        async move {
            // Connections end after bodies that are not read; one that others used may be about to.
            let again = request.try_clone().unwrap();
            let mut answer = in_time(&what, request.send()).await;
            if !is_large && answer.as_ref().is_err_and(reqwest::Error::is_request) {
                answer = in_time(&what, again.send()).await;
            }
            let answer = match answer {
                Ok(answer) => answer,
                // A large body is refused without being read, and the rest of it has no taker.
                Err(error) => return assert!(is_large && error.is_request(), "{what}: {error:?}"),
            };
            let status = answer.status().as_u16();
            let text = in_time(&what, answer.text()).await.unwrap();
            assert!(status < 500, "{status} for {what}: {text:.400}");
            let is_hosts_fault = text.contains("-32603") || text.contains("internal error");
            assert!(!is_hosts_fault, "{what}: {text:.400}");
        }
    });
    stream::iter(attempts)
        .buffer_unordered(AT_ONCE)
        .count()
        .await
}

/// All tasks can be read, whatever they were made of.
async fn read_back(host: &Host) -> u64 {
    let mut total = 0;
    for binding in Binding::ALL {
        let client = Client::new(binding, host, "echo");
        let (mut token, mut read) = (String::new(), 0);
        loop {
            let all = json!({"pageSize": 100, "pageToken": token, "includeArtifacts": true, "historyLength": 10});
            let page = client.call("ListTasks", all).await.unwrap();
            read += page["tasks"].as_array().map_or(0, Vec::len) as u64;
            total = page["totalSize"].as_u64().unwrap();
            token = page["nextPageToken"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(read, total, "{binding:?}");
    }
    total
}

fn check_unharmed(host: &Host) {
    let log = host.log();
    let is_about_harm = |line: &&str| line.contains("panicked") || line.contains("ERROR");
    let harm: Vec<_> = log.lines().filter(is_about_harm).collect();
    assert!(harm.is_empty(), "{harm:?}");
}

#[tokio::test]
async fn no_value_in_any_place_is_the_hosts_fault() {
    let settings = Settings::default()
        .local_webhooks()
        .set("notify.max_attempts", 1);
    let host = Host::with(&["echo"], settings).await;
    let done = host.agent("echo").send(message("x")).await;
    let id = task::id(&done);
    let before = host.peak_bytes();
    let mut made = attack(&host.url(), envelopes(id)).await;
    made += attack(&host.url(), resources(id)).await;
    assert!(made > 2_000, "{made}");
    let grown = host.peak_bytes().saturating_sub(before);
    assert!(grown < 200 * MIB, "{} MiB", grown / MIB);

    let kept = read_back(&host).await;
    assert!(kept > 50, "{kept}");
    check_unharmed(&host);
    host.kill();
    host.restart().await;
    assert_eq!(read_back(&host).await, kept);
    // The last, since keys that are made shut the host.
    attack(&host.admin_url(), orders(id)).await;
    check_unharmed(&host);
}

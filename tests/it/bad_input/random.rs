//! Requests that nobody would think of: a proper one with random damage.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::{assert_unharmed, host};
use crate::support::agent::request_body;
use crate::support::{in_time, message};

/// Enough to hit every member of a request many times.
const REQUESTS: usize = 3_000;
/// Damage that is likely to mean something to a parser of JSON.
const TOKENS: [&str; 12] = [
    "null", "[]", "{}", "\"\"", "-1", "1e999", "true", "\\u0000", "\"", "{", "]", ",",
];

#[tokio::test]
async fn damage_is_never_the_hosts_fault() {
    let host = host().await;
    let echo = host.agent("echo");
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..REQUESTS {
        let body = damaged(&mut rng);
        let request = echo
            .post()
            .header("content-type", "application/json")
            .body(body.clone());
        let answer = in_time("an answer", request.send()).await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert!(status < 500, "{status} for {shown}");
        // Damage may hit the inside of a text, so some are tasks and some are streams.
        let code = serde_json::from_str(&text)
            .map_or(Value::Null, |answer: Value| answer["error"]["code"].clone());
        assert_ne!(code, json!(-32603), "an internal error for {shown}");
    }
    assert_unharmed(&host).await;
}

fn damaged(rng: &mut StdRng) -> Vec<u8> {
    let (method, params) = match rng.random_range(0..5) {
        0 => ("GetTask", json!({"id": "x", "historyLength": 1})),
        1 => (
            "ListTasks",
            json!({"pageSize": 5, "status": "TASK_STATE_WORKING"}),
        ),
        2 => ("SubscribeToTask", json!({"id": "x", "tenant": "acme"})),
        3 => (
            "CreateTaskPushNotificationConfig",
            json!({"taskId": "x", "url": "https://8.8.8.8/", "authentication": {"scheme": "a"}}),
        ),
        _ => (
            "SendMessage",
            json!({"message": message("hello"), "configuration": {"historyLength": 1}}),
        ),
    };
    let mut body = request_body(method, params).to_string().into_bytes();
    for _ in 0..rng.random_range(1..4) {
        let from = rng.random_range(0..body.len());
        let to = (from + rng.random_range(0..12)).min(body.len());
        let token = TOKENS[rng.random_range(0..TOKENS.len())].bytes();
        match rng.random_range(0..4) {
            0 => drop(body.splice(from..to, token)),
            1 => drop(body.splice(from..from, token)),
            2 => drop(body.drain(from..to)),
            _ => body[from] = rng.random(),
        }
        if body.is_empty() {
            break;
        }
    }
    body
}

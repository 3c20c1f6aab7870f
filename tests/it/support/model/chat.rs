//! What the model says: the same each time it is asked the same.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Reply;

/// The answer to a question. Its last line is what to search for.
pub(crate) const PLAN: [&str; 6] = [
    "I would look up what is known about purring, ",
    "and then compare it with what is measured. ",
    "Both are well known for cats, ",
    "and hardly for lions.",
    "\n\n",
    "why cats purr",
];

/// The answer to a question with sources.
pub(crate) const REPORT: [&str; 6] = [
    "# Why cats purr\n\n",
    "Cats purr when they are content, ",
    "with about 25 vibrations in a second, ",
    "which is said to be good for their bones. ",
    "Nobody asked the cats. ",
    "They would not have answered.\n",
];

/// Server-sent events, one for each token.
pub(super) fn reply(body: &Value) -> Reply {
    if body["stream"] != true || !body["model"].is_string() {
        return Reply::of(StatusCode::BAD_REQUEST);
    }
    let Some(messages) = body["messages"].as_array() else {
        return Reply::of(StatusCode::BAD_REQUEST);
    };
    let said = messages
        .last()
        .and_then(|message| message["content"].as_str());
    let tokens = match said.unwrap_or_default().contains("Source ") {
        true => REPORT,
        false => PLAN,
    };
    let token = |token: &str| json!({"choices": [{"index": 0, "delta": {"content": token}}]});
    let events = tokens
        .iter()
        .map(|text| format!("data: {}\n\n", token(text)));
    Reply {
        content_type: "text/event-stream",
        pieces: events.chain(["data: [DONE]\n\n".to_owned()]).collect(),
        ..Reply::of(StatusCode::OK)
    }
}

//! Plain JSON answers of the doors that do not speak JSON-RPC: cards, health, operators.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer that something went wrong: a code for programs, a message for people.
pub(crate) fn problem(status: StatusCode, code: &'static str, message: &str) -> Response {
    let body = json!({"error": {"code": code, "message": message}});
    (status, Json(body)).into_response()
}

/// The answer of both routers to a path that they do not have.
pub(crate) async fn no_route() -> Response {
    problem(
        StatusCode::NOT_FOUND,
        "no-route",
        "nothing is served at this path",
    )
}

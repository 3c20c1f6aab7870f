//! Whether the host lives, and whether it can take work. Open to anybody: it says nothing else.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use taskyard_broker::Broker;

use crate::plain::problem;

/// `GET /healthz` and `GET /readyz`.
pub(crate) fn router(broker: Broker) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(broker)
}

async fn alive(State(broker): State<Broker>) -> Response {
    match broker.is_alive() {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => problem(StatusCode::SERVICE_UNAVAILABLE, "failed", &reason),
    }
}

async fn ready(State(broker): State<Broker>) -> Response {
    match broker.is_ready() {
        Ok(()) => match broker.warning() {
            Some(warning) => format!("ready\n{warning}\n").into_response(),
            None => "ready\n".into_response(),
        },
        Err(reason) => problem(StatusCode::SERVICE_UNAVAILABLE, "not-ready", &reason),
    }
}

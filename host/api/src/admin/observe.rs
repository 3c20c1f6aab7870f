//! What operators look at, queues and the clock, and what they say about the latter.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use taskyard_broker::Stats;
use tracing::warn;

use super::Admin;

/// `GET /v1/stats`
pub(super) async fn stats(State(admin): State<Admin>) -> Json<Stats> {
    Json(admin.broker.stats())
}

/// A step of the clock that the host follows now.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    /// In milliseconds; nothing if there was none.
    step_ms: Option<i64>,
}

/// `POST /v1/clock/accept`
pub(super) async fn accept_clock(State(admin): State<Admin>) -> Json<Accepted> {
    let step_ms = admin.clock.accept();
    if let Some(step_ms) = step_ms {
        warn!(
            step_seconds = step_ms / 1_000,
            "an operator says that the system's clock is right: the host's time follows it"
        );
    }
    Json(Accepted { step_ms })
}

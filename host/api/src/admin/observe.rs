//! What operators look at, queues and the clock, and what they say about the latter.

use axum::Json;
use axum::extract::State;
use taskyard_broker::Stats;
use tracing::warn;

use super::{Admin, ClockStep};

/// `GET /v1/stats`
pub(super) async fn stats(State(admin): State<Admin>) -> Json<Stats> {
    Json(admin.broker.stats())
}

/// `POST /v1/clock/accept`
pub(super) async fn accept_clock(State(admin): State<Admin>) -> Json<ClockStep> {
    let step_ms = admin.clock.accept();
    if let Some(step_ms) = step_ms {
        warn!(
            step_seconds = step_ms / 1_000,
            "an operator says that the system's clock is right: the host's time follows it"
        );
    }
    Json(ClockStep { step_ms })
}

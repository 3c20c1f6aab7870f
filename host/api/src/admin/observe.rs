//! What operators look at: queues.

use axum::Json;
use axum::extract::State;
use taskyard_broker::Stats;

use super::Admin;

/// `GET /v1/stats`
pub(super) async fn stats(State(admin): State<Admin>) -> Json<Stats> {
    Json(admin.broker.stats())
}

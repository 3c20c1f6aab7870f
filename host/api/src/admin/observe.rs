//! What operators look at: deliveries in trouble, queues.

use axum::Json;
use axum::extract::State;
use taskyard_broker::Stats;

use super::Admin;
use super::error::AdminError;
use super::view::{DeliveryList, DeliveryView};

/// More than anybody reads; the count is in the metrics.
const MAX_DELIVERIES: usize = 1_000;

/// `GET /v1/deliveries`
pub(super) async fn deliveries(
    State(admin): State<Admin>,
) -> Result<Json<DeliveryList>, AdminError> {
    let deliveries = admin.broker.deliveries(MAX_DELIVERIES).await?;
    let deliveries = deliveries.into_iter();
    Ok(Json(DeliveryList {
        deliveries: deliveries
            .map(|(lane, state)| DeliveryView::new(lane.task, lane.config, state))
            .collect(),
    }))
}

/// `GET /v1/stats`
pub(super) async fn stats(State(admin): State<Admin>) -> Json<Stats> {
    Json(admin.broker.stats())
}

//! Deliveries in trouble: operators see them, and have them tried again.

use axum::Json;
use axum::extract::{Path, State};
use taskyard_broker::Lane;
use taskyard_task::TaskId;

use super::Admin;
use super::error::AdminError;
use super::view::{DeliveryList, DeliveryView, RetriedView};

/// More than anybody reads; the count is in the metrics.
const MAX_DELIVERIES: usize = 1_000;

/// `GET /v1/deliveries`
pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<DeliveryList>, AdminError> {
    let deliveries = admin.broker.deliveries(MAX_DELIVERIES).await?;
    let deliveries = deliveries.into_iter();
    Ok(Json(DeliveryList {
        deliveries: deliveries
            .map(|(lane, state)| DeliveryView::new(lane.task, lane.config, state))
            .collect(),
    }))
}

/// `POST /v1/deliveries/{task}/{config}/retry`
pub(super) async fn retry(
    State(admin): State<Admin>,
    Path((task, config)): Path<(String, String)>,
) -> Result<Json<RetriedView>, AdminError> {
    // What is no id of a task names no delivery.
    let id = task.parse::<TaskId>().map_err(|_| AdminError::NoDelivery)?;
    let lane = Lane { task: id, config };
    match admin.broker.retry_deliveries(&lane).await? {
        true => Ok(Json(RetriedView {
            task,
            config: lane.config,
        })),
        false => Err(AdminError::NoDelivery),
    }
}

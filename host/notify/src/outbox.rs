//! What the dispatcher needs of the broker, so that tests can stand in for it.

use std::future::Future;

use taskyard_broker::{Broker, Delivery, Error, Lane, NextDelivery};
use taskyard_task::commit::DeliveryState;

/// The durable queue of notifications.
pub(crate) trait Outbox: Send + Sync {
    /// Waits for lanes with something new due. Loses nothing if it is dropped while it waits.
    fn lanes_ready(&self) -> impl Future<Output = Vec<Lane>> + Send;
    /// The oldest due notification of a lane.
    fn next_delivery(
        &self,
        lane: &Lane,
    ) -> impl Future<Output = Result<NextDelivery, Error>> + Send;
    /// Strikes a notification off.
    fn delivered(&self, delivery: &Delivery) -> impl Future<Output = Result<(), Error>> + Send;
    /// Writes down that a notification could not be delivered.
    fn failed(
        &self,
        delivery: &Delivery,
        state: DeliveryState,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

impl Outbox for Broker {
    async fn lanes_ready(&self) -> Vec<Lane> {
        self.lanes_ready().await
    }

    async fn next_delivery(&self, lane: &Lane) -> Result<NextDelivery, Error> {
        self.next_delivery(lane).await
    }

    async fn delivered(&self, delivery: &Delivery) -> Result<(), Error> {
        self.delivered(delivery).await
    }

    async fn failed(&self, delivery: &Delivery, state: DeliveryState) -> Result<(), Error> {
        self.delivery_failed(delivery, state).await
    }
}

//! What this room needs from the broker, and what a test puts in its place.

use taskyard_broker::{Broker, Error, RemoteWork};
use taskyard_task::{ChildEnd, RemoteId, RemoteStage};

/// Keeps the children on other hosts.
pub(crate) trait Desk: Send + Sync + 'static {
    /// Waits for children that are new or wanted no more. The first call gives all.
    fn ready(&self) -> impl Future<Output = Vec<RemoteId>> + Send;

    /// A child; nothing once it is over.
    fn child(&self, id: RemoteId)
    -> impl Future<Output = Result<Option<RemoteWork>, Error>> + Send;

    /// A child is further than it was; durable on return.
    fn reached(
        &self,
        id: RemoteId,
        stage: RemoteStage,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// A child is over.
    fn ended(&self, id: RemoteId, end: ChildEnd) -> impl Future<Output = Result<(), Error>> + Send;
}

impl Desk for Broker {
    async fn ready(&self) -> Vec<RemoteId> {
        self.remotes_ready().await
    }

    async fn child(&self, id: RemoteId) -> Result<Option<RemoteWork>, Error> {
        self.remote(id).await
    }

    async fn reached(&self, id: RemoteId, stage: RemoteStage) -> Result<(), Error> {
        self.remote_stage(id, stage).await
    }

    async fn ended(&self, id: RemoteId, end: ChildEnd) -> Result<(), Error> {
        self.remote_ended(id, end).await
    }
}

//! Where the gate meets the broker, and what a test puts in its place.

use std::sync::Arc;
use std::time::Duration;

use taskyard_broker::{Error, Run};
use taskyard_task::{Entry, Event, Message, Seq, Timestamp};

/// The log of the task that is run, and the outside world as far as the log must know it.
pub(crate) trait TaskLog: Send + Sync + 'static {
    /// At most `most` entries behind `after`, as of the beginning of the run.
    fn journal(
        &self,
        after: Seq,
        most: usize,
    ) -> impl Future<Output = Result<Vec<(Seq, Entry)>, Error>> + Send;

    /// Appends an entry.
    fn record(&self, event: Event) -> impl Future<Output = Result<(Seq, Timestamp), Error>> + Send;

    /// Whether the client asked to cancel.
    fn cancel_requested(&self) -> bool;

    /// The oldest message behind `seq`.
    fn message_after(
        &self,
        seq: Seq,
    ) -> impl Future<Output = Result<Option<(Seq, Message)>, Error>> + Send;

    /// Waits in the real world.
    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send;
}

/// The real log.
#[derive(Clone)]
pub(crate) struct LiveLog(pub(crate) Arc<Run>);

impl TaskLog for LiveLog {
    async fn journal(&self, after: Seq, most: usize) -> Result<Vec<(Seq, Entry)>, Error> {
        self.0.journal(after, most).await
    }

    async fn record(&self, event: Event) -> Result<(Seq, Timestamp), Error> {
        self.0.record(event).await
    }

    fn cancel_requested(&self) -> bool {
        self.0.cancel_requested()
    }

    async fn message_after(&self, seq: Seq) -> Result<Option<(Seq, Message)>, Error> {
        self.0.message_after(seq).await
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

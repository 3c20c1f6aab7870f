//! How long those wait who are owed an answer: not longer than the disk can be written.
//!
//! What the host does by itself waits out every shortage. Whoever calls is told instead, and may come back.

use taskyard_storage::{Failed, Reservation};

use crate::broker::Broker;
use crate::error::Error;

impl Broker {
    /// A place in the committer's queue for what a caller asks for; refused while nothing can be written.
    pub(crate) async fn place(&self, bytes: usize) -> Result<Reservation<'_>, Error> {
        let storage = &self.shared.storage;
        tokio::select! {
            biased;
            trouble = storage.trouble() => Err(trouble.into()),
            place = storage.reserve(bytes) => Ok(place?),
        }
    }

    /// Waits until what a caller asked for is durable; gives up while nothing can be written. It was handed
    /// over then, and takes effect once it can.
    pub(crate) async fn acknowledged(
        &self,
        durable: impl Future<Output = Result<(), Failed>>,
    ) -> Result<(), Error> {
        tokio::select! {
            biased;
            durable = durable => durable.map_err(|failed| unanswered(&failed)),
            trouble = self.shared.storage.trouble() => Err(unanswered(&trouble)),
        }
    }
}

/// What is said to a caller whose call may have an effect or not.
pub(crate) fn unanswered(trouble: &Failed) -> Error {
    Error::OutcomeUnknown(format!(
        "{trouble}; whether this call has an effect is not known yet: look for it, or repeat it with its Idempotency-Key"
    ))
}

//! Work that goes on when the client that asked for it goes away.

use std::future::Future;

use taskyard_broker::Error;
use tracing::Instrument as _;

/// Waits for `work`, which runs to its end even if nobody waits any more. What must not stop halfway
/// goes through here: the server drops a request's future as soon as its connection breaks.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::spawn(work.in_current_span()).await;
    done.unwrap_or_else(|broken| Err(Error::Internal(broken.to_string())))
}

#[cfg(test)]
mod tests {
    use futures::poll;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_outlives_its_client() {
        let (begin, begun) = oneshot::channel();
        let (finish, finished) = oneshot::channel();
        let work = async move {
            begun.await.map_err(|_| Error::ShuttingDown)?;
            finish.send(()).map_err(|()| Error::ShuttingDown)
        };
        {
            let mut client = std::pin::pin!(detached(work));
            assert!(poll!(&mut client).is_pending());
        }
        begin.send(()).unwrap();
        finished.await.unwrap();
    }
}

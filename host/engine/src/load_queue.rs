//! The queue of components that somebody wants to load. They are looked at one at a time, so one that is slow
//! to compile takes one compiler and no more; the others wait for a while, and are told why.

use std::time::Duration;

use taskyard_broker::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// How many may wait. Each has its component in memory.
const MAX_WAITING: usize = 8;
/// How long one waits: less than clients do, so that they hear why.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// When it may be worth trying again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The queue.
#[derive(Debug)]
pub(crate) struct LoadQueue {
    turn: Semaphore,
    places: Semaphore,
    wait: Duration,
}

/// The right to have a component compiled and asked what it is.
pub(crate) struct Turn<'a> {
    _turn: SemaphorePermit<'a>,
    _place: SemaphorePermit<'a>,
}

impl LoadQueue {
    pub(crate) fn new() -> Self {
        Self {
            turn: Semaphore::new(1),
            places: Semaphore::new(1 + MAX_WAITING),
            wait: MAX_WAIT,
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Error::QueueFull`] if too many wait, or if it takes too long.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, Error> {
        let place = self.places.try_acquire().map_err(|_| {
            let what = format!("another component is being compiled, and {MAX_WAITING} wait");
            busy(what)
        })?;
        // Neither semaphore is ever closed.
        match timeout(self.wait, self.turn.acquire()).await {
            Ok(Ok(turn)) => Ok(Turn {
                _turn: turn,
                _place: place,
            }),
            Ok(Err(_)) | Err(_) => {
                let seconds = self.wait.as_secs();
                Err(busy(format!(
                    "another component has been compiled for more than {seconds} s"
                )))
            }
        }
    }
}

fn busy(what: String) -> Error {
    Error::QueueFull {
        what,
        retry_after: RETRY_AFTER,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn said(refused: Result<Turn<'_>, Error>) -> String {
        match refused {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn they_come_one_at_a_time_and_do_not_wait_for_long() {
        let queue = LoadQueue {
            wait: Duration::ZERO,
            ..LoadQueue::new()
        };
        let first = queue.turn().await;
        assert!(first.is_ok());
        let late = said(queue.turn().await);
        assert!(
            late.contains("for more than 0 s; try again in 10 s"),
            "{late}"
        );
        drop(first);
        assert!(queue.turn().await.is_ok());
    }

    #[tokio::test]
    async fn not_many_wait_and_places_are_given_back() {
        let queue = LoadQueue::new();
        let first = queue.turn().await;
        assert!(first.is_ok());
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(queue.turn())).collect();
        for waits in &mut waiting {
            assert!(waits.now_or_never().is_none());
        }
        let refused = said(queue.turn().await);
        assert!(
            refused.contains("and 8 wait; try again in 10 s"),
            "{refused}"
        );
        drop(waiting);
        drop(first);
        assert!(queue.turn().await.is_ok());
    }
}

//! Patience: how long tests wait for what must happen.

use std::future::Future;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Nothing in these tests takes nearly as long, even on a machine that does other things as well.
/// What takes longer is taken for hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// How often is looked at what cannot be waited for.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// Waits for `future`; fails the test if it hangs.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} did not happen within {} s", PATIENCE.as_secs()),
    }
}

/// Looks until `look` finds something; fails the test if it never does.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    in_time(what, async {
        loop {
            match look().await {
                Some(found) => return found,
                None => sleep(PAUSE).await,
            }
        }
    })
    .await
}

//! Asks the system which addresses a name has, a bounded number of times at once.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Each lookup holds a thread of the blocking pool, which storage needs too.
const MAX_LOOKUPS: usize = 32;
/// A resolver that has no answer by then has none in time.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Nobody publishes more addresses for one name than this; the rest is ignored.
const MAX_ADDRESSES: usize = 64;

/// The system's resolver. Clones share the bound.
#[derive(Debug, Clone)]
pub(crate) struct Lookup(Arc<Semaphore>);

impl Lookup {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_LOOKUPS)))
    }

    /// The addresses of `host`; at least one.
    ///
    /// # Errors
    /// If there are none, or no answer in time.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let lookup = self.clone().spawn(host.to_owned(), port);
        let addresses = tokio::time::timeout(LOOKUP_TIMEOUT, lookup)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))??;
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
        }
        Ok(addresses)
    }

    // A lookup cannot be interrupted, so it goes on alone after a timeout and keeps its permit.
    async fn spawn(self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let permit = self.0.acquire_owned().await.map_err(io::Error::other)?;
        let lookup = tokio::spawn(async move {
            let found = tokio::net::lookup_host((host, port)).await;
            drop(permit);
            Ok(found?.take(MAX_ADDRESSES).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}

//! Asks the system which addresses a name has, a bounded number of times at once.
//!
//! A look-up cannot be interrupted, and a slow name holds its thread for as long as its servers like. So nobody has
//! more than a share of the look-ups, and waiting for one of them is not taken for a name without an answer.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Each look-up holds a thread of the blocking pool, which storage needs too.
const MAX_LOOKUPS: usize = 32;
/// Those of one asker.
const MAX_PER_ASKER: usize = 4;
/// How long one waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5_000 });
/// A resolver that has no answer by then has none in time.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 5_000 });
/// Nobody publishes more addresses for one name than this; the rest is ignored.
const MAX_ADDRESSES: usize = 64;

tokio::task_local! {
    static ASKER: Arc<str>;
}

/// Does something whose look-ups of names count as those of `asker`; otherwise each name has a share of its own.
pub async fn on_behalf_of<F: Future>(asker: &str, work: F) -> F::Output {
    ASKER.scope(asker.into(), work).await
}

/// Why there is no address.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The asker, or all of them together, have too many look-ups under way.
    Busy,
    /// What the resolver says.
    Unresolved(io::Error),
}

type Resolver = fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

/// The system's resolver. Clones share the bounds.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    resolver: Resolver,
    all: Arc<Semaphore>,
    shares: Arc<Mutex<HashMap<Arc<str>, Weak<Semaphore>>>>,
}

/// The right to one look-up.
struct Turn {
    _share: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Lookup {
    pub(crate) fn new() -> Self {
        Self::with(|host, port| ask_system(host, port).boxed())
    }

    fn with(resolver: Resolver) -> Self {
        Self {
            resolver,
            all: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            shares: Arc::default(),
        }
    }

    /// The addresses of `host`; at least one. Who asks is read at once, not when the future is polled.
    ///
    /// # Errors
    /// If there are none, or no answer in time.
    pub(crate) fn addresses(
        &self,
        host: &str,
        port: u16,
    ) -> impl Future<Output = Result<Vec<SocketAddr>, Failed>> + Send + use<> {
        let asker = ASKER.try_with(Arc::clone).unwrap_or_else(|_| host.into());
        let (lookup, host) = (self.clone(), host.to_owned());
        async move {
            let turn = timeout(TURN_TIMEOUT, lookup.turn(asker)).await;
            let Ok(Some(turn)) = turn else {
                return Err(Failed::Busy);
            };
            let found = timeout(LOOKUP_TIMEOUT, lookup.ask(turn, host, port)).await;
            let late = io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
            match found.unwrap_or(Err(late)) {
                Ok(none) if none.is_empty() => {
                    let none = io::Error::new(io::ErrorKind::NotFound, "it has no address");
                    Err(Failed::Unresolved(none))
                }
                found => found.map_err(Failed::Unresolved),
            }
        }
    }

    /// Waits for a place, first among those of the asker. The semaphores are never closed.
    async fn turn(&self, asker: Arc<str>) -> Option<Turn> {
        let share = self.share_of(asker).acquire_owned().await;
        let place = Arc::clone(&self.all).acquire_owned().await;
        Some(Turn {
            _share: share.ok()?,
            _place: place.ok()?,
        })
    }

    /// The share lives for as long as somebody has, or waits for, a part of it.
    fn share_of(&self, asker: Arc<str>) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&asker).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(MAX_PER_ASKER));
        shares.insert(asker, Arc::downgrade(&share));
        share
    }

    // It goes on alone after a timeout, and keeps its turn.
    async fn ask(&self, turn: Turn, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = (self.resolver)(host, port);
        let lookup = tokio::spawn(async move {
            let found = found.await;
            drop(turn);
            found
        });
        lookup.await.map_err(io::Error::other)?
    }
}

async fn ask_system(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((host, port)).await?;
    Ok(found.take(MAX_ADDRESSES).collect())
}

#[cfg(test)]
mod tests {
    use futures::future::{join_all, pending, ready};

    use super::*;

    /// Names that begin with `slow` are never answered.
    fn lookup() -> Lookup {
        Lookup::with(|host, port| match host.strip_prefix("slow") {
            Some(_) => pending().boxed(),
            None => ready(Ok(vec![SocketAddr::from(([192, 0, 2, 1], port))])).boxed(),
        })
    }

    async fn ask(lookup: &Lookup, asker: &str, host: &str) -> &'static str {
        match on_behalf_of(asker, async { lookup.addresses(host, 1).await }).await {
            Ok(_) => "found",
            Err(Failed::Busy) => "busy",
            Err(Failed::Unresolved(error)) if error.kind() == io::ErrorKind::TimedOut => "late",
            Err(Failed::Unresolved(error)) => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn the_slow_names_of_one_are_nobody_elses_wait() {
        let lookup = lookup();
        let slow = (0..34).map(async |number| ask(&lookup, "a", &format!("slow{number}")).await);
        let slow = join_all(slow).await;
        let count = |what| slow.iter().filter(|said| **said == what).count();
        assert_eq!((count("late"), count("busy")), (MAX_PER_ASKER, 30));
        assert_eq!(ask(&lookup, "a", "quick").await, "busy");
        assert_eq!(ask(&lookup, "b", "quick").await, "found");
    }

    #[tokio::test]
    async fn all_together_are_bounded_and_no_asker_is_remembered_for_ever() {
        let lookup = lookup();
        let askers = 2 * MAX_LOOKUPS / MAX_PER_ASKER;
        let slow = (0..askers * MAX_PER_ASKER).map(async |number| {
            let asker = (number % askers).to_string();
            ask(&lookup, &asker, "slow").await
        });
        let slow = join_all(slow).await;
        let late = slow.iter().filter(|said| **said == "late").count();
        assert_eq!(late, MAX_LOOKUPS);
        assert_eq!(ask(&lookup, "new", "quick").await, "busy");

        let idle = self::lookup();
        for number in 0..1_000 {
            assert_eq!(ask(&idle, &number.to_string(), "quick").await, "found");
        }
        assert!(idle.shares.lock().unwrap().len() <= 2);
    }

    #[tokio::test]
    async fn a_slow_name_has_no_more_than_a_share_whoever_asks() {
        let lookup = lookup();
        let slow = (0..MAX_LOOKUPS).map(|_| lookup.addresses("slow", 1));
        assert!(join_all(slow).await.iter().all(Result::is_err));
        assert!(lookup.addresses("quick", 1).await.is_ok());
    }
}

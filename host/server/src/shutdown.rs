//! How the host stops: the order is written here, once.

use std::time::Duration;

use taskyard_broker::Broker;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long notifications and answers that are under way may still take once all runs have ended.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What stops the parts of the host, in the order in which they are told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stops {
    /// Streams and calls that wait for a task end, and say why.
    pub(crate) streams: CancellationToken,
    /// The engine begins no more runs, and ends those that there are.
    pub(crate) engine: CancellationToken,
    /// The notifier starts no further deliveries.
    pub(crate) notifier: CancellationToken,
    /// The delegate looks after no children on other hosts any more.
    pub(crate) delegate: CancellationToken,
    /// The doors close.
    pub(crate) doors: CancellationToken,
}

/// The parts of the host that run in the background.
#[derive(Debug)]
pub(crate) struct Loops {
    /// Runs workers.
    pub(crate) engine: JoinHandle<()>,
    /// Delivers notifications.
    pub(crate) notifier: JoinHandle<()>,
    /// Follows children on other hosts.
    pub(crate) delegate: JoinHandle<()>,
    /// Keeps the time.
    pub(crate) clock: JoinHandle<()>,
    /// Takes up new certificates.
    pub(crate) certificate: JoinHandle<()>,
    /// Answer clients and operators.
    pub(crate) doors: [JoinHandle<()>; 2],
}

/// Stops the host. Whatever was acknowledged is on disk already; what was not finished goes on after
/// the next start. The data folder is closed when the caller drops its last handle to the broker.
pub(crate) async fn stop(broker: &Broker, stops: &Stops, mut loops: Loops, grace: Duration) {
    // 1. Nothing new. Clients can still look at what there is.
    broker.begin_shutdown();
    // 2. Whoever waits is told to come back, rather than cut off at the end.
    stops.streams.cancel();
    // 3. Runs may end, for a while; the engine knows for how long.
    info!(
        grace_seconds = grace.as_secs(),
        "shutting down: no new work; runs may end"
    );
    stops.engine.cancel();
    join("engine", &mut loops.engine, grace + LAST_WORDS).await;
    // 4. What the last runs caused is delivered and sent, or at the next start.
    stops.notifier.cancel();
    stops.delegate.cancel();
    join("notifier", &mut loops.notifier, LAST_WORDS).await;
    join("delegate", &mut loops.delegate, LAST_WORDS).await;
    // 5. Answers that are under way are finished, and the doors close.
    stops.doors.cancel();
    join("clock", &mut loops.clock, LAST_WORDS).await;
    join("certificate", &mut loops.certificate, LAST_WORDS).await;
    for door in &mut loops.doors {
        join("door", door, LAST_WORDS).await;
    }
    // 6. The broker's own timers.
    if timeout(LAST_WORDS, broker.stop()).await.is_err() {
        warn!("the broker did not stop in time");
    }
}

async fn join(name: &str, handle: &mut JoinHandle<()>, most: Duration) {
    // A part that failed was noticed already, and must not be asked twice.
    if handle.is_finished() {
        return;
    }
    match timeout(most, &mut *handle).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(name, %error, "a part of the host had failed"),
        Err(_) => {
            warn!(name, "a part of the host did not stop in time");
            handle.abort();
        }
    }
}

impl Loops {
    /// Resolves when a part ends that should not have, and says which.
    pub(crate) async fn failed(&mut self) -> &'static str {
        let [public, admin] = &mut self.doors;
        tokio::select! {
            _ = &mut self.engine => "the engine",
            _ = &mut self.notifier => "the notifier",
            _ = &mut self.delegate => "the delegate",
            _ = &mut self.clock => "the watch over the clock",
            _ = &mut self.certificate => "the watch over the certificate",
            _ = public => "the door for clients",
            _ = admin => "the door for operators",
        }
    }
}

//! Leases runs, as many at once as there may be instances.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use taskyard_broker::{Broker, Inspector, Prober, Run};
use taskyard_clock::{Clock, IdSource};
use taskyard_outbound::Outbound;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::compiler::Compiler;
use crate::config::Config;
use crate::error::Error;
use crate::inspect::{PluginInspector, turns};
use crate::probe::LogProber;
use crate::run::Runner;
use crate::sandbox::Sandbox;
use crate::workers::Workers;

/// Runs workers. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Engine {
    runner: Arc<Runner>,
    inspector: Arc<PluginInspector>,
    prober: Arc<LogProber>,
    /// One permit for each instance that may run. The broker has its own bounds; this one keeps the
    /// pool from ever being asked for more than it has.
    slots: Arc<Semaphore>,
    /// One permit for each run that has not waited for anything yet. More would only wait for a processor, in an
    /// order that knows nothing of tenants' turns.
    busy: Arc<Semaphore>,
}

/// Runs for each processor that have begun and not waited for anything yet: enough for it to find one.
const BUSY_RUNS: usize = 4;

/// What a run holds.
pub(crate) struct Permits {
    /// The right to one instance.
    pub(crate) slot: OwnedSemaphorePermit,
    /// The right to be busy.
    pub(crate) busy: OwnedSemaphorePermit,
}

impl Engine {
    /// Sets up the sandbox. Nothing runs before [`Engine::run_loop`].
    ///
    /// # Errors
    /// If a setting makes no sense or the system has not what it asks for.
    pub fn new(
        config: &Config,
        compiler: Arc<dyn Compiler>,
        broker: Broker,
        outbound: Outbound,
        clock: Clock,
        ids: IdSource,
    ) -> Result<Self, Error> {
        config.check()?;
        let sandbox = Sandbox::new(config)?;
        let workers = Workers::new(config, Arc::clone(&sandbox), compiler, clock.clone(), ids)?;
        let workers = Arc::new(workers);
        let turns = turns();
        let inspector = PluginInspector::new(
            Arc::clone(&sandbox),
            Arc::clone(&workers),
            clock.clone(),
            Arc::clone(&turns),
        );
        let prober = LogProber {
            sandbox: Arc::clone(&sandbox),
            workers: Arc::clone(&workers),
            clock: clock.clone(),
            turns,
        };
        let runner = Runner {
            broker,
            outbound,
            hold: Duration::from_millis(config.hold_ms),
            clock,
            sandbox,
            workers,
        };
        Ok(Self {
            runner: Arc::new(runner),
            inspector: Arc::new(inspector),
            prober: Arc::new(prober),
            slots: Arc::new(Semaphore::new(config.max_instances as usize)),
            busy: Arc::new(Semaphore::new(BUSY_RUNS * processors())),
        })
    }

    /// What the broker asks about a component before it deploys it. Holds no broker, so the broker can
    /// hold it.
    #[must_use]
    pub fn inspector(&self) -> Arc<dyn Inspector> {
        Arc::clone(&self.inspector) as _
    }

    /// What the broker asks before it moves a task to another component. Holds no broker either.
    #[must_use]
    pub fn prober(&self) -> Arc<dyn Prober> {
        Arc::clone(&self.prober) as _
    }

    /// Does runs until `shutdown`, or until the broker has no more. Runs that go on then get `grace` to
    /// end and are dropped: they go back in line, and are replayed after the restart.
    pub async fn run_loop(&self, shutdown: CancellationToken, grace: Duration) {
        let runs = TaskTracker::new();
        let abandon = CancellationToken::new();
        while let Some(Some((permits, run))) = shutdown.run_until_cancelled(self.next()).await {
            let runner = Arc::clone(&self.runner);
            let abandoned = abandon.clone().cancelled_owned();
            // Boxed: what a run keeps is large, and would be copied each time that it is wrapped.
            runs.spawn(Box::pin(async move {
                tokio::select! {
                    biased;
                    () = runner.run(run, permits) => {}
                    () = abandoned => {}
                }
            }));
        }
        runs.close();
        if tokio::time::timeout(grace, runs.wait()).await.is_err() {
            tracing::info!(
                runs = runs.len(),
                "runs did not end in time; they go back in line"
            );
            abandon.cancel();
            runs.wait().await;
        }
    }

    /// The next run, with what it needs.
    async fn next(&self) -> Option<(Permits, Run)> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        let busy = Arc::clone(&self.busy).acquire_owned().await.ok()?;
        // Last, so that it is known as late as possible whose turn it is.
        let run = self.runner.broker.lease().await?;
        Some((Permits { slot, busy }, run))
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

//! One run: a fresh instance works on a task until it ends or must be stopped.

use std::any::Any;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use taskyard_broker::{self as broker, Broker, Run};
use taskyard_clock::Clock;
use taskyard_outbound::Outbound;
use taskyard_task::decide::{Breakdown, Outcome};
use taskyard_task::{Header, Refusal, RunLimits};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use crate::engine::Permits;
use crate::instance::Prepared;
use crate::replay::{Gate, Live};
use crate::sandbox::Sandbox;
use crate::verdict::{End, Ended};
use crate::workers::Workers;

/// How long a run that the host could not do is held before it goes back in line, so that a broken
/// host does not spin.
const ABANDON_PAUSE: Duration = Duration::from_secs(1);

/// Does runs.
pub(crate) struct Runner {
    pub(crate) broker: Broker,
    pub(crate) outbound: Outbound,
    /// How long an instance stays while it waits.
    pub(crate) hold: Duration,
    pub(crate) clock: Clock,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) workers: Arc<Workers>,
}

impl Runner {
    /// Does a leased run and tells the broker how it ended.
    pub(crate) async fn run(&self, run: Run, permits: Permits) {
        let header = run.header();
        let span = tracing::info_span!(
            "run",
            task = %header.id,
            tenant = %header.tenant,
            agent = %header.agent,
            plugin = %header.digest.short(),
            attempt = header.attempt,
        );
        self.run_in_span(run, permits).instrument(span).await;
    }

    async fn run_in_span(&self, run: Run, Permits { slot, busy }: Permits) {
        let began = self.clock.instant();
        let agent = run.header().agent.to_string();
        let run = Arc::new(run);
        let work = AssertUnwindSafe(self.execute(&run)).catch_unwind();
        let end = until_it_waits(busy, work).await;
        let end = end.unwrap_or_else(|panic| panicked(&*panic));
        // What is left to do needs no instance.
        drop(slot);
        let took = self.clock.instant().duration_since(began);
        metrics::counter!("taskyard_runs_total", "agent" => agent, "outcome" => end.word())
            .increment(1);
        metrics::histogram!("taskyard_run_seconds").record(took);
        match &end {
            // A worker that was told to stop may well say that it could not go on.
            End::Settled(Outcome::Failed { .. } | Outcome::Broke(_)) if run.cancel_requested() => {
                tracing::debug!(outcome = end.word(), ?took, "run canceled");
            }
            End::Settled(Outcome::Failed { code, reason, .. }) => {
                tracing::warn!(code, reason, ?took, "run failed");
            }
            End::Settled(Outcome::Transient { code, reason, .. }) => {
                tracing::info!(code, reason, ?took, "run failed and is tried again");
            }
            End::Settled(Outcome::Broke(at)) => {
                let Breakdown { code, reason, .. } = at;
                let position = at.position.0;
                tracing::warn!(code, reason, position, ?took, "the worker broke");
            }
            End::Settled(Outcome::Parked(at)) => {
                let Breakdown { code, reason, .. } = at;
                let position = at.position.0;
                tracing::warn!(
                    code,
                    reason,
                    position,
                    ?took,
                    "the task waits for the operator"
                );
            }
            _ => tracing::debug!(outcome = end.word(), ?took, "run ended"),
        }
        report(run, end).await;
    }

    async fn execute(&self, run: &Arc<Run>) -> End {
        match self.prepare(run).await {
            Ok(prepared) => self.call(run, prepared).await,
            Err(end) => end,
        }
    }

    async fn prepare(&self, run: &Arc<Run>) -> Result<Prepared, End> {
        let header = run.header();
        let digest = header.digest;
        let bytes = || self.broker.component(digest);
        let worker = self.workers.get(digest, bytes).await?;

        let world = Arc::new(Live {
            run: Arc::clone(run),
            outbound: self.outbound.clone(),
        });
        let log = Arc::clone(&world) as _;
        Prepared::open(worker, header, log, world, &self.clock, self.hold).await
    }

    /// Calls the worker and stops it when it must be stopped. Nothing of the instance is left then.
    async fn call(&self, run: &Run, prepared: Prepared) -> End {
        let limits = prepared.limits;
        let interrupted = async {
            tokio::select! {
                biased;
                stopped = self.out_of_time(run.header(), &limits) => stopped,
                () = cancel_grace_over(run) => Ended::CancelGrace,
            }
        };
        let performed = prepared.perform(&self.sandbox, interrupted).await;
        let replayed = performed.ctx().gate().map_or(0, Gate::replayed);
        metrics::counter!("taskyard_replayed_entries_total").increment(replayed);
        performed.judge()
    }

    /// Resolves when the run or the task took too long.
    async fn out_of_time(&self, header: &Header, limits: &RunLimits) -> Ended {
        let deadline_ms = header.deadline.millis_since(self.clock.now());
        tokio::time::sleep(Duration::from_millis(deadline_ms.min(limits.wall_ms))).await;
        if deadline_ms <= limits.wall_ms {
            Ended::Deadline
        } else {
            Ended::WallLimit(limits.wall_ms)
        }
    }
}

/// Does `work`, and gives `busy` up as soon as it waits for anything.
async fn until_it_waits<T>(busy: OwnedSemaphorePermit, work: impl Future<Output = T>) -> T {
    let (mut busy, mut work) = (Some(busy), pin!(work));
    poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        busy = None;
        polled
    })
    .await
}

/// Resolves when the client asked to cancel and the worker had its time to end.
async fn cancel_grace_over(run: &Run) {
    run.canceled().await;
    tokio::time::sleep(run.cancel_grace()).await;
}

fn panicked(panic: &(dyn Any + Send)) -> End {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text, "the host panicked during a run");
    End::internal_error()
}

/// Tells the broker. A run that is only dropped goes back in line, unless it waits or is stale.
async fn report(run: Arc<Run>, end: End) {
    let outcome = match end {
        End::Settled(outcome) => outcome,
        End::Suspended | End::Stale => return,
        End::Abandoned(reason) => {
            tracing::warn!(reason, "run abandoned; it will be done again");
            return tokio::time::sleep(ABANDON_PAUSE).await;
        }
    };
    let Some(run) = Arc::into_inner(run) else {
        tracing::error!("the run is still in use after its end; it will be done again");
        return tokio::time::sleep(ABANDON_PAUSE).await;
    };
    match run.end(outcome).await {
        Ok(()) => {}
        Err(broker::Error::Refused(Refusal::StaleRun)) => tracing::debug!("the run was stale"),
        Err(error) => tracing::warn!(%error, "failed to settle a run; it will be done again"),
    }
}

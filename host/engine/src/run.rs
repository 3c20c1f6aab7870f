//! One run: a fresh instance works on a task until it ends or must be stopped.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures::FutureExt;
use taskyard_broker::{self as broker, Broker, Run};
use taskyard_clock::Clock;
use taskyard_task::decide::Outcome;
use taskyard_task::{Header, Refusal, RunLimits, Submission};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;
use wasmtime::Store;

use crate::bindings::exports::taskyard::worker::handler;
use crate::bindings::taskyard::worker::types::Message;
use crate::cpu::CpuMeter;
use crate::diagnostics::Diagnostics;
use crate::host::{Ctx, to_worker};
use crate::replay::{Gate, LiveLog, Opening};
use crate::sandbox::Sandbox;
use crate::verdict::{self, End, Ended};
use crate::workers::{LinkedWorker, Workers};

/// How long a run that the host could not do is held before it goes back in line, so that a broken
/// host does not spin.
const ABANDON_PAUSE: Duration = Duration::from_secs(1);

/// Does runs.
pub(crate) struct Runner {
    pub(crate) broker: Broker,
    pub(crate) clock: Clock,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) workers: Arc<Workers>,
}

/// An instance to be, and what it is called with.
struct Prepared {
    worker: LinkedWorker,
    ctx: Ctx,
    input: Message,
    limits: RunLimits,
}

/// Shows an instance in the metrics for as long as it lives, however it ends.
struct CountedInstance(metrics::Gauge);

impl CountedInstance {
    fn new() -> Self {
        let instances = metrics::gauge!("taskyard_instances");
        instances.increment(1);
        Self(instances)
    }
}

impl Drop for CountedInstance {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

impl Runner {
    /// Does a leased run and tells the broker how it ended. `slot` is the right to one instance.
    pub(crate) async fn run(&self, run: Run, slot: OwnedSemaphorePermit) {
        let header = run.header();
        let span = tracing::info_span!(
            "run",
            task = %header.id,
            tenant = %header.tenant,
            agent = %header.agent,
            plugin = %header.digest.short(),
            attempt = header.attempt,
        );
        self.run_in_span(run, slot).instrument(span).await;
    }

    async fn run_in_span(&self, run: Run, slot: OwnedSemaphorePermit) {
        let began = self.clock.instant();
        let agent = run.header().agent.to_string();
        let run = Arc::new(run);
        let work = AssertUnwindSafe(self.execute(&run)).catch_unwind();
        let end = work.await.unwrap_or_else(|panic| panicked(&*panic));
        // The broker waits for the disk, which needs no instance.
        drop(slot);
        let took = self.clock.instant().duration_since(began);
        metrics::counter!("taskyard_runs_total", "agent" => agent, "outcome" => end.word())
            .increment(1);
        metrics::histogram!("taskyard_run_seconds").record(took);
        match &end {
            End::Settled(Outcome::Failed { code, reason, .. }) => {
                tracing::warn!(code, reason, ?took, "run failed");
            }
            End::Settled(Outcome::Transient { code, reason, .. }) => {
                tracing::info!(code, reason, ?took, "run failed and is tried again");
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

        let live = Arc::new(AtomicBool::new(false));
        let opening = Opening {
            last: header.last,
            attempt: header.attempt,
            live: Arc::clone(&live),
        };
        let log = LiveLog(Arc::clone(run));
        let opened = Gate::open(log, self.clock.clone(), opening).await;
        let (gate, mut submission) = opened.map_err(|stop| End::from(&stop))?;

        let limits = submission.limits;
        let input = input_of(&mut submission);
        let cpu = CpuMeter::new(&self.clock, limits.cpu_ms);
        let diagnostics = Diagnostics::new(&limits, live);
        Ok(Prepared {
            worker,
            ctx: Ctx::running(header, submission, gate, cpu, diagnostics),
            input,
            limits,
        })
    }

    /// Calls the worker and stops it when it must be stopped. Nothing of the instance is left then.
    async fn call(&self, run: &Run, prepared: Prepared) -> End {
        let _counted = CountedInstance::new();
        let cpu = Arc::clone(&prepared.ctx.cpu);
        let mut store = self.sandbox.store(prepared.ctx);
        let ended = {
            let work = call_run(&prepared.worker, &mut store, &prepared.input);
            tokio::select! {
                biased;
                returned = cpu.measure(work) => Ended::Returned(returned),
                stopped = self.out_of_time(run.header(), &prepared.limits) => stopped,
                () = cancel_grace_over(run) => Ended::CancelGrace,
            }
        };
        let replayed = store.data().gate().map_or(0, Gate::replayed);
        metrics::counter!("taskyard_replayed_entries_total").increment(replayed);
        verdict::judge(ended, store.data())
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

/// The message that began the task. Its parts may be large, so they are moved out.
fn input_of(submission: &mut Submission) -> Message {
    let parts = std::mem::take(&mut submission.message.parts);
    let rest = submission.message.clone();
    to_worker(taskyard_task::Message { parts, ..rest })
}

async fn call_run(
    worker: &LinkedWorker,
    store: &mut Store<Ctx>,
    input: &Message,
) -> wasmtime::Result<Result<handler::Outcome, handler::Failure>> {
    let instance = worker.instantiate_async(&mut *store).await?;
    let handler = instance.taskyard_worker_handler();
    handler.call_run(store, input).await
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

/// Tells the broker. A run that is only dropped goes back in line, unless it asked or is stale.
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
        return tracing::error!("the run is still in use after its end; it will be done again");
    };
    match run.settle(outcome).await {
        Ok(()) => {}
        Err(broker::Error::Refused(Refusal::StaleRun)) => tracing::debug!("the run was stale"),
        Err(error) => tracing::warn!(%error, "failed to settle a run; it will be done again"),
    }
}

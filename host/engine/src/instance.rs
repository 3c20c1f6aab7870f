//! One instance: what it is called with, the call, and what is left of it.

use std::sync::Arc;
use std::time::Duration;

use taskyard_clock::Clock;
use taskyard_task::{Header, RunLimits, Submission};
use wasmtime::Store;

use crate::bindings::taskyard::worker::types::Message;
use crate::cpu::CpuMeter;
use crate::diagnostics::Diagnostics;
use crate::host::{Ctx, to_worker};
use crate::replay::{Gate, Network, Opening, TaskLog};
use crate::sandbox::Sandbox;
use crate::verdict::{self, End, Ended};
use crate::workers::LinkedWorker;

/// An instance to be, and what it is called with.
pub(crate) struct Prepared {
    worker: LinkedWorker,
    ctx: Ctx,
    input: Message,
    state: Option<Vec<u8>>,
    pub(crate) limits: RunLimits,
}

/// What is left of an instance.
pub(crate) struct Performed {
    store: Store<Ctx>,
    ended: Ended,
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

impl Prepared {
    /// Opens the log of the task with this header. `hold` is how long the instance stays while it waits.
    ///
    /// # Errors
    /// What it means for the task if the log cannot be opened.
    pub(crate) async fn open(
        worker: LinkedWorker,
        header: &Header,
        log: Arc<dyn TaskLog>,
        network: Arc<dyn Network>,
        clock: &Clock,
        hold: Duration,
    ) -> Result<Self, End> {
        let opening = Opening::of(header, hold);
        Self::open_with(worker, header, (log, network), clock, opening).await
    }

    /// Opens the log of a task only to try whether the worker does what it says. What the worker tells the
    /// operator is dropped.
    ///
    /// # Errors
    /// As [`Prepared::open`].
    pub(crate) async fn try_out(
        worker: LinkedWorker,
        header: &Header,
        log: Arc<dyn TaskLog>,
        network: Arc<dyn Network>,
        clock: &Clock,
    ) -> Result<Self, End> {
        let opening = Opening::probe(header);
        Self::open_with(worker, header, (log, network), clock, opening).await
    }

    async fn open_with(
        worker: LinkedWorker,
        header: &Header,
        (log, network): (Arc<dyn TaskLog>, Arc<dyn Network>),
        clock: &Clock,
        opening: Opening,
    ) -> Result<Self, End> {
        let outlet = Arc::clone(&opening.outlet);
        let opened = Gate::open(log, network, clock.clone(), opening).await;
        let (gate, mut beginning) = opened.map_err(|stop| End::of_stop(&stop, header.last))?;

        let limits = beginning.submission.limits;
        let input = input_of(&mut beginning.submission);
        let state = beginning.state.take();
        let cpu = CpuMeter::new(clock, limits.cpu_ms);
        let diagnostics = Diagnostics::new(&limits, outlet);
        Ok(Self {
            worker,
            ctx: Ctx::running(header, beginning, gate, cpu, diagnostics),
            input,
            state,
            limits,
        })
    }

    /// Calls the worker until it ends, or until `interrupted` says how it must end.
    pub(crate) async fn perform(
        self,
        sandbox: &Sandbox,
        interrupted: impl Future<Output = Ended>,
    ) -> Performed {
        let _counted = CountedInstance::new();
        let cpu = Arc::clone(&self.ctx.cpu);
        let mut store = sandbox.store(self.ctx);
        let ended = {
            let work = call(&self.worker, &mut store, &self.input, self.state.as_deref());
            tokio::select! {
                biased;
                ended = cpu.measure(work) => ended,
                ended = interrupted => ended,
            }
        };
        Performed { store, ended }
    }
}

impl Performed {
    /// What belonged to the instance.
    pub(crate) fn ctx(&self) -> &Ctx {
        self.store.data()
    }

    /// How its call came to an end.
    pub(crate) fn ended(&self) -> &Ended {
        &self.ended
    }

    /// What its end means for the task.
    pub(crate) fn judge(self) -> End {
        let ctx = self.store.data();
        let end = verdict::judge(self.ended, ctx);
        // A line that a suspension cut is written on by the next run.
        if matches!(end, End::Settled(_)) {
            ctx.diagnostics.end_lines();
        }
        end
    }

    /// How many instructions it used, if they are counted.
    #[cfg(test)]
    pub(crate) fn fuel(&self) -> u64 {
        u64::MAX - self.store.get_fuel().unwrap_or(u64::MAX)
    }
}

/// Calls the worker, and ends what it left open.
async fn call(
    worker: &LinkedWorker,
    store: &mut Store<Ctx>,
    input: &Message,
    state: Option<&[u8]>,
) -> Ended {
    let returned = async {
        let instance = worker.instantiate_async(&mut *store).await?;
        let handler = instance.taskyard_worker_handler();
        handler.call_run(&mut *store, input, state).await
    };
    let returned = match returned.await {
        Ok(returned) => returned,
        Err(error) => return Ended::Broke(error),
    };
    let goes_on = verdict::goes_on(&returned);
    if let Some(gate) = store.data_mut().gate_mut() {
        if !goes_on && let Err(stop) = gate.close_children().await {
            return Ended::Stopped(stop);
        }
        // A run that is tried again sends what was not answered again.
        if returned.is_ok() || !goes_on {
            gate.linger().await;
        }
    }
    Ended::Returned(returned)
}

/// The message that began the task. Its parts may be large, so they are moved out.
fn input_of(submission: &mut Submission) -> Message {
    let parts = std::mem::take(&mut submission.message.parts);
    let rest = submission.message.clone();
    to_worker(taskyard_task::Message { parts, ..rest })
}

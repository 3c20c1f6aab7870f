//! What a worker calls: the interfaces of `taskyard:worker`, one file each.
//!
//! Every call belongs to exactly one class. Each function says its class once, by the one method of
//! [`Ctx`] through which it reaches the task, and the rule for replays is in that method:
//!
//! | class | method | while replaying |
//! | --- | --- | --- |
//! | derived | [`Ctx::derived`] | computed again |
//! | journaled | [`Ctx::journaled`] | the result is taken from the log |
//! | effect | [`Ctx::effect`] | checked against the log, not done again |
//! | ephemeral | [`Ctx::ephemeral`] | dropped |

mod artifacts;
mod children;
mod config;
mod content;
mod context;
mod http;
mod log;
mod memo;
mod state;
mod task;
mod wait;

pub(crate) use content::{parts_from_worker, to_worker};

use std::sync::Arc;

use taskyard_clock::Clock;
use taskyard_task::{AgentName, Event, Header, Timestamp};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtx;

use crate::bindings::taskyard::worker::task::Identity;
use crate::bindings::taskyard::worker::types;
use crate::cpu::CpuMeter;
use crate::diagnostics::Diagnostics;
use crate::limiter::Limiter;
use crate::replay::{
    ArtifactStages, Beginning, CallError, Gate, Refusal, Stop, VirtualClock, Wants,
};
use crate::sandbox::MAX_HANDLES;
use crate::wasi::{self, Http, Numbers, Pollables};

/// What belongs to one instance.
pub(crate) struct Ctx {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) pollables: Pollables,
    pub(crate) http: Http,
    pub(crate) limiter: Limiter,
    pub(crate) cpu: Arc<CpuMeter>,
    pub(crate) diagnostics: Arc<Diagnostics>,
    stage: Stage,
}

enum Stage {
    /// Outside of any task.
    Describing(VirtualClock),
    Running(Box<RunningTask>),
}

/// The task that an instance runs.
pub(crate) struct RunningTask {
    pub(crate) gate: Gate,
    identity: Identity,
    config: config::Configuration,
    /// The agents above the task, and its own.
    lineage: Vec<AgentName>,
    /// Numbers for `wait.random-u64` and `wait.new-id`.
    numbers: Numbers,
}

impl Ctx {
    /// For a worker that describes itself: a made-up world, with a seed and a time that the caller
    /// chooses.
    pub(crate) fn describing(
        clock: &Clock,
        memory_bytes: u64,
        cpu_ms: u64,
        seed: [u8; 32],
        now: Timestamp,
    ) -> Self {
        let stage = Stage::Describing(VirtualClock::new(now));
        let cpu = CpuMeter::new(clock, cpu_ms);
        Self::new(stage, memory_bytes, cpu, seed, Diagnostics::silent())
    }

    /// For a worker that runs a task.
    pub(crate) fn running(
        header: &Header,
        beginning: Beginning,
        gate: Gate,
        cpu: Arc<CpuMeter>,
        diagnostics: Arc<Diagnostics>,
    ) -> Self {
        let Beginning {
            submission, seed, ..
        } = beginning;
        let memory_bytes = submission.limits.memory_bytes;
        let stage = Stage::Running(Box::new(RunningTask {
            gate,
            lineage: task::lineage(&submission),
            identity: task::identity(header, &submission),
            config: config::Configuration::new(submission.config),
            numbers: wasi::numbers(seed),
        }));
        Self::new(stage, memory_bytes, cpu, seed, diagnostics)
    }

    fn new(
        stage: Stage,
        memory_bytes: u64,
        cpu: Arc<CpuMeter>,
        seed: [u8; 32],
        diagnostics: Arc<Diagnostics>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self {
            table,
            wasi: wasi::context(seed, &diagnostics),
            pollables: Pollables::default(),
            http: Http::default(),
            limiter: Limiter::new(memory_bytes),
            cpu,
            diagnostics,
            stage,
        }
    }

    /// The gate of the task that runs; none while describing.
    pub(crate) fn gate(&self) -> Option<&Gate> {
        match &self.stage {
            Stage::Describing(_) => None,
            Stage::Running(task) => Some(&task.gate),
        }
    }

    /// The gate of the task that runs; none while describing.
    pub(crate) fn gate_mut(&mut self) -> Option<&mut Gate> {
        match &mut self.stage {
            Stage::Describing(_) => None,
            Stage::Running(task) => Some(&mut task.gate),
        }
    }

    /// The time that the worker sees.
    pub(crate) fn time(&mut self) -> &mut VirtualClock {
        match &mut self.stage {
            Stage::Describing(time) => time,
            Stage::Running(task) => task.gate.time(),
        }
    }

    /// Waits until `until_ns`, or for a response to a request. Class: journaled. Outside of a task, time just
    /// passes.
    pub(crate) async fn wait(&mut self, until_ns: Option<u64>) -> Result<(), Stop> {
        match &mut self.stage {
            Stage::Describing(time) => match until_ns {
                Some(until_ns) => time.reach_ns(until_ns),
                None => return Err(Stop::NothingToWaitFor),
            },
            Stage::Running(task) => {
                let wants = Wants {
                    due_ns: until_ns,
                    ..Wants::default()
                };
                task.gate.next_event(&wants).await?;
            }
        }
        Ok(())
    }

    /// Looked at a timer in vain, which makes a wait now and then. Class: journaled.
    pub(crate) async fn idle(&mut self) -> Result<(), Stop> {
        match &mut self.stage {
            Stage::Describing(_) => {}
            Stage::Running(task) => task.gate.idle().await?,
        }
        Ok(())
    }

    /// **Derived**: computed from what the task already is. Leaves no trace, and is computed again in
    /// each replay.
    fn derived(&mut self, call: &'static str) -> Result<&mut RunningTask, Stop> {
        self.running_task(call)
    }

    /// **Journaled**: the result comes from outside, is written to the log, and taken from there in
    /// each replay.
    fn journaled(&mut self, call: &'static str) -> Result<&mut Gate, Stop> {
        Ok(&mut self.running_task(call)?.gate)
    }

    /// **Effect**: `decide` says which entry the call is; it is appended once, and found in the log by
    /// each replay.
    async fn effect(
        &mut self,
        call: &'static str,
        decide: impl FnOnce(&ArtifactStages) -> Result<Event, Refusal>,
    ) -> Result<&mut ArtifactStages, CallError> {
        let task = self.running_task(call)?;
        let event = decide(task.gate.artifacts())?;
        task.gate.effect(event).await?;
        Ok(task.gate.artifacts())
    }

    /// **Ephemeral**: for the operator alone. Nothing while replaying, when it was all said before, and
    /// nothing beyond the limit.
    fn ephemeral(&mut self, call: &'static str) -> Result<Option<&Diagnostics>, Stop> {
        self.running_task(call)?;
        let may_pass = self.diagnostics.admit_line();
        Ok(may_pass.then_some(&*self.diagnostics))
    }

    fn running_task(&mut self, call: &'static str) -> Result<&mut RunningTask, Stop> {
        match &mut self.stage {
            Stage::Describing(_) => Err(Stop::Early(call)),
            Stage::Running(task) => Ok(task),
        }
    }
}

impl types::Host for Ctx {
    fn convert_op_error(&mut self, error: CallError) -> wasmtime::Result<types::OpError> {
        match error {
            CallError::Refused(refusal) => Ok(refusal.into()),
            CallError::Stopped(stop) => Err(stop.into()),
        }
    }
}

impl From<Refusal> for types::OpError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Canceled => Self::Canceled,
            Refusal::TimedOut => Self::TimedOut,
            Refusal::Denied(reason) => Self::Denied(reason),
            Refusal::Limit(limit) => Self::LimitExceeded(limit),
            Refusal::Invalid(problem) => Self::Invalid(problem),
            Refusal::Failed(problem) => Self::Failed(problem),
            Refusal::Interrupted(what) => Self::Interrupted(what),
        }
    }
}

//! The wasmtime engine: what a worker can do at all, and how many of them there can be.

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    UpdateDeadline, WasmBacktraceDetails,
};

use crate::bindings::Worker;
use crate::cpu::CpuMeter;
use crate::error::Error;
use crate::host::Ctx;
use crate::replay::Stop;
use crate::ticker::Ticker;
use crate::wasi;

// The following bounds of one worker are part of the replay contract: a worker can observe them.

/// Rust workers consist of 4 core modules, Python ones of about 20.
pub(crate) const CORE_INSTANCES_PER_WORKER: u32 = 64;
/// Components of one language have one; a second one leaves room for composed components.
pub(crate) const MEMORIES_PER_WORKER: u32 = 2;
/// One of the worker and one of its adapter, for each of two composed components.
pub(crate) const TABLES_PER_WORKER: u32 = 4;
/// Language runtimes have 10 000 to 40 000 functions that are called indirectly.
pub(crate) const TABLE_ELEMENTS: usize = 1 << 17;
/// Deep enough for interpreters; overflows are traps.
const WASM_STACK_BYTES: usize = 1 << 20;
/// What host calls need on top of the worker's own frames.
const HOST_STACK_BYTES: usize = 1 << 20;
/// Bytes that one host call may bring out of the sandbox. More than any message may have, so that a
/// message too large is refused in words; less than what would hurt the host.
const HOSTCALL_BYTES: usize = 128 << 20;
/// Streams, timers and errors that a worker may hold at once.
pub(crate) const MAX_HANDLES: usize = 10_000;

/// Instances of plugins that are being inspected, beyond those that run.
pub(crate) const INSPECTIONS: u32 = 2;
/// Memory resets that are handed to the system at once: each costs an interruption of every core.
const DECOMMIT_BATCH: usize = 16;

/// Everything that instances share.
pub(crate) struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Ctx>,
    _ticker: Ticker,
}

impl Sandbox {
    /// Builds the sandbox and starts its clock.
    ///
    /// # Errors
    /// If the system has not enough address space or threads.
    pub(crate) fn new(config: &crate::Config) -> Result<Arc<Self>, Error> {
        let engine = Engine::new(&wasmtime_config(config)).map_err(broken)?;
        Self::with_engine(engine)
    }

    /// A sandbox that counts instructions.
    #[cfg(test)]
    pub(crate) fn with_fuel(config: &crate::Config) -> Result<Arc<Self>, Error> {
        let mut settings = wasmtime_config(config);
        settings.consume_fuel(true);
        let engine = Engine::new(&settings).map_err(broken)?;
        Self::with_engine(engine)
    }

    fn with_engine(engine: Engine) -> Result<Arc<Self>, Error> {
        let linker = link(&engine).map_err(broken)?;
        let ticker = Ticker::start(engine.clone())?;
        Ok(Arc::new(Self {
            engine,
            linker,
            _ticker: ticker,
        }))
    }

    /// A store for one instance, with all bounds set.
    pub(crate) fn store(&self, ctx: Ctx) -> Store<Ctx> {
        let cpu = Arc::clone(&ctx.cpu);
        let mut store = Store::new(&self.engine, ctx);
        store.limiter(|ctx| &mut ctx.limiter);
        #[cfg(test)]
        // Fails where instructions are not counted.
        let _ = store.set_fuel(u64::MAX);
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.set_max_component_handles(MAX_HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| end_of_slice(&cpu));
        store
    }
}

fn broken(error: wasmtime::Error) -> Error {
    Error::Sandbox(format!("{error:#}"))
}

/// Gives others their turn, unless the run has computed enough for ever.
fn end_of_slice(cpu: &CpuMeter) -> wasmtime::Result<UpdateDeadline> {
    if let Some(limit_ms) = cpu.exceeded_ms() {
        return Err(Stop::CpuLimit { limit_ms }.into());
    }
    let turn = Box::pin(tokio::task::yield_now());
    Ok(UpdateDeadline::YieldCustom(1, turn))
}

/// An engine that compiles for any [`Sandbox`], and runs nothing, so it reserves nothing.
pub(crate) fn compiling_engine() -> wasmtime::Result<Engine> {
    Engine::new(&code_config())
}

fn wasmtime_config(settings: &crate::Config) -> Config {
    let mut config = code_config();
    config.async_stack_size(WASM_STACK_BYTES + HOST_STACK_BYTES);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    config
}

/// Everything that compiled code depends on.
fn code_config() -> Config {
    let mut config = Config::new();
    // Workers are synchronous; the host runs them on fibers.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(WASM_STACK_BYTES);

    // The same result on every machine and in every replay.
    config.cranelift_nan_canonicalization(true);
    config.relaxed_simd_deterministic(true);
    config.wasm_memory64(false);

    // A trap is explained with the names of functions.
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

/// Slots for `max_instances` workers of any shape that [`Limiter`](crate::limiter::Limiter) allows,
/// so that an instance is never refused for want of a slot.
fn pool(settings: &crate::Config) -> PoolingAllocationConfig {
    let workers = settings.max_instances.saturating_add(INSPECTIONS);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(workers)
        .total_stacks(workers)
        .total_core_instances(workers.saturating_mul(CORE_INSTANCES_PER_WORKER))
        .total_memories(workers.saturating_mul(MEMORIES_PER_WORKER))
        .total_tables(workers.saturating_mul(TABLES_PER_WORKER))
        .max_core_instances_per_component(CORE_INSTANCES_PER_WORKER)
        .max_memories_per_component(MEMORIES_PER_WORKER)
        .max_tables_per_component(TABLES_PER_WORKER)
        .max_tables_per_module(TABLES_PER_WORKER)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(settings.keep_resident_bytes)
        .table_keep_resident(settings.keep_resident_bytes)
        // Newer kernels tell which pages a worker touched: only those are reset.
        .pagemap_scan(Enabled::Auto)
        .decommit_batch_size(DECOMMIT_BATCH)
        // Slots that a component was in stay ready for its next instance.
        .max_unused_warm_slots(workers);
    pool
}

fn link(engine: &Engine) -> wasmtime::Result<Linker<Ctx>> {
    let mut linker = Linker::new(engine);
    Worker::add_to_linker::<Ctx, HasSelf<Ctx>>(&mut linker, |ctx| ctx)?;
    wasi::link(&mut linker)?;
    Ok(linker)
}

//! The `wasi:*` interfaces that language runtimes need, all of them virtual.
//!
//! There are no files, no sockets, no arguments and no environment; standard input is empty. Clocks
//! ([`clocks`]), timers and readiness ([`poll`]), streams ([`streams`]), requests ([`http`]) and output
//! ([`output`]) are the host's own, because those of wasmtime-wasi follow the real time and the scheduler,
//! which no replay can repeat. Random numbers follow from the task's secret seed.

mod bindings;
mod clocks;
#[expect(
    unreachable_pub,
    reason = "the bindings name the types of resources again"
)]
mod http;
mod output;
mod poll;
mod random;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use http::Http;
pub(crate) use poll::Pollables;
pub(crate) use random::Numbers;

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_io::bindings::wasi::io::poll as wasi_poll;

use crate::diagnostics::{Diagnostics, Stream};
use crate::host::Ctx;
use bindings::wasi::http::{outgoing_handler, types as http_types};
use bindings::wasi::io::streams as wasi_streams;
use output::Output;

/// How many random bytes a worker gets in one call. Part of the replay contract.
const MAX_RANDOM_BYTES: u64 = 1 << 20;

/// Links every interface of WASI 0.2 but those for serving requests.
///
/// # Errors
/// Only if the interfaces contradict each other.
pub(crate) fn link(linker: &mut Linker<Ctx>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // IMPORTANT: nothing of the following may be left to the crate above, or replays diverge.
    linker.allow_shadowing(true);
    wasi_poll::add_to_linker::<Ctx, HasSelf<Ctx>>(linker, |ctx| ctx)?;
    monotonic_clock::add_to_linker::<Ctx, HasSelf<Ctx>>(linker, |ctx| ctx)?;
    wall_clock::add_to_linker::<Ctx, HasSelf<Ctx>>(linker, |ctx| ctx)?;
    wasi_streams::add_to_linker::<Ctx, HasSelf<Ctx>>(linker, |ctx| ctx)?;
    linker.allow_shadowing(false);
    http_types::add_to_linker::<Ctx, HasSelf<Ctx>>(linker, |ctx| ctx)?;
    outgoing_handler::add_to_linker::<Ctx, HasSelf<Ctx>>(linker, |ctx| ctx)?;
    Ok(())
}

/// The numbers of a task with this seed.
pub(crate) fn numbers(seed: [u8; 32]) -> Numbers {
    Numbers::new(seed)
}

/// What one instance finds around it.
pub(crate) fn context(seed: [u8; 32], diagnostics: &Arc<Diagnostics>) -> WasiCtx {
    let output = |stream| Output::new(stream, Arc::clone(diagnostics));
    WasiCtxBuilder::new()
        .stdout(output(Stream::Out))
        .stderr(output(Stream::Err))
        .secure_random(random::secure(seed))
        .insecure_random(random::insecure(seed))
        .insecure_random_seed(random::insecure_seed(seed))
        .max_random_size(MAX_RANDOM_BYTES)
        // `create-tcp-socket` would open a descriptor of the host before it looks at any address.
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}

impl WasiView for Ctx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

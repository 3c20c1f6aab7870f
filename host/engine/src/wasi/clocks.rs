//! `wasi:clocks`: the task's own time. Class: derived; waiting for it is journaled.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};

use crate::host::Ctx;

/// The smallest step that the clocks make, in nanoseconds.
const RESOLUTION_NS: u32 = 1_000;

impl monotonic_clock::Host for Ctx {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.time().look())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(RESOLUTION_NS.into())
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(when)
    }

    fn subscribe_duration(&mut self, span: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let until_ns = self.time().now_ns().saturating_add(span);
        self.timer(until_ns)
    }
}

impl wall_clock::Host for Ctx {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let since_1970 = self.time().look_at_wall();
        Ok(wall_clock::Datetime {
            seconds: since_1970.as_secs(),
            nanoseconds: since_1970.subsec_nanos(),
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 0,
            nanoseconds: RESOLUTION_NS,
        })
    }
}

//! `wasi:io/poll`: readiness as the log knows it. Class: journaled (waits), derived (the rest).
//!
//! Only timers can be unready: output always has room, and input is at its end. A wait ends with one
//! log entry, for the earliest timer of the list; which of the list are ready then is computed.

use std::collections::HashMap;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bindings::wasi::io::poll;

use crate::host::Ctx;

/// When each timer is due, by the number of its pollable: pollables do not show what is inside.
#[derive(Debug, Default)]
pub(crate) struct Timers(HashMap<u32, u64>);

/// A timer.
pub(super) struct Timer {
    /// When it is due, in nanoseconds since the task began.
    pub(super) until_ns: u64,
}

#[async_trait]
impl Pollable for Timer {
    /// Never asked for: readiness is looked up in [`Timers`].
    async fn ready(&mut self) {}
}

impl Timers {
    /// When the pollable is due; at once if it is no timer.
    fn due_ns(&self, pollable: &Resource<DynPollable>) -> u64 {
        self.0.get(&pollable.rep()).copied().unwrap_or(0)
    }
}

impl Ctx {
    pub(super) fn timer(&mut self, timer: Timer) -> wasmtime::Result<Resource<DynPollable>> {
        let until_ns = timer.until_ns;
        let timer = self.table.push(timer)?;
        let pollable = subscribe(&mut self.table, timer)?;
        self.timers.0.insert(pollable.rep(), until_ns);
        Ok(pollable)
    }

    /// Waits until one of them is ready, and tells which are.
    async fn wait_for(
        &mut self,
        pollables: &[Resource<DynPollable>],
    ) -> wasmtime::Result<Vec<u32>> {
        let dues = || {
            pollables
                .iter()
                .map(|pollable| self.timers.due_ns(pollable))
        };
        let Some(earliest) = dues().min() else {
            wasmtime::bail!("waited for nothing: the list of pollables is empty");
        };
        let is_timer = |pollable: &Resource<_>| self.timers.0.contains_key(&pollable.rep());
        let only_timers = pollables.iter().all(is_timer);
        if earliest > self.time().now_ns() {
            self.wait(earliest).await?;
        } else if only_timers {
            self.idle().await?;
        }
        let now = self.time().now_ns();
        let is_ready = |pollable: &Resource<_>| self.timers.due_ns(pollable) <= now;
        let ready = (0..)
            .zip(pollables)
            .filter(|(_, pollable)| is_ready(pollable));
        Ok(ready.map(|(index, _)| index).collect())
    }
}

impl poll::Host for Ctx {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.wait_for(&pollables).await
    }
}

impl poll::HostPollable for Ctx {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        let due = self.timers.due_ns(&pollable);
        if due > self.time().now_ns() {
            self.idle().await?;
        }
        Ok(due <= self.time().now_ns())
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.wait_for(&[pollable]).await?;
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.timers.0.remove(&pollable.rep());
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}

//! `wasi:io/poll`: readiness as the log knows it. Class: journaled (waits), derived (the rest).
//!
//! Timers, responses and their bodies can be unready; output always has room, and input is at its end. A
//! wait goes on, one log entry after the other, until something of its list is ready; what is ready then
//! is computed.

use std::collections::HashMap;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bindings::wasi::io::poll;

use super::http::Shared;
use crate::host::Ctx;

/// What pollables wait for, by their numbers: pollables do not show what is inside. Those that are not
/// here are always ready.
#[derive(Debug, Default)]
pub(crate) struct Pollables(HashMap<u32, Awaited>);

/// What a pollable waits for.
#[derive(Debug, Clone)]
pub(super) enum Awaited {
    /// A moment, in nanoseconds since the task began.
    Moment(u64),
    /// The response to a request, or its beginning.
    Response(Shared),
    /// More of the body of a response, whose stream has that number.
    Bytes(u32),
}

/// Stands for a moment in the table.
pub(super) struct Timer;

#[async_trait]
impl Pollable for Timer {
    /// Never asked for: readiness is looked up in [`Pollables`].
    async fn ready(&mut self) {}
}

impl Pollables {
    fn moment(&self, pollable: &Resource<DynPollable>) -> Option<u64> {
        match self.0.get(&pollable.rep()) {
            Some(Awaited::Moment(due_ns)) => Some(*due_ns),
            _ => None,
        }
    }
}

impl Ctx {
    /// A pollable of `resource` that is ready as soon as `awaited` is there.
    pub(super) fn pollable<T: Pollable>(
        &mut self,
        resource: Resource<T>,
        awaited: Awaited,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let pollable = subscribe(&mut self.table, resource)?;
        self.pollables.0.insert(pollable.rep(), awaited);
        Ok(pollable)
    }

    /// A pollable that is ready so many nanoseconds after the task began.
    pub(super) fn timer(&mut self, due_ns: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.table.push(Timer)?;
        self.pollable(timer, Awaited::Moment(due_ns))
    }

    fn is_ready(&mut self, pollable: &Resource<DynPollable>) -> bool {
        match self.pollables.0.get(&pollable.rep()).cloned() {
            Some(Awaited::Moment(due_ns)) => due_ns <= self.time().now_ns(),
            Some(Awaited::Response(exchange)) => self.has_response(&exchange),
            Some(Awaited::Bytes(stream)) => self.has_bytes(stream),
            None => true,
        }
    }

    /// Which of them are ready.
    fn ready(&mut self, pollables: &[Resource<DynPollable>]) -> Vec<u32> {
        let numbered = (0..).zip(pollables);
        let ready = numbered.filter(|(_, pollable)| self.is_ready(pollable));
        ready.map(|(index, _)| index).collect()
    }

    /// Waits until one of them is ready, and tells which are.
    async fn wait_for(
        &mut self,
        pollables: &[Resource<DynPollable>],
    ) -> wasmtime::Result<Vec<u32>> {
        if pollables.is_empty() {
            wasmtime::bail!("waited for nothing: the list of pollables is empty");
        }
        let ready = self.ready(pollables);
        if !ready.is_empty() && !self.is_only_moments(pollables, &ready) {
            return Ok(ready);
        }
        if !ready.is_empty() {
            self.idle().await?;
        }
        loop {
            let ready = self.ready(pollables);
            if !ready.is_empty() {
                return Ok(ready);
            }
            let moments = pollables.iter().filter_map(|it| self.pollables.moment(it));
            self.wait(moments.min()).await?;
        }
    }

    /// Whether nothing is ready but timers: then nothing happened, and the worker may be spinning.
    fn is_only_moments(&self, pollables: &[Resource<DynPollable>], ready: &[u32]) -> bool {
        ready.iter().all(|index| {
            let pollable = usize::try_from(*index)
                .ok()
                .and_then(|at| pollables.get(at));
            pollable.is_some_and(|pollable| self.pollables.moment(pollable).is_some())
        })
    }

    /// Waits until there is something to read, or the end of it.
    pub(super) async fn wait_for_bytes(&mut self, stream: u32) -> wasmtime::Result<()> {
        while !self.has_bytes(stream) {
            self.wait(None).await?;
        }
        Ok(())
    }
}

impl poll::Host for Ctx {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.wait_for(&pollables).await
    }
}

impl poll::HostPollable for Ctx {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        if !self.is_ready(&pollable) {
            self.idle().await?;
        }
        Ok(self.is_ready(&pollable))
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.wait_for(&[pollable]).await?;
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.pollables.0.remove(&pollable.rep());
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}

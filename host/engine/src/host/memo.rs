//! `taskyard:worker/memo`: results of expensive work.

use super::Ctx;
use crate::bindings::taskyard::worker::memo::Host;
use crate::replay::CallError;

impl Host for Ctx {
    async fn recall(&mut self, label: String, input: u64) -> wasmtime::Result<Option<Vec<u8>>> {
        let gate = self.journaled("taskyard:worker/memo.recall")?;
        Ok(gate.recall(&label, input).await?)
    }

    async fn keep(&mut self, label: String, input: u64, value: Vec<u8>) -> Result<(), CallError> {
        let gate = self.journaled("taskyard:worker/memo.keep")?;
        gate.keep(label, input, value).await
    }
}

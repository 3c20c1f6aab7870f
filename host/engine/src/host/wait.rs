//! `taskyard:worker/wait`: waiting, for a moment or for several things at once.

use std::time::Duration;

use taskyard_task::{Ticket, Timestamp};

use super::Ctx;
use crate::bindings::taskyard::worker::wait::Host;
use crate::replay::CallError;

impl Host for Ctx {
    async fn any(&mut self, tickets: Vec<u64>, timeout: Option<u64>) -> Result<u64, CallError> {
        let gate = self.journaled("taskyard:worker/wait.any")?;
        let first = gate.any(&named(tickets), timeout).await?;
        Ok(first.0)
    }

    async fn all(&mut self, tickets: Vec<u64>, timeout: Option<u64>) -> Result<(), CallError> {
        let gate = self.journaled("taskyard:worker/wait.all")?;
        gate.all(&named(tickets), timeout).await
    }

    fn timer(&mut self, span: u64) -> wasmtime::Result<u64> {
        let task = self.derived("taskyard:worker/wait.timer")?;
        let due_ns = task.gate.after_ms(span);
        Ok(task.gate.timer(due_ns)?.0)
    }

    fn timer_at(&mut self, moment: u64) -> wasmtime::Result<u64> {
        let task = self.derived("taskyard:worker/wait.timer-at")?;
        let due_ns = task.gate.time().ns_at(Timestamp(moment));
        Ok(task.gate.timer(due_ns)?.0)
    }

    async fn sleep(&mut self, span: u64) -> Result<(), CallError> {
        let gate = self.journaled("taskyard:worker/wait.sleep")?;
        let until_ns = gate.after_ms(span);
        gate.sleep_until(until_ns).await
    }

    async fn sleep_until(&mut self, moment: u64) -> Result<(), CallError> {
        let gate = self.journaled("taskyard:worker/wait.sleep-until")?;
        let until_ns = gate.time().ns_at(Timestamp(moment));
        gate.sleep_until(until_ns).await
    }

    async fn cancel(&mut self, ticket: u64) -> Result<(), CallError> {
        let gate = self.journaled("taskyard:worker/wait.cancel")?;
        gate.give_up_ticket(Ticket(ticket)).await
    }

    fn now(&mut self) -> wasmtime::Result<u64> {
        let task = self.derived("taskyard:worker/wait.now")?;
        Ok(millis(task.gate.time().look_at_wall()))
    }

    fn random_u64(&mut self) -> wasmtime::Result<u64> {
        let task = self.derived("taskyard:worker/wait.random-u64")?;
        Ok(task.numbers.next())
    }

    fn new_id(&mut self) -> wasmtime::Result<String> {
        let task = self.derived("taskyard:worker/wait.new-id")?;
        Ok(task.numbers.new_id())
    }
}

fn named(tickets: Vec<u64>) -> Vec<Ticket> {
    tickets.into_iter().map(Ticket).collect()
}

fn millis(since_1970: Duration) -> u64 {
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

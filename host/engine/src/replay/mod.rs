//! Replay: meets every call of a worker with the task's log.
//!
//! What a worker can see changes only by applying log entries, one at a time, in their order; all
//! else is computed from the entries applied so far. So a worker that is run again from the start
//! does the same again: while the log has entries of its own doing (*replaying*), each call must find
//! itself there; behind the last one (*live*), calls append.
//!
//! - An *effect* or a wait is one entry; a replay must meet exactly the same.
//! - A *question* is one entry; the first message behind it is its answer, and until there is one the
//!   task waits without an instance.
//! - A *look* (for a message, for a cancel) is an entry only if it saw something new. Looks are numbered,
//!   so a replay knows at which one the entry belongs.
//! - *Time* stands where the last applied entry put it, and each look at the clock moves it by a tick.
//! - *Limits* are pinned and counted from the entries, so refusals repeat themselves.
//!
//! [`Gate`] is the only way to the log. `Journal` walks it, `Budget` counts against the limits,
//! [`VirtualClock`] tells the time, [`ArtifactStages`] knows what is open. Nothing here knows wasmtime
//! or WIT, and the log is behind the trait `TaskLog`, so all of it is tested without either.
//!
//! Everything in here is part of the replay contract
//! ([`REPLAY_CONTRACT`](taskyard_task::entry::REPLAY_CONTRACT)): a change that a log could notice
//! needs a new number.

mod artifacts;
mod budget;
mod gate;
mod inbox;
mod journal;
mod log;
mod observe;
mod stop;
#[cfg(test)]
mod tests;
mod virtual_clock;
mod wait;

pub(crate) use artifacts::ArtifactStages;
pub(crate) use gate::{Gate, Opening};
pub(crate) use log::LiveLog;
pub(crate) use stop::{CallError, Refusal, Stop};
pub(crate) use virtual_clock::VirtualClock;

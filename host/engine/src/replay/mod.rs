//! Replay: meets every call of a worker with the task's log.
//!
//! What a worker can see changes only by applying log entries, one at a time, in their order; all
//! else is computed from the entries applied so far. So a worker that is run again from the start
//! does the same again: while the log has entries of its own doing (*replaying*), each call must find
//! itself there; behind the last one (*live*), calls append.
//!
//! - An *effect* is one entry; a replay must meet exactly the same, and gets what the host answered then.
//! - A *wait* is satisfied by what was applied already, or applies the next entry: a moment, a response or a
//!   piece of one, or the notice of something that came from outside. So completions have one order, which
//!   the log fixes. A long wait ends the run; the task goes on without an instance.
//! - A *question* is answered by the first message behind it that no older question takes.
//! - A *request* is its intent, durable before anything is sent, and its response. While the response is not
//!   in the log, the request is sent again after a crash, with the same key, or never, as it says.
//! - A *look* (for a message, for a cancel) is an entry only if it saw something new. Looks are numbered,
//!   so a replay knows at which one the entry belongs.
//! - *Time* stands where the last applied entry put it, and each look at the clock moves it by a tick.
//! - *Limits* are pinned and counted from the entries, so refusals repeat themselves.
//!
//! [`Gate`] is the only way to the log. `Journal` walks it, `Outside` is what came from elsewhere, `Tickets`
//! what the worker waits for, `Flights` the connections; `Budget` counts against the limits,
//! [`VirtualClock`] tells the time, [`ArtifactStages`] knows what is open. Nothing here knows wasmtime
//! or WIT, and the log and the network are behind the traits [`TaskLog`] and [`Network`], so all of it is
//! tested without either.
//!
//! Everything in here is part of the replay contract
//! ([`REPLAY_CONTRACT`](taskyard_task::entry::REPLAY_CONTRACT)): a change that a log could notice
//! needs a new number.

mod artifacts;
mod ask;
mod budget;
mod children;
mod context;
mod ending;
mod gate;
mod journal;
mod keep;
mod log;
mod observe;
mod outside;
#[cfg(test)]
mod property;
mod requests;
mod select;
mod stop;
#[cfg(test)]
mod tests;
mod tickets;
mod virtual_clock;
mod wait;
#[cfg(test)]
pub(crate) mod world;

pub(crate) use artifacts::ArtifactStages;
pub(crate) use gate::{Beginning, Gate, Opening};
pub(crate) use log::{Body, ChildBegun, Live, Network, Page, TaskLog};
pub(crate) use requests::{Reading, Sending};
pub(crate) use stop::{CallError, Refusal, Stop};
pub(crate) use virtual_clock::VirtualClock;
pub(crate) use wait::Wants;

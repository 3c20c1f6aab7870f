//! The load: what clients do, in a closed or an open loop, and how long each thing took.
//!
//! One thread drives all connections, so that the servers under measurement keep as much of the machine
//! as possible. All figures are what a client saw.

mod closed;
mod open;
mod samples;
mod wire;

pub(crate) use closed::{closed, each};
pub(crate) use open::open;
pub(crate) use samples::Samples;
pub(crate) use wire::{Connection, Events};

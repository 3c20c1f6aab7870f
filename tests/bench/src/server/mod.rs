//! The servers under measurement: the host, and what people would use instead.

mod client;
mod contender;
mod host;
mod peer;
mod process;

pub(crate) use client::{CHUNK, COMPLETED, Client, Dialect, Place};
pub(crate) use contender::{Contender, Running};
pub(crate) use host::Host;
pub(crate) use peer::Peer;
pub(crate) use process::Process;

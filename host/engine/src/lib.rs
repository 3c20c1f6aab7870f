//! Runs workers: compiles, links, limits and instantiates components, and replays what they did.
//!
//! The engine is a client of the broker: it leases runs, runs one fresh instance per run, and reports
//! every outcome back. It never writes storage and never talks to clients. Nothing outside this room
//! names a wasmtime type.
//!
//! The way of a run: `engine` leases it, `workers` finds the compiled component, `run` sets the bounds
//! and waits for the end of an `instance`, `host` and `wasi` answer the worker's calls, `replay` meets each of them with
//! the task's log, and `verdict` says what the end means for the task.

mod bindings;
mod compiled;
mod compiler;
mod config;
mod cpu;
mod diagnostics;
#[cfg(test)]
mod durability;
mod engine;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod inspect;
mod instance;
mod limiter;
mod load_queue;
mod manifest;
#[doc(hidden)]
pub mod measured;
mod probe;
mod replay;
mod run;
mod sandbox;
mod shape;
mod ticker;
mod verdict;
mod wasi;
mod workers;

pub use compiler::{CompileError, Compiler, InProcess, compile};
pub use config::Config;
pub use engine::Engine;
pub use error::Error;

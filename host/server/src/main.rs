//! Taskyard: a durable task host for AI agents, and the command line to work with it.

mod activity;
mod addresses;
mod admin_client;
mod admin_token;
mod cli;
mod clock_watch;
mod compiler;
mod config;
mod connection;
mod descriptors;
mod documents;
mod findings;
mod hello;
mod http;
mod listen;
mod memory;
mod ownership;
mod places;
mod preflight;
mod preload;
mod serve;
mod shutdown;
mod signals;
mod telemetry;
mod tls;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// A task makes many small allocations on several threads; what it gains is in `tests/bench/README.md`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}

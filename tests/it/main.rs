//! What the whole host is proved to do: the real binary, real plugins, real clients, real crashes.
//!
//! One module per subject; the names of the tests are the facts. `support` starts hosts and talks to
//! them. Everything waits for events with a deadline and never just for time to pass.

#![cfg(test)]

mod arrows;
mod auth;
mod bad_input;
mod bindings;
mod children;
mod cli;
mod compat;
mod crash;
mod cut_streams;
mod doors;
mod guests;
mod hostile;
mod hot_loading;
mod openapi;
mod operations;
mod parked;
mod python_sdk;
mod retention;
mod rust_client;
mod shutdown;
mod signatures;
mod storage_faults;
mod support;
mod tidy;
mod tls;
mod webhooks;
mod workers;

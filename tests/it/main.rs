//! What the whole host is proved to do: the real binary, real plugins, real clients, real crashes.
//!
//! One module per subject; the names of the tests are the facts. `support` starts hosts and talks to
//! them. Everything waits for events with a deadline and never just for time to pass.

#![cfg(test)]

mod arrows;
mod bad_input;
mod children;
mod cli;
mod crash;
mod doors;
mod guests;
mod hot_loading;
mod operations;
mod parked;
mod python_sdk;
mod shutdown;
mod storage_faults;
mod support;
mod tidy;
mod webhooks;
mod workers;

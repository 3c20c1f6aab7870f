//! Calls the host while it describes itself, which no worker may do.

#[cfg(target_family = "wasm")]
mod component;

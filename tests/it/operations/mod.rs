//! The eleven operations of A2A 1.0, against the real host with the example plugins.

mod cancel;
mod card;
mod conversation;
mod idempotency;
mod list;
mod push_config;
mod resume;
mod send;
mod stream;
mod tenants;

//! Delivers notifications to the webhooks that clients registered (A2A 4.3).
//!
//! The broker keeps what is due as rows that were committed together with the entries that caused
//! them. This room takes them lane by lane (a lane is one configuration of one task), posts them in
//! order, and tells the broker how it went. It signs what it posts, and judges which URLs may be posted to at all. The
//! server starts it; it knows the broker, and of `outbound` the guard of addresses and the client. Nothing
//! outside it makes a POST on behalf of a client.

mod config;
mod dispatcher;
mod guard;
mod metric;
mod outbox;
mod post;
mod proof;
mod schedule;
#[cfg(test)]
mod tests;

pub use config::{Config, Error};
pub use dispatcher::Notifier;
pub use guard::{Refused, UrlGuard};
pub use proof::Issuer;

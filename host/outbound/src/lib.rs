//! The only way out of the host for requests that others make it send.
//!
//! Workers' requests pass through [`Outbound`]: the rules of their agent, the guard against addresses that
//! only the host can reach, the secrets that are added on the way, the limits, the retries. The engine
//! calls it, and `delegate` for children on other hosts. The command line has its own way, [`Direct`].
//! Webhooks are posted by `notify`, with the [`Guard`] and the [`client()`] of this room. It knows nothing of
//! tasks, logs and replays: it is called for what has to be sent now.

mod address;
mod body;
mod call;
mod client;
mod coding;
mod config;
mod direct;
mod failure;
mod guard;
mod lookup;
mod metric;
mod outbound;
mod request;
mod retry;
mod secrets;
#[cfg(test)]
mod tests;

pub use body::BodyStream;
pub use client::{client, describe};
pub use config::{Config, Error};
pub use direct::Direct;
pub use guard::{Guard, GuardConfig, NoException, Refused};
pub use lookup::on_behalf_of;
pub use outbound::Outbound;
pub use request::{Request, Retry};
pub use secrets::Secrets;

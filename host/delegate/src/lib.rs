//! Looks after children on other hosts: sends them, follows them, cancels them, tells how they ended.
//!
//! A client of the broker, which keeps a row for each of them, and of the outbound room, through which
//! every request passes. A child is sent once: that it is about to be sent is durable before it is, and
//! whoever does not know whether it arrived asks the other host before it sends again. So either side may
//! go down at any time.
//!
//! It knows nothing of runs and logs, and keeps nothing that must not be lost.
//!
//! How a remote agent is found and spoken to is the same for the command line, which calls [`connect`].

mod agent;
mod answer;
mod card;
mod carrier;
mod delegate;
mod desk;
mod discover;
mod events;
mod follow;
#[doc(hidden)]
pub mod fuzzing;
mod line;
mod operation;
mod pace;
mod problem;
mod schedule;
#[cfg(test)]
mod tests;

pub use agent::{RemoteAgent, connect};
pub use carrier::Carrier;
pub use delegate::Delegate;
pub use line::Line;
pub use problem::ConnectError;

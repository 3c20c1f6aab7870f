//! The only sources of time, of new identifiers and of secret randomness.

mod clock;
mod host_time;
mod id_source;

pub use clock::{Clock, Instant};
pub use host_time::{Config, LastSeen, News};
pub use id_source::IdSource;

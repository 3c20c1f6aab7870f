//! The only sources of time, of new identifiers and of secret randomness.

mod clock;
mod id_source;

pub use clock::{Clock, Instant};
pub use id_source::IdSource;

//! Where `tests/instructions/` reaches what every call costs, without a connection.

pub use crate::rpc::measured::{Stream, answer, read_send};

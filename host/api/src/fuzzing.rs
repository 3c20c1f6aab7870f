//! Where `fuzz/` reaches what reads bytes of others: functions that take anything, must not panic, and
//! check what must hold. The corpus of each is walked by an ordinary test there.

pub use crate::extension::fuzzing::metadata;
pub use crate::rest::fuzzing::request;
pub use crate::rpc::fuzzing::envelope;

//! Where `fuzz/` reaches what reads bytes of others: functions that take anything, must not panic, and
//! check what must hold. The corpus of each is walked by an ordinary test there.

use crate::shape;

/// A component that somebody wants to load.
pub fn component(bytes: &[u8]) {
    let _ = shape::check(bytes);
}

//! How many instructions each benchmark may take.

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig};

// What was measured, on x86-64. A number moves with a change that needs it, and the commit says why.
pub(crate) const DECIDE_SUBMISSION: u64 = 1_650;
pub(crate) const DECIDE_LINE: u64 = 2_620;
pub(crate) const DECIDE_END: u64 = 2_572;
pub(crate) const FOLD_LOG: u64 = 69_155;
pub(crate) const READ_HEADER: u64 = 6_550;
pub(crate) const READ_LOG: u64 = 267_740;
pub(crate) const BATCH_OF_A_SUBMISSION: u64 = 55_941;
pub(crate) const BATCH_OF_LINES: u64 = 134_867;
pub(crate) const READ_SEND: u64 = 45_763;
pub(crate) const ANSWER_SEND: u64 = 285_676;
pub(crate) const WRITE_EVENT: u64 = 10_388;
pub(crate) const REPLAY_LOG: u64 = 331_931;

/// What a benchmark may take above what was measured. Code that the compiler divides otherwise, as it does
/// when all is compiled anew, changes up to 6 percent, and another compiler or libc a little; a copy too many
/// in a loop changes more.
const ROOM_PERCENT: u64 = 10;

/// Fails what takes more than `measured`, and the room.
pub(crate) fn about(measured: u64) -> LibraryBenchmarkConfig {
    let most = measured + measured * ROOM_PERCENT / 100;
    // Only instructions are looked at, and misses of a simulated cache would say little.
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, most)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

//! Counts the instructions of what the host does most often, each against a limit: `make instructions`.
//!
//! A processor is simulated, so neither other processes nor another machine change the numbers. They say
//! nothing about waiting, for the disk, a lock or the network; `tests/bench` measures that.

mod api;
mod engine;
mod limits;
mod sample;
mod storage;
mod task;

use api::calling;
use engine::replaying;
use storage::storing;
use task::deciding;

gungraun::main!(
    library_benchmark_groups = deciding,
    storing,
    calling,
    replaying
);

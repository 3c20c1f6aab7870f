//! What a replay costs beside the sandbox: meeting each call of a worker with the log.

use gungraun::{library_benchmark, library_benchmark_group};
use taskyard_engine::measured::Replay;

use crate::limits::{self, about};
use crate::sample::Task;

#[library_benchmark]
#[bench::of_100_entries(
    args = (),
    setup = replay,
    config = about(limits::REPLAY_LOG)
)]
fn replay_log(replay: Replay) -> u64 {
    replay.run().expect("the log has the same")
}

library_benchmark_group!(name = replaying, benchmarks = [replay_log]);

fn replay() -> Replay {
    let task = Task::completed();
    Replay::of(&task.header, task.log).expect("a log that begins with a submission")
}

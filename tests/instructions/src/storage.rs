//! What rows cost: reading a task, and making the batch of a group of commits.

use gungraun::{library_benchmark, library_benchmark_group};
use taskyard_storage::measured::{Batches, decode, encode};
use taskyard_storage::{Config, Storage};
use taskyard_task::{Commit, Entry, Header};

use crate::limits::{self, about};
use crate::sample::Task;

#[library_benchmark]
#[bench::of_a_running_task(
    args = (),
    setup = header,
    config = about(limits::READ_HEADER)
)]
fn read_header(row: Vec<u8>) -> Header {
    decode(&row).expect("a header")
}

#[library_benchmark]
#[bench::of_100_entries(
    args = (),
    setup = log,
    config = about(limits::READ_LOG)
)]
fn read_log(rows: Vec<Vec<u8>>) -> Vec<Entry> {
    let entries = rows.iter().map(|row| decode(row).expect("an entry"));
    entries.collect()
}

#[library_benchmark]
#[bench::of_a_submission(
    args = (),
    setup = submission,
    config = about(limits::BATCH_OF_A_SUBMISSION)
)]
#[bench::of_32_lines(
    args = (32),
    setup = lines,
    config = about(limits::BATCH_OF_LINES)
)]
fn make_batch((mut batches, group): Work) -> (Batches, usize) {
    let made = batches.make(&group).expect("commits can be applied");
    // Given back, so that closing the tables does not count.
    (batches, made)
}

library_benchmark_group!(
    name = storing,
    benchmarks = [read_header, read_log, make_batch]
);

fn header() -> Vec<u8> {
    encode(&Task::running(1).header).expect("headers can be written")
}

fn log() -> Vec<Vec<u8>> {
    let log = Task::completed().log.into_iter();
    let rows = log.map(|(_, entry)| encode(&entry));
    rows.collect::<Option<_>>().expect("entries can be written")
}

/// A group of commits, and who makes batches of such.
type Work = (Batches, Vec<Commit>);

fn submission() -> Work {
    (batches(), Task::submitted(2).commits)
}

fn lines(count: usize) -> Work {
    let mut commits = Task::written(2, count).commits;
    // Without those that began the task and its run.
    (batches(), commits.split_off(2))
}

/// The counters of the agent and of the conversation are known, as they are on a host at work.
fn batches() -> Batches {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        folder: folder.path().to_owned(),
        sync: false,
        max_open_files: None,
        accept_data_loss: false,
    };
    let storage = Storage::open(&config, |_| ()).expect("a new data folder");
    let mut batches = Batches::of(&storage);
    let others = Task::running(1).commits;
    batches.make(&others).expect("commits can be applied");
    batches
}

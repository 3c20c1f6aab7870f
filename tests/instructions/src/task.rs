//! What the rules cost: each decision about a task, and what its log amounts to.

use gungraun::{library_benchmark, library_benchmark_group};
use taskyard_task::decide::{NewTask, Rules, submit};
use taskyard_task::{Decision, Entry, Header, Input, Seq, TaskView, decide};

use crate::limits::{self, about};
use crate::sample::{self, NOW, Task};

#[library_benchmark]
#[bench::of_a_short_message(
    args = (1),
    setup = sample::new_task,
    config = about(limits::DECIDE_SUBMISSION)
)]
fn decide_submission(new: NewTask) -> Decision {
    submit(NOW, new)
}

#[library_benchmark]
#[bench::of_a_line(
    args = (5),
    setup = line,
    config = about(limits::DECIDE_LINE)
)]
fn decide_effect((rules, header, input): Case) -> Decision {
    decide(&rules, NOW, &header, input).expect("the task allows it")
}

#[library_benchmark]
#[bench::as_completed(
    args = (5),
    setup = end,
    config = about(limits::DECIDE_END)
)]
fn decide_end((rules, header, input): Case) -> Decision {
    decide(&rules, NOW, &header, input).expect("the task allows it")
}

#[library_benchmark]
#[bench::of_100_entries(
    args = (),
    setup = log,
    config = about(limits::FOLD_LOG)
)]
fn fold_log(log: Vec<(Seq, Entry)>) -> TaskView {
    TaskView::fold(log)
}

library_benchmark_group!(
    name = deciding,
    benchmarks = [decide_submission, decide_effect, decide_end, fold_log]
);

/// What `decide` is asked.
type Case = (Rules, Header, Input);

fn line(lines: usize) -> Case {
    let header = Task::written(1, lines).header;
    (sample::rules(), header, sample::write(lines))
}

fn end(lines: usize) -> Case {
    let header = Task::written(1, lines).header;
    (sample::rules(), header, sample::complete())
}

fn log() -> Vec<(Seq, Entry)> {
    Task::completed().log
}

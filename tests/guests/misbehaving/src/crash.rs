//! Stops in ways that no worker should.

use std::hint::black_box;

use taskyard_sdk::prelude::*;

use crate::Args;

pub(crate) fn endless_loop(_: &Task, _: &Args) -> Result<Outcome> {
    let mut steps: u64 = 0;
    loop {
        steps = black_box(steps.wrapping_add(1));
    }
}

pub(crate) fn stack_overflow(_: &Task, _: &Args) -> Result<Outcome> {
    Ok(Outcome::completed_with(depth_below(0).to_string()))
}

/// Does something with the result, or the compiler would make a loop of it.
fn depth_below(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX {
        return depth;
    }
    black_box(depth_below(depth + 1)) + 1
}

pub(crate) fn trap(_: &Task, _: &Args) -> Result<Outcome> {
    panic!("told to panic");
}

pub(crate) fn abort(_: &Task, _: &Args) -> Result<Outcome> {
    std::process::abort();
}

pub(crate) fn exit(_: &Task, args: &Args) -> Result<Outcome> {
    std::process::exit(i32::try_from(args.number(0)).unwrap_or(1));
}

pub(crate) fn after_emissions(task: &Task, args: &Args) -> Result<Outcome> {
    for emission in 1..=args.number(0) {
        task.progress_note(&format!("emission {emission}"))?;
    }
    panic!("told to panic after emissions");
}

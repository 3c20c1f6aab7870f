//! Produces more than anybody wants.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use taskyard_sdk::prelude::*;

use crate::{Args, told};

const MIB: usize = 1 << 20;
/// How often `event-flood` calls again after it was refused.
const CALLS_AFTER_REFUSAL: usize = 1_000;
const LOG_LINES: usize = 100_000;
const LOG_LINE_BYTES: usize = 10_000_000;
const MESSAGE_MIB: u64 = 64;
const PRINTED_BYTES: usize = 1_000_000;

pub(crate) fn events(task: &Task, _: &Args) -> Result<Outcome> {
    while task.progress_note("flood").is_ok() {}

    let mut answers = BTreeMap::new();
    for _ in 0..CALLS_AFTER_REFUSAL {
        let answer = told(task.progress_note("flood"));
        *answers.entry(answer).or_insert(0_usize) += 1;
    }
    let answers: Vec<String> = answers
        .iter()
        .map(|(answer, count)| format!("{count} x {answer}"))
        .collect();
    Ok(Outcome::completed_with(answers.join("\n")))
}

pub(crate) fn events_ignoring(task: &Task, _: &Args) -> Result<Outcome> {
    loop {
        let _ = task.progress_note("flood");
    }
}

pub(crate) fn log(task: &Task, _: &Args) -> Result<Outcome> {
    for line in 0..LOG_LINES {
        task.log().field("line", line).info("flood");
    }
    task.log().warn(&"x".repeat(LOG_LINE_BYTES));
    Ok(Outcome::completed())
}

pub(crate) fn artifact(task: &Task, _: &Args) -> Result<Outcome> {
    let mut artifact = task.artifact("huge").open()?;
    let chunk = "x".repeat(MIB);
    loop {
        artifact.append(chunk.as_str())?;
    }
}

pub(crate) fn message(task: &Task, args: &Args) -> Result<Outcome> {
    let bytes = size(args.number_or(0, MESSAGE_MIB)).saturating_mul(MIB);
    let answer = told(task.say("x".repeat(bytes)));
    Ok(Outcome::completed_with(answer))
}

pub(crate) fn stdio(task: &Task, _: &Args) -> Result<Outcome> {
    let text = vec![b'x'; PRINTED_BYTES];
    std::io::stdout().write_all(&text)?;
    std::io::stderr().write_all(&text)?;
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input)?;
    task.artifact("stdin")
        .put(format!("{} bytes", input.len()))?;
    Ok(Outcome::completed())
}

pub(crate) fn chunks(task: &Task, args: &Args) -> Result<Outcome> {
    let chunk = "x".repeat(size(args.number(1)));
    let mut artifact = task.artifact("chunks").open()?;
    for _ in 0..args.number(0) {
        artifact.append(chunk.as_str())?;
    }
    artifact.close()?;
    Ok(Outcome::completed())
}

/// More than there are addresses is as good as all of them.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

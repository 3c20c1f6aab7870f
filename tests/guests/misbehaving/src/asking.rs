//! Asks more than people like, and talks while it waits.

use std::io::Write;

use taskyard_sdk::prelude::*;

use crate::Args;

pub(crate) fn ask(task: &Task, args: &Args) -> Result<Outcome> {
    let mut answers = task.artifact("answers").open()?;
    for question in 1..=args.number(0) {
        let answer = task.ask(format!("question {question}"))?;
        answers.append(format!("{}\n", answer.text()))?;
    }
    answers.close()?;
    Ok(Outcome::completed())
}

/// Tells the operator something before and after each question, in every way that there is.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the test is about what a worker prints"
)]
pub(crate) fn talk(task: &Task, args: &Args) -> Result<Outcome> {
    for number in 1..=args.number(0) {
        task.log().info(&format!("logged {number}"));
        println!("printed {number}");
        eprint!("begun {number},");
        task.ask(format!("question {number}"))?;
        eprintln!(" ended {number}");
    }
    print!("never ended");
    std::io::stdout().flush()?;
    Ok(Outcome::completed())
}

//! Asks more than people like.

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

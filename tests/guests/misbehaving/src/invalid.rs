//! Makes calls that are wrong.

use taskyard_sdk::prelude::*;

use crate::{Args, told};

pub(crate) fn part(task: &Task, _: &Args) -> Result<Outcome> {
    let answer = told(task.say(part_with_broken_metadata()));
    Ok(Outcome::completed_with(answer))
}

pub(crate) fn calls(task: &Task, _: &Args) -> Result<Outcome> {
    let artifact = |id: &str| task.artifact(id);
    let _first = artifact("twice").open()?;
    let answers = [
        ("progress 101", task.progress(101, "too far")),
        ("say nothing", task.say(Vec::new())),
        ("say bad part", task.say(part_with_broken_metadata())),
        ("ask nothing", task.ask(Vec::new()).map(drop)),
        ("put nothing", artifact("empty").put(Vec::new())),
        ("put without id", artifact("").put("x")),
        ("put long id", artifact(&"x".repeat(129)).put("x")),
        (
            "put bad part",
            artifact("bad").put(part_with_broken_metadata()),
        ),
        ("put bad spec", artifact("bad").metadata(&[1])?.put("x")),
        ("open twice", artifact("twice").open().map(drop)),
        ("close without chunk", artifact("hollow").open()?.close()),
        ("put an open one", artifact("twice").put("x")),
    ];
    let lines: Vec<String> = answers
        .into_iter()
        .map(|(call, result)| format!("{call}: {}", told(result)))
        .collect();
    Ok(Outcome::completed_with(lines.join("\n")))
}

fn part_with_broken_metadata() -> Part {
    let mut part = Part::text("fine");
    part.metadata = Some("{not json".to_owned());
    part
}

//! A worker that has its work done by an agent of another host.
//!
//! The message is `URL TEXT`: the text goes to the agent there, and what it leaves is passed on. `leave URL
//! TEXT` does not wait for it.

use taskyard_sdk::prelude::*;

#[derive(Debug)]
struct Delegating;

impl Worker for Delegating {
    fn describe() -> Manifest {
        let version = env!("CARGO_PKG_VERSION");
        let skill = Skill::new("delegate", "Delegate", "Lets others do it.");
        Manifest::new("delegating", version, "Has its work done elsewhere.").skill(skill)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        let text = input.text();
        match text.strip_prefix("leave ") {
            Some(rest) => {
                child(rest)?.detached().start()?;
                Ok(Outcome::completed_with("left alone"))
            }
            None => pass_on(task, child(&text)?.run()?),
        }
    }
}

fn child(text: &str) -> Result<children::Child> {
    let (url, text) = text.split_once(' ').or_fail("bad-input", "URL TEXT")?;
    Ok(children::remote(url).message(text))
}

fn pass_on(task: &Task, end: ChildEnd) -> Result<Outcome> {
    for artifact in &end.artifacts {
        task.artifact(&artifact.id).put(artifact.text())?;
    }
    Ok(Outcome::completed_with(format!(
        "{:?}: {}",
        end.state,
        end.text()
    )))
}

taskyard_sdk::export!(Delegating);

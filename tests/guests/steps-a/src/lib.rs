//! Version 1.0.0 of a worker in steps: after two of them it breaks, always at the same place.
//!
//! The message says how: `pause` fails so that an operator must look at it, until another message is there;
//! anything else panics.

use taskyard_sdk::prelude::*;

#[derive(Debug)]
struct Steps;

impl Worker for Steps {
    fn describe() -> Manifest {
        let skill = Skill::new("steps", "Steps", "Takes two steps of three.");
        Manifest::new("steps", "1.0.0", "Works in steps.").skill(skill)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        task.progress(33, "one")?;
        task.progress(66, "two")?;
        if input.text() != "pause" {
            panic!("step three is broken");
        }
        match task.next_message()? {
            Some(message) => Ok(Outcome::completed_with(message.text())),
            None => Err(Error::paused("needs-somebody", "somebody must look at it")),
        }
    }
}

taskyard_sdk::export!(Steps);

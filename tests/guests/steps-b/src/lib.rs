//! Version 1.1.0 of a worker in steps: it takes the third one, too.
//!
//! The message says whether it does the first two as version 1.0.0 did: `renamed` does the second one
//! differently, `shorter` leaves it out and ends, `worse` breaks behind the first.

use taskyard_sdk::prelude::*;

#[derive(Debug)]
struct Steps;

impl Worker for Steps {
    fn describe() -> Manifest {
        let skill = Skill::new("steps", "Steps", "Takes all three steps.");
        Manifest::new("steps", "1.1.0", "Works in steps.").skill(skill)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        task.progress(33, "one")?;
        match input.text().as_str() {
            "renamed" => task.progress(66, "another two")?,
            "shorter" => return Ok(Outcome::completed()),
            "worse" => panic!("step two is broken now"),
            _ => task.progress(66, "two")?,
        }
        task.progress(99, "three")?;
        Ok(Outcome::completed_with("all three"))
    }
}

taskyard_sdk::export!(Steps);

//! Describes itself with an invalid name, a version that is no SemVer, and two skills of the same id.

use taskyard_sdk::prelude::*;

#[derive(Debug)]
struct Liar;

impl Worker for Liar {
    fn describe() -> Manifest {
        Manifest::new("../Evil Name", "newest", "Breaks the rules of a manifest.")
            .skill(Skill::new("twin", "First twin", "Shares its id."))
            .skill(Skill::new("twin", "Second twin", "Shares its id."))
    }

    fn run(_: &Task, _: Message) -> Result<Outcome> {
        Ok(Outcome::completed_with(
            "this plugin should not have been loaded",
        ))
    }
}

taskyard_sdk::export!(Liar);

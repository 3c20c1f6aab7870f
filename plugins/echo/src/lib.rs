//! Echo says what it is told: the smallest useful worker.
//!
//! It shows the two ways to answer: an artifact of a task, which is where results belong, and a
//! direct message, for answers that need no task. Send `/reply hello` to get the second.

use taskyard_sdk::prelude::*;

/// A message that begins with this is answered directly.
const REPLY_COMMAND: &str = "/reply ";

#[derive(Debug)]
struct Echo;

impl Worker for Echo {
    fn describe() -> Manifest {
        let repeat = Skill::new("echo", "Echo", "Gives back the message it was sent.")
            .tag("demo")
            .example("hello")
            .example("/reply hello");
        Manifest::new("echo", env!("CARGO_PKG_VERSION"), "Says what it is told.").skill(repeat)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        if let Some(answer) = direct_answer(&input) {
            return Ok(Outcome::reply(answer));
        }
        // The parts go back unchanged, files included: they are moved, not copied.
        task.artifact("echo").put(input.parts)?;
        Ok(Outcome::completed())
    }
}

fn direct_answer(input: &Message) -> Option<&str> {
    let answer = input
        .parts
        .first()?
        .as_text()?
        .strip_prefix(REPLY_COMMAND)?;
    (!answer.is_empty()).then_some(answer)
}

taskyard_sdk::export!(Echo);

#[cfg(test)]
mod tests {
    use taskyard_sdk::testing::{Event, Host};

    use super::*;

    #[test]
    fn gives_back_every_part_in_one_artifact() {
        let parts = vec![Part::text("hello"), Part::bytes([1, 2]).filename("two.bin")];
        let run = Host::new()
            .message(parts.clone())
            .run_with_crashes::<Echo>();

        let id = "echo".to_owned();
        assert_eq!(run.events, [Event::Put { id, parts }]);
        assert!(run.is_completed());
    }

    #[test]
    fn replies_directly_when_asked_to() {
        let run = Host::new().message("/reply hello").run::<Echo>();

        assert_eq!(run.events, []);
        assert_eq!(run.outcome(), Some(&Outcome::reply("hello")));
    }

    #[test]
    fn a_reply_without_content_is_an_ordinary_message() {
        let run = Host::new().message("/reply ").run::<Echo>();
        assert_eq!(run.artifact_text("echo").as_deref(), Some("/reply "));
    }
}

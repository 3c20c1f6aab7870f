//! A worker that does durable things in numbers, for benchmarks and tests of scale.
//!
//! The message says what: `steps N` (N journaled calls), `entries N` (N journaled calls, a question, and
//! then the end), `sleep MS`, `child AGENT TEXT` (starts a child and waits for it), `ask`.

use std::time::Duration;

use taskyard_sdk::prelude::*;

#[derive(Debug)]
struct Durable;

impl Worker for Durable {
    fn describe() -> Manifest {
        let version = env!("CARGO_PKG_VERSION");
        let skill = Skill::new("do", "Do", "Does what it is told.");
        Manifest::new("durable", version, "Does durable things in numbers.").skill(skill)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        let text = input.text();
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        match word {
            "steps" => steps(rest.parse()?)?,
            "entries" => {
                steps(rest.parse()?)?;
                task.ask("go on?")?;
            }
            "sleep" => wait::sleep(Duration::from_millis(rest.parse()?))?,
            "ask" => {
                task.ask("?")?;
            }
            "child" => {
                let (agent, text) = rest
                    .split_once(' ')
                    .or_fail("bad-input", "child AGENT TEXT")?;
                children::agent(agent).message(text).start()?.take()?.ok()?;
            }
            other => return Ok(Outcome::rejected(format!("{other} is no word of mine"))),
        }
        Ok(Outcome::completed())
    }
}

fn steps(count: u64) -> Result<()> {
    for step in 0..count {
        memo("step", &step, || step * 2)?;
    }
    Ok(())
}

taskyard_sdk::export!(Durable);

#[cfg(test)]
mod tests {
    use taskyard_sdk::testing::Host;

    use super::*;

    #[test]
    fn does_what_it_is_told() {
        for text in ["steps 3", "sleep 50", "entries 2"] {
            let host = Host::new().message(text).answer("yes");
            assert!(host.run_with_crashes::<Durable>().is_completed(), "{text}");
        }
    }
}

//! A worker that does durable things in numbers, for benchmarks and tests of scale.
//!
//! The message says what: `steps N` (N journaled calls), `entries N` (N journaled calls, a question, and
//! then the end), `count` (counts in its state, asks, and counts again), `sleep MS`, `child AGENT TEXT` (starts a child and waits for it), `children N AGENT TEXT`
//! (starts N of them and waits for all), `ask`, `tell N` (asks, and streams N chunks), `auth` (asks for
//! credentials and says how long they are), `auth-within MS` (waits that long for credentials, and then for a
//! message), `hear N` (takes N messages).

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
            "count" => return count(task),
            "auth" => {
                let answer = task.ask_for_auth("a token, please")?;
                let length = answer.text().len();
                return Ok(Outcome::completed_with(format!("{length} bytes")));
            }
            "auth-within" => {
                let question = task.ask_for_auth_later("a token, please")?;
                let patience = Duration::from_millis(rest.parse()?);
                match question.within(patience)? {
                    Some(_) => return Ok(Outcome::completed_with("with a token")),
                    None => question.cancel()?,
                }
                task.messages().take()?;
                return Ok(Outcome::completed_with("without a token"));
            }
            "hear" => hear(task, rest.parse()?)?,
            "child" => family(1, rest)?,
            "children" => {
                let (count, child) = rest.split_once(' ').or_fail("bad-input", CHILDREN)?;
                family(count.parse()?, child)?;
            }
            "tell" => {
                task.ask("?")?;
                tell(task, rest.parse()?)?;
            }
            other => return Ok(Outcome::rejected(format!("{other} is no word of mine"))),
        }
        Ok(Outcome::completed())
    }
}

/// What `children` is followed by.
const CHILDREN: &str = "N AGENT TEXT";

/// Counts itself, and asks before it counts again.
fn count(task: &Task) -> Result<Outcome> {
    let count_on = |n: Option<u64>| n.unwrap_or(0) + 1;
    let first: u64 = state::task().update("n", count_on)?;
    task.ask("?")?;
    let second = state::task().update("n", count_on)?;
    Ok(Outcome::completed_with(format!("{first}, {second}")))
}

fn family(count: usize, child: &str) -> Result<()> {
    let (agent, text) = child.split_once(' ').or_fail("bad-input", CHILDREN)?;
    let start = |_| children::agent(agent).message(text).start();
    let started: Vec<_> = (0..count).map(start).collect::<Result<_, _>>()?;
    for child in started {
        child.take()?.ok()?;
    }
    Ok(())
}

fn tell(task: &Task, count: usize) -> Result<()> {
    let mut chunks = task.artifact("told").open()?;
    for _ in 0..count {
        chunks.append("sixteen letters.")?;
    }
    Ok(chunks.close()?)
}

fn hear(task: &Task, count: usize) -> Result<()> {
    let mut heard = Vec::new();
    while heard.len() < count {
        // Both ways to hear, so that neither overtakes the other.
        let message = match task.next_message()? {
            Some(message) => message,
            None => task.messages().take()?,
        };
        heard.push(message.text());
    }
    task.artifact("heard").put(heard.join("\n"))?;
    Ok(())
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
        for text in [
            "steps 3",
            "sleep 50",
            "entries 2",
            "auth",
            "hear 0",
            "tell 3",
        ] {
            let host = Host::new().message(text).answer("yes");
            assert!(host.run_with_crashes::<Durable>().is_completed(), "{text}");
        }
    }

    #[test]
    fn gives_up_a_question_and_hears() {
        let host = Host::new().message("auth-within 100");
        let host = host.follow_up_at(Duration::from_secs(1), "go on");
        let run = host.run_with_crashes::<Durable>();
        assert_eq!(run.final_text().as_deref(), Some("without a token"));

        let host = Host::new().message("hear 2");
        let host = host.follow_up_after(1, "one").follow_up_after(1, "two");
        let run = host.run_with_crashes::<Durable>();
        assert_eq!(run.artifact_text("heard").as_deref(), Some("one\ntwo"));
    }
}

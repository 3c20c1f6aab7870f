//! Pipeline gives jobs to other agents and joins what they leave.
//!
//! It shows a parent with children. Each child is a task of its own, which clients can look at; it is started once,
//! however often the parent is run. A cancel of the parent reaches the children by itself.
//!
//! `jobs` reads the message, `fan_out` keeps the children going, `joined` writes the one artifact.

mod fan_out;
mod jobs;
mod joined;

use taskyard_sdk::prelude::*;

/// Children at once unless the operator sets `at_once`.
const DEFAULT_AT_ONCE: usize = 4;
/// More at once would not end sooner: they share one host.
const MAX_AT_ONCE: usize = 32;

#[derive(Debug)]
struct Pipeline;

impl Worker for Pipeline {
    fn describe() -> Manifest {
        let fan_out = Skill::new(
            "fan-out",
            "Share out work",
            "Takes one job per line, `agent: text`, and joins the results in that order.",
        )
        .tag("demo")
        .tag("multi-agent")
        .example("echo: good morning\necho: good night");
        let version = env!("CARGO_PKG_VERSION");
        Manifest::new("pipeline", version, "Shares out work among agents.").skill(fan_out)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        let jobs = match task.config().get::<Vec<String>>("agents")? {
            Some(agents) => jobs::for_each(&agents, &input),
            None => jobs::listed(input),
        };
        let jobs = match jobs {
            Ok(jobs) => jobs,
            Err(reason) => return Ok(Outcome::rejected(reason)),
        };
        let at_once: usize = task.config().get_or("at_once", DEFAULT_AT_ONCE)?;
        fan_out::run(task, jobs, at_once.clamp(1, MAX_AT_ONCE))
    }
}

taskyard_sdk::export!(Pipeline);

#[cfg(test)]
mod tests;

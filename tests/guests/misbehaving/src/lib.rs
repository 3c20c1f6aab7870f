//! Misbehaves in the way it is asked to.
//!
//! The first text of the message names a behaviour, numbers may follow: `chunks 100 16`. Each module
//! holds one kind of misbehaviour; the contract of each behaviour is in the table below, and in the
//! manifest as a skill.

mod asking;
mod cancel;
mod clock;
mod crash;
mod ending;
mod flood;
mod invalid;
mod memory;

use taskyard_sdk::prelude::*;

/// A name, its contract, and the function that keeps it.
type Behaviour = (
    &'static str,
    &'static str,
    fn(&Task, &Args) -> Result<Outcome>,
);

const BEHAVIOURS: &[Behaviour] = &[
    (
        "endless-loop",
        "Computes for ever without a call.",
        crash::endless_loop,
    ),
    (
        "stack-overflow",
        "Recurses without an end.",
        crash::stack_overflow,
    ),
    (
        "trap",
        "Panics with the message `told to panic`.",
        crash::trap,
    ),
    ("abort", "Aborts without a message.", crash::abort),
    ("exit", "CODE: leaves the process.", crash::exit),
    (
        "panic-after-emissions",
        "N: reports progress N times, then panics.",
        crash::after_emissions,
    ),
    (
        "memory-bomb",
        "Allocates until refused, and aborts.",
        memory::bomb,
    ),
    (
        "memory-hog",
        "Allocates until refused, then says how many MiB it got.",
        memory::hog,
    ),
    (
        "event-flood",
        "Reports progress until refused, goes on for 1000 calls, says what it was told.",
        flood::events,
    ),
    (
        "event-flood-ignoring",
        "Reports progress for ever, whatever it is told.",
        flood::events_ignoring,
    ),
    (
        "log-flood",
        "Logs 100000 lines and one line of 10 MB.",
        flood::log,
    ),
    (
        "huge-artifact",
        "Appends chunks of 1 MiB until refused, then fails with the refusal.",
        flood::artifact,
    ),
    (
        "huge-message",
        "[MIB]: says 64 MiB at once, or so many, then says what it was told.",
        flood::message,
    ),
    (
        "stdin-stdout",
        "Prints 1 MB to stdout and to stderr, reads stdin to its end.",
        flood::stdio,
    ),
    (
        "chunks",
        "N SIZE: streams N chunks of SIZE bytes of text into one artifact.",
        flood::chunks,
    ),
    (
        "ignores-cancel",
        "Reports progress every 10 ms for ever, without a look at cancel.",
        cancel::ignores,
    ),
    (
        "calls-after-stop",
        "Waits for a cancel, then reports and talks for ever.",
        cancel::calls_after_stop,
    ),
    (
        "sleep",
        "MS: sleeps that long, then puts the span it measured.",
        clock::sleep,
    ),
    (
        "spin-ready",
        "Reads the clock until 5 ms passed, then puts the number of reads.",
        clock::spin,
    ),
    (
        "random-divergence",
        "Puts random values, the time and a hash order, asks, and puts them again.",
        clock::divergence,
    ),
    (
        "ask",
        "N: asks N times, streams the answers into one artifact.",
        asking::ask,
    ),
    (
        "talk",
        "Tells the operator something before and after each question.",
        asking::talk,
    ),
    (
        "bad-part",
        "Says a part whose metadata is no JSON, then says what it was told.",
        invalid::part,
    ),
    (
        "bad-calls",
        "Makes every kind of wrong call, then lists what it was told.",
        invalid::calls,
    ),
    ("permanent", "Fails for good.", ending::permanent),
    (
        "transient",
        "Fails, and asks for another try, each time.",
        ending::transient,
    ),
    (
        "transient-after",
        "MS: fails, and asks for another try after that span, each time.",
        ending::transient_after,
    ),
    ("reject", "Rejects the task.", ending::reject),
    ("reply", "Answers directly.", ending::reply),
];

#[derive(Debug)]
struct Misbehaving;

impl Worker for Misbehaving {
    fn describe() -> Manifest {
        let version = env!("CARGO_PKG_VERSION");
        let manifest = Manifest::new("misbehaving", version, "Misbehaves as it is asked to.");
        BEHAVIOURS
            .iter()
            .fold(manifest, |manifest, (name, contract, _)| {
                manifest.skill(Skill::new(*name, *name, *contract))
            })
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        let text = input.text();
        let mut words = text.split_whitespace();
        let asked_for = words.next().unwrap_or_default();
        let (_, _, behave) = BEHAVIOURS
            .iter()
            .find(|(name, _, _)| *name == asked_for)
            .or_fail("unknown-behaviour", asked_for)?;
        behave(task, &Args::parse(words))
    }
}

taskyard_sdk::export!(Misbehaving);

/// The numbers after the name of a behaviour.
struct Args(Vec<u64>);

impl Args {
    fn parse<'w>(words: impl Iterator<Item = &'w str>) -> Self {
        Self(words.map_while(|word| word.parse().ok()).collect())
    }

    /// The number at `index`, or 1.
    fn number(&self, index: usize) -> u64 {
        self.number_or(index, 1)
    }

    /// The number at `index`, or `default`.
    fn number_or(&self, index: usize, default: u64) -> u64 {
        self.0.get(index).copied().unwrap_or(default)
    }
}

/// What a refused call was told, in words.
fn told(result: Result<(), OpError>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests;

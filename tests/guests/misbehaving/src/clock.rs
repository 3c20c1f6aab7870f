//! Looks at clocks, random numbers and hash orders, and shows what it saw.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests prove that the host makes the ambient clocks harmless"
)]

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

use taskyard_sdk::prelude::*;

use crate::Args;

/// How long `spin-ready` waits without sleeping.
const SPIN: Duration = Duration::from_millis(5);
/// Enough keys that two different seeds hardly ever give the same order.
const KEYS: u32 = 16;

pub(crate) fn sleep(task: &Task, args: &Args) -> Result<Outcome> {
    let start = Instant::now();
    task.sleep(Duration::from_millis(args.number(0)))?;
    let slept = start.elapsed().as_millis();
    task.artifact("slept").put(format!("{slept} ms"))?;
    Ok(Outcome::completed())
}

pub(crate) fn spin(task: &Task, _: &Args) -> Result<Outcome> {
    let start = Instant::now();
    let mut reads: u64 = 1;
    while start.elapsed() < SPIN {
        reads += 1;
    }
    task.artifact("spun").put(format!("{reads} reads"))?;
    Ok(Outcome::completed())
}

/// If a replay saw other values, its first artifact would differ from the one in the log.
pub(crate) fn divergence(task: &Task, _: &Args) -> Result<Outcome> {
    let seen = observations()?;
    task.artifact("before").put(seen.as_str())?;
    task.ask("Go on?")?;
    task.artifact("after").put(seen)?;
    Ok(Outcome::completed())
}

/// Everything in the standard library that differs from run to run.
fn observations() -> Result<String> {
    let keys: HashMap<u32, ()> = (0..KEYS).map(|key| (key, ())).collect();
    let order: Vec<&u32> = keys.keys().collect();
    let random = RandomState::new().hash_one("seed");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.or_fail("clock", "the clock is before 1970")?.as_nanos();
    Ok(format!("order {order:?}\nrandom {random}\nnow {now}"))
}

//! Feeds what reads bytes of others with bytes that nobody would send: `fuzz SECONDS [SEED [TARGET]]`.
//!
//! It changes the files of a corpus at random, from a seed, and needs nothing but a stable compiler. What
//! breaks a target is left in `fuzz/findings/TARGET`; move it into the corpus with the mend.

mod mutate;

use std::fs;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use taskyard_api::fuzzing as api;
use taskyard_broker::fuzzing as broker;
use taskyard_delegate::fuzzing as delegate;
use taskyard_engine::fuzzing as engine;
use taskyard_storage::fuzzing as storage;

/// A function that takes any bytes.
type Target = fn(&[u8]);

/// The targets, by the names of their corpora.
const TARGETS: [(&str, Target); 9] = [
    ("envelope", api::envelope),
    ("request", api::request),
    ("metadata", api::metadata),
    ("token", broker::token),
    ("card", delegate::card),
    ("component", engine::component),
    ("record", storage::record),
    ("key", storage::key),
    ("wal", storage::wal),
];

/// How many inputs run between two looks at the clock.
const ROUND: usize = 1_000;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().unwrap_or_else(|| "60".to_owned()).parse();
    let seed = arguments.next().unwrap_or_else(|| "1".to_owned()).parse();
    let (seconds, seed) = (seconds.context("seconds")?, seed.context("seed")?);
    let wanted = arguments.next();
    let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    ensure!(
        TARGETS.iter().any(|(name, _)| is_wanted(name)),
        "there is no such target"
    );
    for (name, target) in TARGETS.into_iter().filter(|(name, _)| is_wanted(name)) {
        fuzz(name, target, Duration::from_secs(seconds), seed)?;
    }
    Ok(())
}

fn fuzz(name: &str, target: Target, most: Duration, seed: u64) -> anyhow::Result<()> {
    let corpus = read(&folder("corpus", name))?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (begun, mut count) = (now(), 0_u64);
    while begun.elapsed() < most {
        for _ in 0..ROUND {
            let input = mutate::input(&corpus, &mut random);
            if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
                let file = keep(name, &input)?;
                bail!("{name} broke on {}", file.display());
            }
            count += 1;
        }
    }
    writeln!(io::stdout(), "{name}: {count} inputs, seed {seed}")?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long it runs changes nothing of what it does"
)]
fn now() -> Instant {
    Instant::now()
}

fn folder(kind: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(name)
}

/// The files of a corpus, in an order that does not change.
fn read(folder: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let files = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let files: io::Result<Vec<_>> = files.map(|file| Ok(file?.path())).collect();
    let mut files = files?;
    files.sort();
    let read: io::Result<Vec<_>> = files.iter().map(fs::read).collect();
    Ok(read?)
}

fn keep(name: &str, input: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = folder("findings", name);
    fs::create_dir_all(&folder)?;
    let file = folder.join("input");
    fs::write(&file, input)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpora_break_nothing() {
        for (name, target) in TARGETS {
            let files = read(&folder("corpus", name)).unwrap();
            assert!(!files.is_empty(), "{name}");
            for file in files {
                target(&file);
            }
        }
    }
}

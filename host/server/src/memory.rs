//! How much memory requests and answers may hold, as the operator says, or as the machine has it.

use std::fs;

use crate::config::MemoryConfig;

/// The part of the machine's memory that is the budget if nothing is said: workers and the store need theirs.
const PART: u64 = 4;
/// Where the machine cannot be asked.
const UNKNOWN_MACHINE: u64 = 2 << 30;
/// Requests of the largest size must fit in, whatever the machine.
const LEAST: u64 = 128 << 20;

/// The budget in bytes.
pub(crate) fn budget(config: &MemoryConfig) -> u64 {
    config.budget_bytes.unwrap_or_else(|| {
        let here = available().unwrap_or(UNKNOWN_MACHINE);
        (here / PART).max(LEAST)
    })
}

/// What the machine has, or what a container may have of it.
pub(crate) fn available() -> Option<u64> {
    let limits = [machine(), limit_of_group()];
    limits.into_iter().flatten().min()
}

/// All memory of the machine.
fn machine() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// What a container may have. "max" is no limit, and no number either.
fn limit_of_group() -> Option<u64> {
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?;
    limit.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_says_counts_and_else_a_part_of_the_machine() {
        let said = MemoryConfig {
            budget_bytes: Some(LEAST),
        };
        assert_eq!(budget(&said), LEAST);
        let guessed = budget(&MemoryConfig::default());
        assert!(guessed >= LEAST);
        assert!(machine().is_none_or(|all| guessed <= (all / PART).max(LEAST)));
    }
}

//! On what machine figures were measured.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::read;

/// Where the figures were measured: figures of two machines never share a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Logical processors that the kernel offers.
    pub(crate) cores: usize,
    /// Memory, rounded to GiB.
    pub(crate) memory_gib: u64,
    /// The kernel's release, such as `6.12.9`.
    pub(crate) kernel: String,
    /// The processor's model, as it calls itself.
    pub(crate) cpu: String,
}

impl Machine {
    pub(super) fn here() -> Result<Self> {
        Ok(Self::described(
            &read(Path::new("/proc/cpuinfo"))?,
            &read(Path::new("/proc/meminfo"))?,
            &read(Path::new("/proc/sys/kernel/osrelease"))?,
        ))
    }

    pub(super) fn described(cpuinfo: &str, meminfo: &str, osrelease: &str) -> Self {
        const KIB_IN_GIB: u64 = 1 << 20;
        let kib = entries(meminfo, "MemTotal")
            .find_map(|total| total.trim_end_matches(" kB").parse::<u64>().ok());
        let cpu = entries(cpuinfo, "model name").next();
        Self {
            cores: entries(cpuinfo, "processor").count(),
            memory_gib: (kib.unwrap_or(0) + KIB_IN_GIB / 2) / KIB_IN_GIB,
            kernel: osrelease.trim().to_owned(),
            cpu: cpu.unwrap_or("unknown processor").to_owned(),
        }
    }
}

/// The values of all lines `key: value`.
fn entries<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(move |(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

//! What the machine has, compared with what the configuration asks of it.

use std::path::Path;

use taskyard_storage::file_system;

use crate::config::Config;
use crate::descriptors::{self, Budget};
use crate::findings::Findings;
use crate::memory;

/// Raises the limit of open files and divides it; tells what the machine does not have.
pub(super) fn look(config: &Config, findings: &mut Findings) -> Budget {
    let limit = descriptors::raise();
    if let Some(few) = descriptors::few(limit) {
        findings.warning(few);
    }
    look_at_memory(config.memory.budget_bytes, memory::available(), findings);
    look_at_disk(config, findings);
    Budget::of(limit)
}

fn look_at_memory(wanted: Option<u64>, available: Option<u64>, findings: &mut Findings) {
    if let (Some(wanted), Some(available)) = (wanted, available)
        && wanted > available
    {
        findings.warning(format!(
            "memory.budget_bytes: is {wanted}, and the machine or its container has {available} bytes of memory; \
             the system may end the host before it refuses work"
        ));
    }
}

fn look_at_disk(config: &Config, findings: &mut Findings) {
    let existing = config.data_dir.ancestors().find(|above| above.is_dir());
    let Ok((free, total)) = file_system(existing.unwrap_or(Path::new("."))) else {
        return;
    };
    if let Some(reserve) = config.storage.reserve_bytes.filter(|most| *most > free) {
        findings.warning(format!(
            "storage.reserve_bytes: is {reserve}, and the file system of the data folder has {free} bytes left; \
             new work is refused until there is room"
        ));
    }
    if let Some(most) = config.storage.max_bytes.filter(|most| *most > total) {
        findings.warning(format!(
            "storage.max_bytes: is {most}, and the file system of the data folder has {total} bytes in all"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_beyond_the_machine_is_told() {
        for (wanted, available, told) in [
            (None, Some(1), 0),
            (Some(2), None, 0),
            (Some(2), Some(2), 0),
            (Some(3), Some(2), 1),
        ] {
            let mut findings = Findings::default();
            look_at_memory(wanted, available, &mut findings);
            assert_eq!(findings.warnings.len(), told, "{wanted:?} {available:?}");
        }
    }

    #[test]
    fn a_reserve_beyond_the_disk_is_told() {
        let mut config = Config::default();
        config.storage.reserve_bytes = Some(u64::MAX);
        config.storage.max_bytes = Some(u64::MAX);
        let mut findings = Findings::default();
        look_at_disk(&config, &mut findings);
        assert_eq!(findings.warnings.len(), 2, "{findings:?}");
    }
}

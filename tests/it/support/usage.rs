//! What a host uses of the machine, as the system counts it.

use std::fs;

use super::Host;

impl Host {
    /// Bytes of memory that it has resident now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.status_number("VmRSS:") << 10
    }

    /// The most bytes of memory that it ever had resident.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.status_number("VmHWM:") << 10
    }

    /// Threads that it has now.
    pub(crate) fn threads(&self) -> u64 {
        self.status_number("Threads:")
    }

    /// Descriptors that it has open now.
    pub(crate) fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.id());
        fs::read_dir(folder).unwrap().count()
    }

    /// The processes that it has started and that have not ended.
    pub(crate) fn children(&self) -> Vec<u32> {
        let processes = fs::read_dir("/proc").unwrap();
        let names = processes.filter_map(|process| process.ok()?.file_name().into_string().ok());
        let ids = names.filter_map(|name| name.parse().ok());
        let own = u64::from(self.id());
        ids.filter(|id| number_in_status(*id, "PPid:") == Some(own))
            .collect()
    }

    fn status_number(&self, field: &str) -> u64 {
        number_in_status(self.id(), field).unwrap()
    }
}

/// A number that the system tells of a process, if there is one.
pub(crate) fn number_in_status(process: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

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

    fn status_number(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let number = line.unwrap().split_whitespace().next().unwrap();
        number.parse().unwrap()
    }
}

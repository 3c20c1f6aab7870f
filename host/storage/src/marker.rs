//! The marker: which commits were acknowledged, kept outside of the database.
//!
//! What is lost at the end of the last write-ahead log, or with a whole file, leaves no trace in the database.
//! So the number of the last commit of each partition is also written to a small file of its own, after
//! each group and before anybody is told of it. It is not synced each time, which would double the cost of
//! a commit: it survives the end of the process, and a power failure takes back at most what the system
//! had not written by itself yet (some 30 seconds). So it may lag, and never runs ahead of a synced log.
//!
//! Two slots take turns, so one that is torn leaves the other.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crc32c::crc32c;
use taskyard_task::Partition;

/// Its name in the data folder.
const FILE: &str = "marker";
const MAGIC: &[u8; 8] = b"TYMARK\0\x01";
/// Each slot has a page of its own.
const SLOT: u64 = 4_096;
/// Those that hold tasks, and the host's own.
const PARTITIONS: usize = Partition::COUNT as usize + 1;
/// Magic, turn, sequence number, the last commits, checksum.
const BYTES: usize = 8 + 8 + 8 + PARTITIONS * 8 + 4;

/// What was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The sequence number of the database.
    pub(crate) sequence: u64,
    /// The last commit of each partition.
    pub(crate) last: [u64; PARTITIONS],
}

impl Default for Acknowledged {
    fn default() -> Self {
        Self {
            sequence: 0,
            last: [0; PARTITIONS],
        }
    }
}

impl Acknowledged {
    pub(crate) fn set(&mut self, partition: Partition, number: u64) {
        let index = usize::from(partition.number()).min(PARTITIONS - 1);
        if let Some(last) = self.last.get_mut(index) {
            *last = number;
        }
    }

    /// How many commits `found` lacks.
    pub(crate) fn lost_in(&self, found: &Self) -> u64 {
        let pairs = self.last.iter().zip(&found.last);
        pairs.map(|(told, found)| told.saturating_sub(*found)).sum()
    }

    /// How many commits there are.
    pub(crate) fn commits(&self) -> u64 {
        self.last.iter().sum()
    }
}

/// The file, open for writing.
#[derive(Debug)]
pub(crate) struct Marker {
    file: File,
    turn: u64,
    has_failed: bool,
}

/// What the file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no file: an earlier version wrote the folder, or nobody did.
    Nothing,
    /// It cannot be read.
    Damaged,
    /// This, written in its turn.
    Told(u64, Box<Acknowledged>),
}

impl Found {
    /// The turn in which it was written last, and what it tells.
    pub(crate) fn into_told(self) -> (u64, Acknowledged) {
        match self {
            Self::Told(turn, told) => (turn, *told),
            Self::Nothing | Self::Damaged => (0, Acknowledged::default()),
        }
    }
}

/// Reads the marker of a data folder.
///
/// # Errors
/// What the system says.
pub(crate) fn read(folder: &Path) -> io::Result<Found> {
    let bytes = match std::fs::read(path(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        read => read?,
    };
    let slots = [0, SLOT as usize].map(|at| bytes.get(at..).and_then(decode));
    let newest = slots.into_iter().flatten().max_by_key(|(turn, _)| *turn);
    Ok(match newest {
        Some((turn, told)) => Found::Told(turn, Box::new(told)),
        None => Found::Damaged,
    })
}

pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

impl Marker {
    /// Writes a marker that says this, and keeps it open.
    pub(crate) fn start(folder: &Path, turn: u64, told: &Acknowledged) -> io::Result<Self> {
        let mut options = File::options();
        options.create(true).truncate(false).write(true).mode(0o600);
        let mut marker = Self {
            file: options.open(path(folder))?,
            turn,
            has_failed: false,
        };
        for _ in 0..2 {
            marker.put(told)?;
        }
        marker.file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(marker)
    }

    /// Writes what was acknowledged. Without it the host only knows less about a later damage, so it goes on.
    pub(crate) fn write(&mut self, told: &Acknowledged) {
        let result = self.put(told);
        if let Err(error) = &result
            && !self.has_failed
        {
            tracing::warn!(%error, "cannot write the marker of the data folder; a loss could go unnoticed");
        }
        self.has_failed = result.is_err();
    }

    fn put(&mut self, told: &Acknowledged) -> io::Result<()> {
        self.turn += 1;
        let slot = (self.turn % 2) * SLOT;
        self.file.write_all_at(&encode(self.turn, told), slot)
    }
}

fn encode(turn: u64, told: &Acknowledged) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend(MAGIC);
    bytes.extend(turn.to_be_bytes());
    bytes.extend(told.sequence.to_be_bytes());
    bytes.extend(told.last.iter().flat_map(|last| last.to_be_bytes()));
    let checksum = crc32c(&bytes);
    bytes.extend(checksum.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u64, Acknowledged)> {
    let (checked, checksum) = bytes.get(..BYTES)?.split_last_chunk::<4>()?;
    let numbers = checked.strip_prefix(MAGIC)?;
    if crc32c(checked) != u32::from_be_bytes(*checksum) {
        return None;
    }
    let (numbers, _) = numbers.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|bytes| u64::from_be_bytes(*bytes));
    let turn = numbers.next()?;
    let mut told = Acknowledged {
        sequence: numbers.next()?,
        ..Acknowledged::default()
    };
    for last in &mut told.last {
        *last = numbers.next()?;
    }
    Some((turn, told))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn told(number: u64) -> Acknowledged {
        let mut told = Acknowledged {
            sequence: number,
            ..Acknowledged::default()
        };
        told.last[3] = number;
        told
    }

    #[test]
    fn the_newest_slot_that_can_be_read_counts() {
        let folder = TempDir::new().unwrap();
        assert_eq!(read(folder.path()).unwrap(), Found::Nothing);
        let mut marker = Marker::start(folder.path(), 0, &told(1)).unwrap();
        for number in 2..5 {
            marker.write(&told(number));
            match read(folder.path()).unwrap() {
                Found::Told(_, found) => assert_eq!(*found, told(number)),
                other => panic!("{other:?}"),
            }
        }
        let mut bytes = std::fs::read(path(folder.path())).unwrap();
        let slot = usize::try_from((marker.turn % 2) * SLOT).unwrap();
        bytes[slot + 20] ^= 1;
        std::fs::write(path(folder.path()), &bytes).unwrap();
        match read(folder.path()).unwrap() {
            Found::Told(_, found) => assert_eq!(*found, told(3)),
            other => panic!("{other:?}"),
        }
        std::fs::write(path(folder.path()), &bytes[..10]).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Found::Damaged);
    }

    #[test]
    fn what_is_lost_is_counted() {
        assert_eq!(told(7).lost_in(&told(4)), 3);
        assert_eq!(told(4).lost_in(&told(7)), 0);
    }
}

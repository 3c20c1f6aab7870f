//! Reads RocksDB's write-ahead logs without the database, to tell a torn end from damage in the middle.
//!
//! RocksDB replays its logs up to the first record that it cannot read, and drops the rest without a word.
//! That is right for what was being written when the machine stopped: nobody was told of it. But a record
//! is begun only once all before it are on the disk and acknowledged. So if a record begins after one that
//! cannot be read, acknowledged commits are lost.
//!
//! The format (`db/log_format.h` of RocksDB): blocks of 32 KiB, each a sequence of fragments with a header
//! of seven bytes: masked CRC-32C, length, type. A record begins with its sequence number and its count.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crc32c::crc32c;

const BLOCK: u64 = 32 << 10;
const HEADER: usize = 7;
/// What a record begins with: its first sequence number, and how many it takes.
const HEAD: usize = 12;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// What the logs of a database hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The first place that cannot be read.
    pub(crate) damage: Option<Damage>,
    /// How many records begin after it.
    pub(crate) records_after: u64,
    /// The last sequence number that was certainly acknowledged, as far as the logs tell.
    pub(crate) acknowledged: u64,
    /// Whether a record is missing between two that are there.
    pub(crate) has_gap: bool,
    /// The sequence number that the next record must have.
    next: Option<u64>,
    /// The beginning of the record that is being read.
    head: Option<Vec<u8>>,
}

/// A place in a log that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
}

struct Fragment<'a> {
    kind: u8,
    payload: &'a [u8],
}

/// Reads all write-ahead logs in the folder of a database.
///
/// # Errors
/// What the system says.
pub(crate) fn scan(folder: &Path) -> io::Result<Scan> {
    let mut scan = Scan::default();
    for path in logs(folder)? {
        let mut file = File::open(&path)?;
        scan.read(&path, &mut file)?;
    }
    Ok(scan)
}

/// The write-ahead logs in the folder of a database, oldest first.
///
/// # Errors
/// What the system says.
pub(crate) fn logs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str());
        let number = number.and_then(|stem| stem.parse::<u64>().ok());
        if let Some(number) = number
            && path.extension().is_some_and(|is| is == "log")
        {
            logs.push((number, path));
        }
    }
    logs.sort();
    Ok(logs.into_iter().map(|(_, path)| path).collect())
}

impl Scan {
    /// Reads one log.
    pub(crate) fn read(&mut self, path: &Path, log: &mut impl Read) -> io::Result<()> {
        let mut block = Vec::new();
        let mut offset = 0;
        loop {
            block.clear();
            log.by_ref().take(BLOCK).read_to_end(&mut block)?;
            if block.is_empty() {
                break;
            }
            self.block(path, offset, &block);
            offset += block.len() as u64;
        }
        if self.head.is_some() {
            self.damaged(path, offset);
        }
        Ok(())
    }

    fn block(&mut self, path: &Path, offset: u64, block: &[u8]) {
        let mut at = 0;
        while let Some(rest) = block.get(at..)
            && !is_padding(rest)
        {
            match fragment(rest) {
                Some(fragment) => {
                    at += HEADER + fragment.payload.len();
                    self.fragment(path, offset + at as u64, &fragment);
                }
                None => {
                    self.damaged(path, offset + at as u64);
                    // Lengths cannot be believed any more.
                    let next = (at + 1..block.len()).find(|at| {
                        let rest = block.get(*at..);
                        rest.and_then(fragment).is_some()
                    });
                    at = next.unwrap_or(block.len());
                }
            }
        }
    }

    fn fragment(&mut self, path: &Path, end: u64, fragment: &Fragment<'_>) {
        let begins = matches!(fragment.kind, FULL | FIRST);
        if begins {
            if self.head.is_some() {
                // The record before has no end.
                self.damaged(path, end - (HEADER + fragment.payload.len()) as u64);
            }
            self.head = Some(Vec::new());
        }
        // Without its beginning, the rest of a record tells nothing. Other kinds are no records.
        let (FULL | FIRST | MIDDLE | LAST, Some(mut head)) = (fragment.kind, self.head.take())
        else {
            return;
        };
        let lacks = HEAD.saturating_sub(head.len());
        let is_known = lacks == 0;
        head.extend(fragment.payload.iter().take(lacks));
        let numbers = read_head(&head);
        if let Some((first, _)) = numbers
            && !is_known
        {
            self.begun(first);
        }
        match (fragment.kind, numbers) {
            (FULL | LAST, Some((first, count))) => {
                let next = first.saturating_add(u64::from(count));
                self.acknowledged = self.acknowledged.max(next.saturating_sub(1));
                self.next = Some(next);
            }
            (FULL | LAST, None) => self.damaged(path, end),
            _ => self.head = Some(head),
        }
    }

    /// A record begins, so all before it was acknowledged.
    fn begun(&mut self, first: u64) {
        self.acknowledged = self.acknowledged.max(first.saturating_sub(1));
        self.has_gap |= self.next.is_some_and(|next| next != first);
        self.records_after += u64::from(self.damage.is_some());
    }

    fn damaged(&mut self, path: &Path, offset: u64) {
        self.head = None;
        self.damage.get_or_insert_with(|| Damage {
            file: path.to_owned(),
            offset,
        });
    }
}

/// What a block ends with, and what a file has that was made longer in advance.
fn is_padding(rest: &[u8]) -> bool {
    rest.iter().all(|byte| *byte == 0)
}

/// The fragment at the beginning of `bytes`, if it is whole.
fn fragment(bytes: &[u8]) -> Option<Fragment<'_>> {
    let (checksum, rest) = bytes.split_first_chunk::<4>()?;
    let (length, checked) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_le_bytes(*length));
    let checked = checked.get(..=length)?;
    let (kind, payload) = checked.split_first()?;
    let is_whole = is_known(*kind) && masked(crc32c(checked)) == u32::from_le_bytes(*checksum);
    is_whole.then_some(Fragment {
        kind: *kind,
        payload,
    })
}

/// The kinds that RocksDB writes. Asked before a checksum is computed, since any place may be tried.
fn is_known(kind: u8) -> bool {
    matches!(kind, 1..=11 | 130 | 131)
}

fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

fn read_head(head: &[u8]) -> Option<(u64, u32)> {
    let (first, rest) = head.split_first_chunk::<8>()?;
    let count = rest.first_chunk::<4>()?;
    Some((u64::from_le_bytes(*first), u32::from_le_bytes(*count)))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A log of records with so many sequence numbers and bytes each, and where each record begins.
    fn log(records: &[(u32, usize)]) -> (Vec<u8>, Vec<usize>) {
        let (mut log, mut begins, mut first) = (Vec::new(), Vec::new(), 1_u64);
        for (count, bytes) in records {
            let mut record = first.to_le_bytes().to_vec();
            record.extend(count.to_le_bytes());
            record.extend(std::iter::repeat_n(0xaa, *bytes));
            first += u64::from(*count);
            begins.push(write(&mut log, &record));
        }
        (log, begins)
    }

    /// As `log_writer.cc` does.
    fn write(log: &mut Vec<u8>, record: &[u8]) -> usize {
        let (mut rest, mut begin) = (record, None);
        loop {
            let room = BLOCK as usize - log.len() % BLOCK as usize;
            if room < HEADER {
                log.extend(std::iter::repeat_n(0, room));
                continue;
            }
            let (payload, after) = rest.split_at(rest.len().min(room - HEADER));
            let kind = match (begin.is_none(), after.is_empty()) {
                (true, true) => FULL,
                (true, false) => FIRST,
                (false, false) => MIDDLE,
                (false, true) => LAST,
            };
            begin.get_or_insert(log.len());
            let mut checked = vec![kind];
            checked.extend(payload);
            log.extend(masked(crc32c(&checked)).to_le_bytes());
            log.extend((payload.len() as u16).to_le_bytes());
            log.extend(checked);
            rest = after;
            if rest.is_empty() {
                return begin.unwrap();
            }
        }
    }

    fn scanned(log: &[u8]) -> Scan {
        let mut scan = Scan::default();
        scan.read(Path::new("1.log"), &mut { log }).unwrap();
        scan
    }

    #[test]
    fn a_whole_log_has_no_damage() {
        let (log, _) = log(&[(1, 10), (3, 40_000), (2, 100_000), (1, 0)]);
        let scan = scanned(&log);
        assert_eq!((scan.damage, scan.acknowledged), (None, 7));
        assert!(!scan.has_gap);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn a_torn_log_has_nothing_after_the_tear(
            records in proptest::collection::vec((1_u32..5, 0_usize..40_000), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let (log, begins) = log(&records);
            let cut = cut.index(log.len());
            let scan = scanned(&log[..cut]);
            prop_assert_eq!(scan.records_after, 0);
            let ends = begins.iter().skip(1).copied().chain([log.len()]);
            let whole = ends.take_while(|end| *end <= cut).count();
            let counts: u32 = records[..whole].iter().map(|(count, _)| count).sum();
            prop_assert_eq!(scan.acknowledged, u64::from(counts));
        }

        #[test]
        fn a_flipped_bit_is_found_and_what_begins_after_it_is_counted(
            records in proptest::collection::vec((1_u32..5, 0_usize..40_000), 2..8),
            at in any::<prop::sample::Index>(),
            bit in 0..8,
        ) {
            let (mut log, begins) = log(&records);
            let at = at.index(log.len());
            log[at] ^= 1_u8 << bit;
            let scan = scanned(&log);
            let damage = scan.damage.clone();
            prop_assert!(damage.is_some_and(|damage| damage.offset <= at as u64 + HEADER as u64));
            let after = begins.iter().filter(|begin| **begin > at).count() as u64;
            prop_assert!(scan.records_after >= after, "{scan:?} {after}");
        }

        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..1_000)) {
            scanned(&bytes);
        }
    }

    #[test]
    fn a_record_that_was_cut_out_leaves_a_gap() {
        let (mut log, begins) = log(&[(1, 10), (1, 10), (1, 10)]);
        log.drain(begins[1]..begins[2]);
        let scan = scanned(&log);
        assert!(scan.has_gap && scan.damage.is_none(), "{scan:?}");
    }
}

//! What is stored comes back as it was: every record of every table, and what hosts would replicate.

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde::Serialize;
use serde::de::DeserializeOwned;
use taskyard_task::commit::{DeliveryState, Remembered};
use taskyard_task::{
    Agent, ApiKey, Commit, Entry, Event, Expected, Header, Letter, LightEntry, Outline, Plugin,
    PushConfig, RemoteChild, StateCall, StatePlace, StateResult, StateScope, Stored, TaskView,
    Timestamp,
};

use super::arbitrary::{self, Seen};
use crate::count::{Counter, Number, Tally};
use crate::read::WorkItem;
use crate::record;
use crate::table::Table;
use crate::usage::Usage;

/// Checks a record of this table that `bytes` decide. What has no record is a key, checked in `key.rs`, or
/// bytes that are stored as they are.
fn check(table: Table, bytes: &[u8], seen: &mut Seen) {
    match table {
        Table::Log => {
            same::<Entry>(bytes, seen);
            same::<LightEntry>(bytes, seen);
        }
        Table::Content => same::<Entry>(bytes, seen),
        Table::Header => same::<Header>(bytes, seen),
        Table::Snapshot => same::<TaskView>(bytes, seen),
        Table::Outline => same::<Outline>(bytes, seen),
        Table::Work => same::<WorkItem>(bytes, seen),
        Table::Delivery => same::<DeliveryState>(bytes, seen),
        Table::PushConfig => same::<PushConfig>(bytes, seen),
        Table::Idempotency => same::<Remembered>(bytes, seen),
        Table::State => same::<Stored>(bytes, seen),
        Table::StateExpiry => same::<(StatePlace, String)>(bytes, seen),
        Table::Letter => same::<Letter>(bytes, seen),
        Table::Remote => same::<RemoteChild>(bytes, seen),
        Table::Plugin => same::<Plugin>(bytes, seen),
        Table::Agent => same::<Agent>(bytes, seen),
        Table::ApiKey => same::<ApiKey>(bytes, seen),
        Table::Count => same_counter::<Number>(bytes),
        Table::Tally => same_counter::<Tally>(bytes),
        Table::Usage => same_counter::<Usage>(bytes),
        Table::Meta
        | Table::Index
        | Table::Ended
        | Table::Timer
        | Table::Parked
        | Table::InFlight
        | Table::Outbox
        | Table::TaskKey
        | Table::Component => {}
    }
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8], seen: &mut Seen) {
    if let Some(value) = arbitrary::value::<T>(bytes, seen) {
        let written = record::encode(&value).unwrap();
        let read: T = record::decode(&written).unwrap();
        assert_eq!(read, value);
    }
}

fn same_counter<T: Counter + Debug>(bytes: &[u8]) {
    let counter = T::from_row(bytes);
    assert_eq!(T::from_row(&counter.to_row()), counter);
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..1_024)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_record_comes_back_as_it_was(bytes in bytes()) {
        for table in Table::ALL {
            check(table, &bytes, &mut Seen::default());
        }
    }

    #[test]
    fn every_commit_comes_back_as_it_was(bytes in bytes()) {
        same::<Commit>(&bytes, &mut Seen::default());
    }

    /// Format 3 wrote every entry as this version does, apart from what a write to state expects.
    #[test]
    fn every_entry_of_format_3_is_read(bytes in bytes()) {
        if let Some(entry) = arbitrary::value::<Entry>(&bytes, &mut Seen::default()) {
            let read: Entry = record::decode(&format_3::encode(&entry)).unwrap();
            prop_assert_eq!(read, format_3::known_of(entry));
        }
    }

    /// Format 3 wrote every header as this version does, without its last field.
    #[test]
    fn every_header_of_format_3_is_read(bytes in bytes()) {
        if let Some(header) = arbitrary::value::<Header>(&bytes, &mut Seen::default()) {
            let header = Header { told: 0, ..header };
            let read: Header = record::decode(&format_3::encode_header(&header)).unwrap();
            prop_assert_eq!(read, header);
        }
    }
}

/// The values above are only as good as this: no variant of any enum within them is never made.
#[test]
fn every_variant_is_tried() {
    let mut seen = Seen::default();
    let mut runner = TestRunner::deterministic();
    let cases = bytes();
    for _ in 0..4_000 {
        let bytes = cases.new_tree(&mut runner).unwrap().current();
        for table in Table::ALL {
            check(table, &bytes, &mut seen);
        }
        same::<Commit>(&bytes, &mut seen);
    }
    assert!(seen.offered.contains(&("Event", "State")));
    let missing: BTreeSet<_> = seen.offered.difference(&seen.made).collect();
    assert!(missing.is_empty(), "never made: {missing:?}");
}

/// How entries were written until format 3.
mod format_3 {
    use super::*;

    #[derive(Serialize)]
    struct OldEntry {
        at: Timestamp,
        event: OldEvent,
    }

    #[derive(Serialize)]
    enum OldEvent {
        State { call: OldCall, result: StateResult },
    }

    #[derive(Serialize)]
    enum OldCall {
        Put {
            scope: StateScope,
            key: String,
            value: Option<serde_bytes::ByteBuf>,
            ttl_ms: Option<u64>,
            expected: Option<Option<u64>>,
        },
    }

    pub(super) fn encode(entry: &Entry) -> Vec<u8> {
        let Entry { at, event } = entry.clone();
        let Event::State { call, result } = event else {
            return record::encode(entry).unwrap();
        };
        let StateCall::Put {
            scope,
            key,
            value,
            ttl_ms,
            expected,
        } = *call
        else {
            return record::encode(entry).unwrap();
        };
        let call = OldCall::Put {
            scope,
            key,
            value,
            ttl_ms,
            expected: match expected {
                Expected::Anything | Expected::Unsaid => None,
                Expected::Nothing => Some(None),
                Expected::Version(version) => Some(Some(version)),
            },
        };
        let event = OldEvent::State { call, result };
        record::encode(&OldEntry { at, event }).unwrap()
    }

    /// `header`, whose last field must be a 0.
    pub(super) fn encode_header(header: &Header) -> Vec<u8> {
        let mut bytes = record::encode(header).unwrap();
        // After the version: an array, its length in two bytes, its items.
        let [_, 0xdc, 0, length, .., 0] = bytes.as_mut_slice() else {
            panic!("a header is written as an array that ends with a 0");
        };
        *length -= 1;
        bytes.pop();
        bytes
    }

    /// What such a record still tells of an entry.
    pub(super) fn known_of(mut entry: Entry) -> Entry {
        if let Event::State { call, .. } = &mut entry.event
            && let StateCall::Put { expected, .. } = &mut **call
            && !matches!(expected, Expected::Version(_))
        {
            *expected = Expected::Unsaid;
        }
        entry
    }
}

/// Recorded with format 3: `update` of a key that was not there, a plain write, a swap of version 7.
#[test]
fn recorded_entries_of_format_3_replay() {
    let recorded = |expected: &[u8]| {
        let head = b"\x01\x92\x05\x81\xa5State\x92\x81\xa3Put\x95\xa4Task\xa1n\xc4\x011\xc0";
        [head, expected, b"\x81\xa7Written\x01"].concat()
    };
    let did = |expected| Event::State {
        call: Box::new(StateCall::Put {
            scope: StateScope::Task,
            key: "n".to_owned(),
            value: Some(b"1".to_vec().into()),
            ttl_ms: None,
            expected,
        }),
        result: StateResult::Written(0),
    };
    let all = [
        Expected::Anything,
        Expected::Nothing,
        Expected::Version(7),
        Expected::Version(6),
    ];
    let (nil, seven): (&[u8], &[u8]) = (b"\xc0", b"\x07");
    for (bytes, repeats) in [
        (nil, [true, true, false, false]),
        (seven, [false, false, true, false]),
    ] {
        let entry: Entry = record::decode(&recorded(bytes)).unwrap();
        assert_eq!(entry.at, Timestamp(5));
        assert_eq!(all.map(|it| entry.event.is_same_call(&did(it))), repeats);
    }
}

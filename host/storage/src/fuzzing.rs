//! Where `fuzz/` reaches what reads bytes of others: functions that take anything, must not panic, and
//! check what must hold. The corpus of each is walked by an ordinary test there.

use std::path::Path;

use taskyard_task::entry::Entry;
use taskyard_task::{Agent, Header, LightEntry, Outline, TaskView};

use crate::wal::Scan;
use crate::{key, record};

/// A record of any table.
///
/// # Panics
/// If what was read cannot be written, or is something else when it is read again.
pub fn record(bytes: &[u8]) {
    check::<Entry>(bytes);
    check::<Header>(bytes);
    check::<TaskView>(bytes);
    check::<LightEntry>(bytes);
    check::<Outline>(bytes);
    check::<Agent>(bytes);
}

/// What is read has one form on the disk from then on.
fn check<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) {
    let Ok(read) = record::decode::<T>(bytes) else {
        return;
    };
    let written = record::encode(&read).ok();
    let again = written.as_deref().map(record::decode::<T>);
    let again = again.and_then(Result::ok);
    let again = again.and_then(|again| record::encode(&again).ok());
    assert!(written.is_some() && written == again, "a record changed");
}

/// A key of any table.
///
/// # Panics
/// If a key is read as something that is written as another one.
pub fn key(bytes: &[u8]) {
    if let Some((_, due, task)) = key::read_timer(bytes) {
        let written = key::timer(due, task);
        // The partition is part of the task's id.
        assert_eq!(bytes.get(1..written.len()), written.get(1..));
    }
    if let Some((since, task)) = key::read_parked(bytes) {
        assert!(bytes.starts_with(&key::parked(since, task)));
    }
    if let Some(lane) = key::read_lane(bytes) {
        let written = key::lane(lane.task, &lane.config);
        assert_eq!(bytes.get(1..written.len()), written.get(1..));
    }
    if let Some((tenant, at, task)) = key::read_ended(bytes) {
        assert!(bytes.starts_with(&key::ended_row(&tenant, at, task)));
    }
    let _ = key::read_in_flight(bytes);
    let _ = key::read_outbox_seq(bytes);
    let _ = key::read_idempotency(bytes);
    let _ = key::read_remote(bytes);
    let _ = key::read_task_key(bytes);
    let _ = key::read_index_suffix(bytes);
    let _ = key::read_state_expiry(bytes);
    for place in 0..4 {
        let _ = key::read_state(bytes, place);
    }
}

/// A write-ahead log of the database.
///
/// # Panics
/// If damage is found where there is nothing, or records after no damage.
pub fn wal(mut bytes: &[u8]) {
    let length = bytes.len() as u64;
    let mut scan = Scan::default();
    let read = scan.read(Path::new("000001.log"), &mut bytes);
    assert!(read.is_ok(), "memory can be read");
    match scan.damage {
        Some(damage) => assert!(damage.offset <= length),
        None => assert_eq!(scan.records_after, 0),
    }
}

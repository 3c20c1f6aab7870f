//! What reading costs: no content for those who do not need it, and no rows that are gone.

use taskyard_task::{ArtifactSpec, Change, Entry, Event, LightEntry, StatePlace, Tenant};

use super::*;
use crate::measured::Reading;

const CHUNKS: u64 = 100;
const CHUNK_BYTES: usize = 64 << 10;

fn chunk(seq: u64, bytes: usize) -> Entry {
    let id = "a".to_owned();
    let spec = ArtifactSpec {
        id: id.clone(),
        name: None,
        description: None,
        metadata: None,
    };
    let event = Event::ArtifactAppended {
        id,
        spec: (seq == 2).then_some(spec),
        chunk: Part::text(format!("{seq}{}", "x".repeat(bytes))),
        last: false,
    };
    let at = Timestamp(seq);
    Entry { at, event }
}

/// A task with an artifact of many large chunks.
async fn write_large(storage: &Storage) {
    let task = task_id(1);
    let mut commit = new_task(1);
    let chunks = (2..2 + CHUNKS).map(|seq| Change::Append {
        task,
        seq: Seq(seq),
        entry: chunk(seq, CHUNK_BYTES),
    });
    commit.changes.extend(chunks);
    write(storage, commit).await.unwrap();
}

#[tokio::test]
async fn a_log_without_content_is_read_without_it() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    write_large(&storage).await;
    let reading = Reading::begin();
    let light = storage.light_log(task_id(1), Seq::ZERO, 1_000).unwrap();
    assert_eq!(light.len() as u64, 1 + CHUNKS);
    let bytes = reading.bytes();
    assert!((1..64 << 10).contains(&bytes), "{bytes} bytes were read");

    // A page of whole entries is bounded by what these hold, and not by what their rows in the log do.
    let (mut after, mut pages) = (Seq(1), 0);
    loop {
        let page = storage.log(task_id(1), after, 1_000).unwrap();
        let Some((last, _)) = page.last() else { break };
        (after, pages) = (*last, pages + 1);
        for (seq, entry) in page {
            assert_eq!(entry, chunk(seq.0, CHUNK_BYTES));
            assert_eq!(light[seq.0 as usize - 1].1, LightEntry::of(entry));
        }
    }
    assert_eq!(
        (after, pages),
        (Seq(1 + CHUNKS), CHUNKS.div_ceil(4) as usize),
        "a page has about 256 KiB"
    );
}

#[tokio::test]
async fn only_the_entries_that_are_named_are_read() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    write_large(&storage).await;
    let wanted = [3, 5, 7, 90, 1_000].map(Seq);
    let all = storage.entries(task_id(1), &wanted, usize::MAX).unwrap();
    let expected = [3, 5, 7, 90].map(|seq| (Seq(seq), chunk(seq, CHUNK_BYTES)));
    assert_eq!(all, expected);
    let first = storage
        .entries(task_id(1), &wanted, CHUNK_BYTES + 1)
        .unwrap();
    assert_eq!(first, expected[..1], "as many as were asked for");
}

/// Until format 3, entries had all of their content in the log.
#[tokio::test]
async fn entries_of_format_3_are_read_like_others() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    write(&storage, new_task(1)).await.unwrap();
    let old = chunk(2, CHUNK_BYTES);
    let row = crate::record::encode(&old).unwrap();
    put(&storage, Table::Log, &key::log(task_id(1), Seq(2)), &row);

    let after = Seq(1);
    assert_eq!(
        storage.log(task_id(1), after, 9).unwrap(),
        [(Seq(2), old.clone())]
    );
    let named = storage.entries(task_id(1), &[Seq(2)], usize::MAX).unwrap();
    assert_eq!(named, [(Seq(2), old.clone())]);
    let light = storage.light_log(task_id(1), after, 9).unwrap();
    assert_eq!(light, [(Seq(2), LightEntry::of(old))]);
}

/// Puts a thousand rows, and deletes all but the last.
fn used_up(storage: &Storage, table: Table, key: impl Fn(u64) -> Vec<u8>, value: &[u8]) {
    for number in 1..=1_000 {
        put(storage, table, &key(number), value);
    }
    let tables = storage.tables().unwrap();
    let table = tables.table(table).unwrap();
    for number in 1..1_000 {
        tables.db().delete_cf(table, key(number)).unwrap();
    }
}

fn put(storage: &Storage, table: Table, key: &[u8], value: &[u8]) {
    let tables = storage.tables().unwrap();
    let table = tables.table(table).unwrap();
    tables.db().put_cf(table, key, value).unwrap();
}

/// Queues are rows: their heads move on, and what is gone must not be walked over again and again.
#[tokio::test]
async fn queues_go_on_where_they_were() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let task = task_id(1);
    let tenant: Tenant = "acme".parse().unwrap();
    let place = StatePlace::Task(task);
    let expiry = crate::record::encode(&(&place, "k")).unwrap();
    used_up(
        &storage,
        Table::Outbox,
        |n| key::outbox(task, "hook", Seq(n)),
        &[],
    );
    used_up(
        &storage,
        Table::Timer,
        |n| key::timer(Timestamp(n), task),
        &[],
    );
    used_up(
        &storage,
        Table::Ended,
        |n| key::ended_row(&tenant, Timestamp(n), task),
        &[],
    );
    used_up(
        &storage,
        Table::StateExpiry,
        |n| key::state_expiry(Timestamp(n), &place, "k"),
        &expiry,
    );
    let lane = Lane {
        task,
        config: "hook".to_owned(),
    };

    let reading = Reading::begin();
    let last = Timestamp(1_000);
    assert_eq!(storage.next_due(&lane, Seq(999)).unwrap(), Some(Seq(1_000)));
    let timers = storage
        .timers_after((Timestamp(999), task), last, 10)
        .unwrap();
    assert_eq!(timers, [(last, task)]);
    let ended = storage.ended(&tenant, last, None, 10).unwrap();
    assert_eq!(
        ended,
        [EndedTask {
            ended_at: last,
            task
        }]
    );
    let known = Some((&tenant, last));
    let found = storage.tenant_with_ended(None, known).unwrap();
    assert_eq!(found, Some(tenant.clone()));
    assert_eq!(storage.expired_state(last, last, 10).unwrap().len(), 1);
    assert_eq!(reading.skipped(), 0);

    // Who does not know the head finds the same, and pays for it.
    assert_eq!(
        storage.next_due(&lane, Seq::ZERO).unwrap(),
        Some(Seq(1_000))
    );
    assert_eq!(storage.tenant_with_ended(None, None).unwrap(), Some(tenant));
    assert!(reading.skipped() >= 2 * 999);
}

#[tokio::test]
async fn tenants_that_nothing_is_known_of_are_found_between_the_others() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let tenant = |name: &str| name.parse::<Tenant>().unwrap();
    for name in ["a", "b", "c"] {
        let row = key::ended_row(&tenant(name), Timestamp(50), task_id(1));
        put(&storage, Table::Ended, &row, &[]);
    }
    let (a, b, c) = (tenant("a"), tenant("b"), tenant("c"));
    let at = Timestamp;
    for (behind, known, found) in [
        (None, None, Some(&a)),
        (None, Some((&b, at(50))), Some(&a)),
        (Some(&a), Some((&b, at(50))), Some(&b)),
        // All that `b` had is forgotten.
        (Some(&a), Some((&b, at(51))), Some(&c)),
        (Some(&a), Some((&c, at(9))), Some(&b)),
        (Some(&c), None, None),
    ] {
        assert_eq!(
            storage.tenant_with_ended(behind, known).unwrap().as_ref(),
            found
        );
    }
}

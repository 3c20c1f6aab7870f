//! State of workers: rows, counts, expiry, and what goes with a task.

use std::collections::BTreeMap;

use proptest::prelude::*;
use taskyard_task::commit::StateBefore::{self, Nothing};
use taskyard_task::{Change, StatePlace, Stored};

use super::*;

fn stored(value: &str, expires_at: Option<u64>) -> Stored {
    Stored {
        value: value.as_bytes().to_vec(),
        version: 7,
        expires_at: expires_at.map(Timestamp),
    }
}

fn put(place: &StatePlace, key: &str, before: StateBefore, after: Option<Stored>) -> Change {
    Change::PutState {
        place: place.clone(),
        key: key.to_owned(),
        before,
        after,
    }
}

/// Something that is there for good.
const KEPT: StateBefore = StateBefore::Stored { expires_at: None };

fn expiring(at: u64) -> StateBefore {
    StateBefore::Stored {
        expires_at: Some(Timestamp(at)),
    }
}

fn commit(changes: Vec<Change>) -> Commit {
    Commit::new(Partition::SYSTEM, 1, changes)
}

fn tenant(name: &str) -> StatePlace {
    StatePlace::Tenant(name.parse().unwrap())
}

fn keys(storage: &Storage, place: &StatePlace, prefix: &str, after: Option<&str>) -> Vec<String> {
    let open = storage.tables().unwrap();
    let mut rows = open.state_keys(place, prefix, after).unwrap();
    let mut keys = Vec::new();
    while let Some((key, _)) = rows.next_key().unwrap() {
        keys.push(key);
    }
    keys
}

fn open(folder: &TempDir) -> Storage {
    Storage::open(&config(folder), |_| {}).unwrap()
}

#[tokio::test]
async fn places_do_not_meet() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    let places = [
        StatePlace::Task(task_id(1)),
        StatePlace::Task(task_id(2)),
        StatePlace::Context("a".parse().unwrap(), "c".to_owned()),
        StatePlace::Context("a".parse().unwrap(), "c\0".to_owned()),
        StatePlace::Plugin("a".parse().unwrap(), "echo".parse().unwrap()),
        StatePlace::Plugin("".parse().unwrap(), "a".parse().unwrap()),
        tenant("a"),
        tenant("aa"),
        tenant(""),
    ];
    let changes = places.iter().enumerate();
    let changes =
        changes.map(|(n, place)| put(place, "k", Nothing, Some(stored(&n.to_string(), None))));
    write(&storage, commit(changes.collect())).await.unwrap();
    for (n, place) in places.iter().enumerate() {
        let found = storage.state(place, "k").unwrap().unwrap();
        assert_eq!(found, stored(&n.to_string(), None), "{place:?}");
        assert_eq!(keys(&storage, place, "", None), ["k"], "{place:?}");
        assert_eq!(storage.state_count(place).unwrap(), 1, "{place:?}");
    }
}

#[tokio::test]
async fn keys_are_listed_in_order_by_prefix_and_position() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    let place = tenant("a");
    let all = ["a", "a/", "a/1", "a/10", "a/2", "ä", "b"];
    let changes = all.map(|key| put(&place, key, Nothing, Some(stored("", None))));
    write(&storage, commit(changes.to_vec())).await.unwrap();
    let table: [(&str, Option<&str>, &[&str]); 9] = [
        ("", None, &["a", "a/", "a/1", "a/10", "a/2", "b", "ä"]),
        ("a/", None, &["a/", "a/1", "a/10", "a/2"]),
        ("a/1", None, &["a/1", "a/10"]),
        ("a/", Some("a/1"), &["a/10", "a/2"]),
        ("a/", Some("a/11"), &["a/2"]),
        ("a/", Some("a"), &["a/", "a/1", "a/10", "a/2"]),
        ("a/", Some("b"), &[]),
        ("", Some("b"), &["ä"]),
        ("x", None, &[]),
    ];
    for (prefix, after, expected) in table {
        let found = keys(&storage, &place, prefix, after);
        assert_eq!(found, expected, "{prefix:?} behind {after:?}");
    }
}

#[tokio::test]
async fn an_expiry_follows_its_key() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    let place = tenant("a");
    let expired = |until| {
        let expired = storage
            .expired_state(Timestamp(0), Timestamp(until), 10)
            .unwrap();
        let moments = expired.into_iter().map(|found| (found.moment.0, found.key));
        moments.collect::<Vec<_>>()
    };
    let first = [
        put(&place, "x", Nothing, Some(stored("1", Some(20)))),
        put(&place, "y", Nothing, Some(stored("1", Some(10)))),
        put(&place, "z", Nothing, Some(stored("1", None))),
    ];
    write(&storage, commit(first.to_vec())).await.unwrap();
    assert_eq!(expired(9), []);
    assert_eq!(expired(10), [(10, "y".to_owned())]);
    let second = [
        // The same moment again, another one, and none any more.
        put(&place, "x", expiring(20), Some(stored("2", Some(20)))),
        put(&place, "y", expiring(10), Some(stored("2", None))),
        put(&place, "z", KEPT, Some(stored("2", Some(30)))),
    ];
    write(&storage, commit(second.to_vec())).await.unwrap();
    assert_eq!(expired(99), [(20, "x".to_owned()), (30, "z".to_owned())]);
    let found = storage
        .expired_state(Timestamp(0), Timestamp(99), 1)
        .unwrap();
    assert_eq!(found[0].place, place);
    assert!(storage.is_expiry_kept(&found[0]).unwrap());
    write(&storage, commit(vec![put(&place, "x", expiring(20), None)]))
        .await
        .unwrap();
    assert!(!storage.is_expiry_kept(&found[0]).unwrap());
    assert_eq!(storage.state(&place, "x").unwrap(), None);
    assert_eq!(storage.state_count(&place).unwrap(), 2);
    assert_eq!(expired(99), [(30, "z".to_owned())]);
}

#[tokio::test]
async fn a_task_takes_its_own_state_along() {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    let drop_it = || Change::DropState { task: task_id(1) };
    let (mine, other) = (StatePlace::Task(task_id(1)), StatePlace::Task(task_id(2)));
    let one = |place: &StatePlace, key: usize| {
        put(
            place,
            &format!("k{key:03}"),
            Nothing,
            Some(stored("v", Some(50))),
        )
    };
    // Few keys and many, in earlier batches, in the same one, and in both.
    for (before, within) in [(1, 0), (0, 1), (3, 3), (40, 0), (0, 40), (20, 20), (0, 0)] {
        let case = format!("{before} before, {within} within");
        let earlier = (0..before).map(|key| one(&mine, key)).collect();
        write(&storage, commit(earlier)).await.unwrap();
        assert_eq!(storage.state_count(&mine).unwrap(), before as u64);
        let mut changes = vec![one(&other, 0)];
        changes.extend((before..before + within).map(|key| one(&mine, key)));
        changes.push(drop_it());
        write(&storage, commit(changes)).await.unwrap();
        assert_eq!(keys(&storage, &mine, "", None), [""; 0], "{case}");
        assert_eq!(storage.state_count(&mine).unwrap(), 0, "{case}");
        assert_eq!(keys(&storage, &other, "", None), ["k000"], "{case}");
        // What is left of it goes at its moment, and nothing is counted twice.
        let left = storage
            .expired_state(Timestamp(0), Timestamp(50), 100)
            .unwrap();
        assert_eq!(left.len(), before + within + 1, "{case}");
        let sweep = left
            .iter()
            .map(|found| put(&found.place, &found.key, expiring(50), None));
        write(&storage, commit(sweep.collect())).await.unwrap();
        assert_eq!(
            storage
                .expired_state(Timestamp(0), Timestamp(50), 100)
                .unwrap(),
            []
        );
        assert_eq!(storage.state_count(&mine).unwrap(), 0, "{case}");
        assert_eq!(storage.state_count(&other).unwrap(), 0, "{case}");
    }
    let open = storage.tables().unwrap();
    let mut counts = open.rows(Table::Count, &[0xfe], &[0xfe]).unwrap();
    let count = counts.next().unwrap();
    assert!(count.is_none(), "a place without keys has no row");
}

/// One step of a program: a key of four, and what it becomes: nothing, or something that expires then.
type Step = (usize, Option<Stored>);

fn becomes() -> impl Strategy<Value = Option<Stored>> {
    prop::option::of(prop::option::of(1..4u64).prop_map(|at| stored("v", at)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is written in whichever batches: tables and a map agree.
    #[test]
    fn tables_agree_with_a_map(
        steps in prop::collection::vec((0..4usize, becomes()), 1..40),
        cuts in prop::collection::vec(any::<bool>(), 40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(steps, cuts));
    }
}

async fn check(steps: Vec<Step>, cuts: Vec<bool>) {
    let folder = TempDir::new().unwrap();
    let storage = open(&folder);
    let place = StatePlace::Task(task_id(1));
    let mut model: BTreeMap<String, Stored> = BTreeMap::new();
    let mut changes = Vec::new();
    for ((key, after), cut) in steps.into_iter().zip(cuts) {
        let key = format!("k{key}");
        let before = StateBefore::of(model.get(&key));
        changes.push(put(&place, &key, before, after.clone()));
        match after {
            Some(stored) => model.insert(key, stored),
            None => model.remove(&key),
        };
        if cut {
            write(&storage, commit(std::mem::take(&mut changes)))
                .await
                .unwrap();
        }
    }
    write(&storage, commit(changes)).await.unwrap();
    assert_eq!(
        keys(&storage, &place, "", None),
        model.keys().cloned().collect::<Vec<_>>()
    );
    assert_eq!(storage.state_count(&place).unwrap(), model.len() as u64);
    let mut expiring = model
        .iter()
        .filter_map(|(key, stored)| Some((stored.expires_at?.0, key.clone())))
        .collect::<Vec<_>>();
    expiring.sort();
    let expired = storage
        .expired_state(Timestamp(0), Timestamp(9), 100)
        .unwrap();
    let expired = expired.into_iter().map(|found| (found.moment.0, found.key));
    assert_eq!(expired.collect::<Vec<_>>(), expiring);
    write(
        &storage,
        commit(vec![Change::DropState { task: task_id(1) }]),
    )
    .await
    .unwrap();
    assert_eq!(storage.state_count(&place).unwrap(), 0);
    assert_eq!(keys(&storage, &place, "", None), [""; 0]);
}

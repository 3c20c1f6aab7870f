//! A task that is forgotten leaves nothing, and takes nothing of others along.

use taskyard_task::commit::{DeliveryState, Remembered};
use taskyard_task::{Change, Header, Phase, PushConfig, TaskState, WireVersion};

use super::*;

fn header_of(changes: &mut [Change]) -> &mut Header {
    let header = changes.iter_mut().find_map(|change| match change {
        Change::Header { after, .. } => Some(after),
        _ => None,
    });
    header.unwrap()
}

/// A task that ended with everything that a task can leave.
fn rich(number: u8, entries: u64) -> (Header, Vec<Digest>, Commit) {
    let (task, key) = (task_id(number), Digest::of(&[number]));
    let mut commit = new_task(number);
    let changes = &mut commit.changes;
    let header = header_of(changes);
    header.state = TaskState::Completed;
    header.phase = Phase::Ended;
    header.last = Seq(entries);
    header.push = vec!["hook".to_owned()];
    let header = header.clone();
    let entry = changes.iter().find_map(|change| match change {
        Change::Append { entry, .. } => Some(entry.clone()),
        _ => None,
    });
    let entry = entry.unwrap();
    for seq in 2..=entries {
        let (seq, entry) = (Seq(seq), entry.clone());
        changes.push(Change::Append { task, seq, entry });
    }
    let config = "hook".to_owned();
    changes.extend([
        Change::PutPushConfig {
            task,
            config: Box::new(hook()),
        },
        Change::Notify {
            task,
            config: config.clone(),
            seq: Seq(1),
        },
        Change::DeliveryState {
            task,
            config,
            state: Some(DeliveryState {
                attempts: 9,
                last_error: "no".to_owned(),
                retry_at: None,
            }),
        },
        Change::Outline {
            task,
            outline: Box::default(),
        },
        Change::Remember {
            key,
            submitted: Remembered {
                task,
                seq: Seq(1),
                body: key,
            },
        },
    ]);
    (header, vec![key], commit)
}

fn hook() -> PushConfig {
    PushConfig {
        id: "hook".to_owned(),
        url: "https://example.org".to_owned(),
        token: None,
        scheme: None,
        credentials: None,
        created_at: Timestamp(1),
        on: None,
        version: WireVersion::V1,
    }
}

/// How many rows each table has, the host's own facts aside.
fn rows(storage: &Storage) -> Vec<(&'static str, usize)> {
    let tables = Table::ALL.into_iter().filter(|table| *table != Table::Meta);
    let count = |table: Table| {
        let open = storage.tables().unwrap();
        let mut rows = open.rows(table, &[], &[]).unwrap();
        let mut count = 0;
        while rows.next().unwrap().is_some() {
            count += 1;
        }
        (table.name(), count)
    };
    tables.map(count).filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn a_forgotten_task_leaves_no_row() {
    // Entry by entry, and as a range.
    for entries in [3, 200] {
        let folder = TempDir::new().unwrap();
        let storage = Storage::open(&config(&folder), |_| {}).unwrap();
        write(&storage, rich(1, entries).2).await.unwrap();
        let one = rows(&storage);

        let (header, keys, commit) = rich(2, entries);
        write(&storage, commit).await.unwrap();
        assert_ne!(rows(&storage), one);
        let ended = storage
            .ended(&header.tenant, Timestamp(0), None, 10)
            .unwrap();
        assert_eq!(
            ended.iter().map(|it| it.task).collect::<Vec<_>>(),
            [1, 2].map(task_id)
        );
        assert_eq!(storage.keys_of(header.id).unwrap(), keys);

        let partition = header.id.partition();
        let header = Box::new(header);
        let forget = Commit::new(partition, 1, vec![Change::Forget { header, keys }]);
        write(&storage, forget).await.unwrap();
        assert_eq!(rows(&storage), one);
        assert_eq!(
            storage.log(task_id(1), Seq::ZERO, 10).unwrap().len(),
            entries.min(10) as usize
        );
        assert_eq!(storage.header(task_id(2)).unwrap(), None);
    }
}

#[tokio::test]
async fn ended_tasks_are_found_by_tenant_and_end() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    for (number, tenant) in [(3, "b"), (1, "a"), (2, ""), (5, "a"), (4, "ab")] {
        let (_, _, mut commit) = rich(number, 1);
        header_of(&mut commit.changes).tenant = tenant.parse().unwrap();
        write(&storage, commit).await.unwrap();
    }
    let (mut tenants, mut last) = (Vec::new(), None);
    while let Some(tenant) = storage.tenant_with_ended(last.as_ref(), None).unwrap() {
        tenants.push((tenant.to_string(), storage.count_ended(&tenant).unwrap()));
        last = Some(tenant);
    }
    let expected = [("", 1), ("a", 2), ("ab", 1), ("b", 1)];
    assert_eq!(
        tenants,
        expected.map(|(name, count)| (name.to_owned(), count))
    );

    let tenant = "a".parse().unwrap();
    let first = storage.ended(&tenant, Timestamp(0), None, 1).unwrap();
    assert_eq!(first[0].task, task_id(1));
    let rest = storage
        .ended(&tenant, Timestamp(0), Some(first[0]), 10)
        .unwrap();
    assert_eq!(
        rest.iter().map(|it| it.task).collect::<Vec<_>>(),
        [task_id(5)]
    );
}

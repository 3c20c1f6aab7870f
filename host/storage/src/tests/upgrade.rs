//! Folders of format 2 are brought forward, whatever happens in the middle.

use taskyard_task::{Change, Header, TaskState, Tenant};

use super::*;

/// A task that ended, with an idempotency key; what every format has of it.
fn ended(number: u8) -> Vec<Change> {
    let mut changes = new_task(number).changes;
    for change in &mut changes {
        if let Change::Header { after, .. } = change {
            after.phase = taskyard_task::Phase::Ended;
            after.state = TaskState::Completed;
        }
    }
    changes.push(Change::Remember {
        key: Digest::of(&[number]),
        submitted: taskyard_task::commit::Remembered {
            task: task_id(number),
            seq: Seq(1),
            body: Digest::of(b"body"),
        },
    });
    changes
}

/// What format 2 had instead: an index with the state as its value, and counts of its own.
fn as_format_2(storage: &Storage, headers: &[Header]) {
    let tables = storage.tables().unwrap();
    let (db, table) = (tables.db(), |table| tables.table(table).unwrap());
    for gone in [Table::Index, Table::Tally, Table::Ended, Table::TaskKey] {
        db.delete_range_cf(table(gone), &[][..], &[u8::MAX; 9][..])
            .unwrap();
    }
    for header in headers {
        let digest = Digest::of(header.context_id.as_bytes()).to_bytes();
        for scope in [
            b"a".to_vec(),
            vec![b's', header.state.number()],
            [b"c", &digest[..]].concat(),
        ] {
            let mut key = [b"acme\0echo\0", scope.as_slice()].concat();
            let put = |table, key: &[u8], value: &[u8]| db.put_cf(table, key, value).unwrap();
            put(table(Table::Count), &key, &7_i64.to_be_bytes());
            key.extend_from_slice(&key::index_suffix(header.status_at, header.id));
            put(table(Table::Index), &key, &[header.state.number()]);
        }
    }
    let key = key::ended_count(&"acme".parse().unwrap());
    db.delete_cf(table(Table::Count), key).unwrap();
    set_format(storage, 2);
}

fn set_format(storage: &Storage, format: u32) {
    let tables = storage.tables().unwrap();
    let meta = tables.table(Table::Meta).unwrap();
    let put = tables.db().put_cf(meta, key::FORMAT, format.to_be_bytes());
    put.unwrap();
}

/// Everything that is derived, row by row.
fn derived(storage: &Storage) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
    let tables = [
        Table::Index,
        Table::Tally,
        Table::Count,
        Table::Ended,
        Table::TaskKey,
    ];
    let mut all = Vec::new();
    for table in tables {
        let open = storage.tables().unwrap();
        let mut rows = open.rows(table, &[], &[]).unwrap();
        while let Some((key, value)) = rows.next().unwrap() {
            all.push((table, key.to_vec(), value.to_vec()));
        }
    }
    all
}

#[tokio::test]
async fn a_folder_of_format_2_gets_the_rows_that_it_would_have_today() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    for number in 0..20 {
        let mut commit = new_task(number);
        if number % 3 == 0 {
            commit.changes = ended(number);
        }
        write(&storage, commit).await.unwrap();
    }
    let today = derived(&storage);
    let headers: Vec<_> = (0..20)
        .map(|number| storage.header(task_id(number)).unwrap().unwrap())
        .collect();
    as_format_2(&storage, &headers);
    assert_ne!(derived(&storage), today);
    drop(storage);

    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    assert_eq!(derived(&storage), today);
    let tenant: Tenant = "acme".parse().unwrap();
    assert_eq!(storage.count_ended(&tenant).unwrap(), 7);
    assert_eq!(storage.list(&query(None, 100)).unwrap().total, 20);
    assert_eq!(
        storage.keys_of(task_id(3)).unwrap(),
        [Digest::of(&[3])],
        "what was remembered before is found by its task"
    );

    // As if the host had been killed before it wrote the new number.
    set_format(&storage, 2);
    drop(storage);
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    assert_eq!(derived(&storage), today);

    // It goes on like any other.
    write(&storage, new_task(30)).await.unwrap();
    assert_eq!(storage.list(&query(None, 100)).unwrap().total, 21);
}

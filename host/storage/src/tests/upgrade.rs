//! Folders of older formats are brought forward, whatever happens in the middle.

use taskyard_task::{
    ArtifactSpec, Change, Entry, Event, Header, Outline, Part, TaskState, TaskView, Tenant,
    Timestamp,
};

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
    db.delete_range_cf(table(Table::Usage), &[][..], &[u8::MAX; 9][..])
        .unwrap();
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
        Table::Usage,
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

/// As format 3 had it: entries with all of their content, and a fold whose chunks were one part.
fn as_format_3(storage: &Storage, task: TaskId) {
    let log = storage.log(task, Seq::ZERO, 100).unwrap();
    let reply = storage.header(task_id(2)).unwrap().unwrap();
    let tables = storage.tables().unwrap();
    let put = |table, key: Vec<u8>, row: Vec<u8>| {
        let table = tables.table(table).unwrap();
        tables.db().put_cf(table, key, row).unwrap();
    };
    for (seq, entry) in &log {
        let row = crate::record::encode(entry).unwrap();
        put(Table::Log, key::log(task, *seq), row);
    }
    let mut old = TaskView::fold(log);
    old.artifacts[0].parts.truncate(1);
    let row = crate::record::encode(&old).unwrap();
    put(Table::Snapshot, key::task(task), row);
    let content = tables.table(Table::Content).unwrap();
    let all = (&[][..], &[u8::MAX; 25][..]);
    tables.db().delete_range_cf(content, all.0, all.1).unwrap();
    // Nor did it list those that ended in a direct message.
    let index = tables.table(Table::Index).unwrap();
    tables.db().delete_cf(index, key::reply(&reply)).unwrap();
    drop(tables);
    set_format(storage, 3);
}

/// A task that ended in a direct message.
fn answered(number: u8) -> Commit {
    let mut commit = new_task(number);
    for change in &mut commit.changes {
        if let Change::Header { after, .. } = change {
            after.phase = taskyard_task::Phase::Ended;
            after.state = TaskState::Completed;
            after.announced = false;
        }
    }
    commit
}

/// A task whose log ends with an artifact of these chunks.
fn with_chunks(chunks: &[&str]) -> Commit {
    let mut commit = new_task(1);
    let spec = ArtifactSpec {
        id: "a".to_owned(),
        name: None,
        description: None,
        metadata: None,
    };
    for (chunk, seq) in chunks.iter().zip(2..) {
        let event = Event::ArtifactAppended {
            id: "a".to_owned(),
            spec: (seq == 2).then(|| spec.clone()),
            chunk: Part::text(*chunk),
            last: false,
        };
        commit.changes.push(Change::Append {
            task: task_id(1),
            seq: Seq(seq),
            entry: Entry {
                at: Timestamp(1),
                event,
            },
        });
    }
    commit
}

#[tokio::test]
async fn a_folder_of_format_3_gets_outlines_and_replies() {
    let folder = TempDir::new().unwrap();
    let task = task_id(1);
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let commit = with_chunks(&["small", &"x".repeat(100_000), "more"]);
    write(&storage, commit).await.unwrap();
    write(&storage, answered(2)).await.unwrap();
    let log = storage.log(task, Seq::ZERO, 100).unwrap();
    let mut outline = Outline::default();
    for (seq, entry) in storage.light_log(task, Seq::ZERO, 100).unwrap() {
        outline.apply(&[], seq, entry);
    }
    as_format_3(&storage, task);
    drop(storage);

    for _ in 0..2 {
        let storage = Storage::open(&config(&folder), |_| {}).unwrap();
        assert_eq!(storage.outline(task).unwrap().as_ref(), Some(&outline));
        assert_eq!(storage.log(task, Seq::ZERO, 100).unwrap(), log);
        let (tenant, agent) = ("acme".parse().unwrap(), "echo".parse().unwrap());
        let replies = storage.replies(&tenant, &agent, "c0", 9).unwrap();
        assert_eq!(replies.len(), 1);
        let tables = storage.tables().unwrap();
        let mut left = tables.rows(Table::Snapshot, &[], &[]).unwrap();
        assert!(left.next().unwrap().is_none());
        drop(left);
        drop(tables);
        // As if the host had been killed before it wrote the new number.
        set_format(&storage, 3);
    }
}

/// Every file of a folder, with its bytes.
fn files(folder: &std::path::Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut files = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.append(&mut self::files(&path)),
            false => drop(files.insert(path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    files
}

/// A folder with a task whose format says `format`.
async fn folder_of_format(format: u32) -> TempDir {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    write(&storage, new_task(1)).await.unwrap();
    set_format(&storage, format);
    folder
}

#[tokio::test]
async fn a_folder_of_another_format_is_refused_without_changing_a_byte() {
    for format in [1, 6, 99, u32::MAX] {
        let folder = folder_of_format(format).await;
        let before = files(folder.path());
        let opened = Storage::open(&config(&folder), |_| {}).unwrap_err();
        match (format, &opened) {
            (1, OpenError::OlderFormat { found: 1, .. }) => {}
            (_, OpenError::NewerFormat { found, .. }) => assert_eq!(*found, format),
            _ => panic!("{format}: {opened}"),
        }
        let planned = Storage::plan(&config(&folder)).unwrap_err();
        assert_eq!(planned.to_string(), opened.to_string());
        assert!(files(folder.path()) == before, "{format}");
    }
}

#[tokio::test]
async fn what_an_upgrade_would_do_is_told_without_doing_it() {
    for (format, steps) in [(2, &[3, 4, 5][..]), (3, &[4, 5]), (4, &[5]), (5, &[])] {
        let folder = folder_of_format(format).await;
        let before = files(folder.path());
        let plan = Storage::plan(&config(&folder)).unwrap();
        assert_eq!((plan.found, plan.current), (Some(format), 5));
        assert_eq!((plan.steps.as_slice(), plan.in_use), (steps, false));
        assert!(files(folder.path()) == before, "{format}");
    }

    let nothing = TempDir::new().unwrap();
    let plan = Storage::plan(&config(&nothing)).unwrap();
    assert_eq!((plan.found, plan.steps.len()), (None, 0));
    assert!(files(nothing.path()).is_empty());

    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    write(&storage, new_task(1)).await.unwrap();
    let plan = Storage::plan(&config(&folder)).unwrap();
    assert_eq!((plan.found, plan.in_use), (Some(5), true));
    write(&storage, new_task(2)).await.unwrap();
}

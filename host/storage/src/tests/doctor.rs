//! The doctor: what it says about rows that are wrong, and what is left when it has mended them.

use std::fs;
use std::path::PathBuf;

use rocksdb::DB;

use super::*;
use crate::{Finding, Mending, Report, doctor as room};

const TASKS: u8 = 40;

async fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    for number in 0..TASKS {
        write(&storage, new_task(number)).await.unwrap();
    }
    drop(storage);
    // Once more, so that rows are in tables and not only in the log.
    drop(Storage::open(&config(&folder), |_| {}).unwrap());
    folder
}

fn examine(folder: &TempDir, mend: bool) -> (Report, Vec<Finding>) {
    let mut findings = Vec::new();
    let told = &mut |finding: &Finding| findings.push(finding.clone());
    let report = room::examine(&config(folder), mend, told).unwrap();
    assert!(!folder.path().join("doctor").exists());
    (report, findings)
}

fn tasks_of(folder: &TempDir) -> usize {
    let storage = Storage::open(&config(folder), |_| {}).unwrap();
    let page = storage.list(&query(None, 10_000)).unwrap();
    assert_eq!(page.total, page.tasks.len() as u64);
    assert_eq!(storage.work().unwrap().len(), page.tasks.len());
    for header in &page.tasks {
        let log = storage.log(header.id, Seq::ZERO, 10).unwrap();
        assert_eq!(log.len() as u64, header.last.0);
    }
    page.tasks.len()
}

fn harm(folder: &TempDir, how: impl FnOnce(&DB, &dyn Fn(Table) -> Vec<(Vec<u8>, Vec<u8>)>)) {
    let storage = Storage::open(&config(folder), |_| {}).unwrap();
    let tables = storage.tables().unwrap();
    let rows = |table: Table| {
        let rows = tables.table(table).unwrap();
        let rows = tables.db().iterator_cf(rows, rocksdb::IteratorMode::Start);
        rows.map(|row| row.unwrap())
            .map(|(key, value)| (key.into_vec(), value.into_vec()))
            .collect()
    };
    how(tables.db(), &rows);
}

fn column(db: &DB, table: Table) -> &rocksdb::ColumnFamily {
    db.cf_handle(table.name()).unwrap()
}

#[tokio::test]
async fn a_sound_folder_is_only_looked_at() {
    let folder = folder().await;
    let files = || {
        let files = fs::read_dir(folder.path().join("db")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    };
    let before = files();
    for mend in [false, true] {
        let (report, findings) = examine(&folder, mend);
        assert_eq!((report.wrong, report.tasks, report.kept), (0, 40, None));
        assert_eq!(findings, []);
        assert_eq!(files(), before);
    }
    let _storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let told = &mut |_: &Finding| {};
    let refused = room::examine(&config(&folder), false, told);
    assert!(matches!(refused, Err(OpenError::InUse(_))), "{refused:?}");
}

#[test]
fn a_folder_that_is_none_is_not_made() {
    let folder = TempDir::new().unwrap();
    let told = &mut |_: &Finding| {};
    let refused = room::examine(&config(&folder), true, told);
    assert!(
        matches!(refused, Err(OpenError::System { .. })),
        "{refused:?}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn whatever_follows_from_records_is_missed_and_made_anew() {
    const TABLES: [Table; 6] = [
        Table::Index,
        Table::Tally,
        Table::Count,
        Table::Usage,
        Table::Work,
        Table::InFlight,
    ];
    type Harm = fn(&DB, Table, (Vec<u8>, Vec<u8>));
    let harms: [(&str, Harm); 3] = [
        ("it is missing", |db, table, (key, _)| {
            db.delete_cf(column(db, table), key).unwrap();
        }),
        ("nothing that is there", |db, table, (key, value)| {
            let key = [&key[..], &[1]].concat();
            db.put_cf(column(db, table), key, value).unwrap();
        }),
        ("it is not what", |db, table, (key, mut value)| {
            value.insert(0, 1);
            db.put_cf(column(db, table), key, value).unwrap();
        }),
    ];
    for (says, how) in harms {
        let folder = folder().await;
        harm(&folder, |db, rows| {
            for table in TABLES {
                how(db, table, rows(table).swap_remove(0));
            }
        });
        let (report, findings) = examine(&folder, false);
        assert_eq!(report.wrong, TABLES.len() as u64, "{findings:?}");
        for (table, finding) in TABLES.iter().zip(&findings) {
            assert_eq!(finding.table, table.name());
            assert!(finding.what.contains(says), "{finding:?}");
            assert_eq!(finding.mending, Mending::MadeAnew);
        }
        let (report, _) = examine(&folder, true);
        assert!(report.kept.unwrap().join("CURRENT").exists());
        assert_eq!(examine(&folder, false).0.wrong, 0);
        assert_eq!(tasks_of(&folder), 40);
    }
}

#[tokio::test]
async fn a_task_that_is_not_whole_is_left_out_and_named() {
    type Harm = fn(&DB, &dyn Fn(Table) -> Vec<(Vec<u8>, Vec<u8>)>);
    let harms: [(&str, Harm); 5] = [
        ("its header cannot be read", |db, rows| {
            let (key, _) = rows(Table::Header).swap_remove(3);
            db.put_cf(column(db, Table::Header), key, [1, 0xc1])
                .unwrap();
        }),
        ("its header is missing", |db, rows| {
            let (key, _) = rows(Table::Header).swap_remove(3);
            db.delete_cf(column(db, Table::Header), key).unwrap();
        }),
        ("entry 1 of its log cannot be read", |db, rows| {
            let (key, _) = rows(Table::Log).swap_remove(3);
            db.put_cf(column(db, Table::Log), key, []).unwrap();
        }),
        ("its log ends with entry 0", |db, rows| {
            let (key, _) = rows(Table::Log).swap_remove(3);
            db.delete_cf(column(db, Table::Log), key).unwrap();
        }),
        ("the content of entry 1 is missing", |db, rows| {
            let (key, mut value) = rows(Table::Log).swap_remove(3);
            let entry = record::decode(&value).unwrap();
            value = record::encode_light(&taskyard_task::LightEntry::of(entry)).unwrap();
            db.put_cf(column(db, Table::Log), key, value).unwrap();
        }),
    ];
    for (says, how) in harms {
        let folder = folder().await;
        harm(&folder, how);
        let (report, findings) = examine(&folder, false);
        let task = findings.iter().find(|finding| finding.what.contains(says));
        let task = task.unwrap_or_else(|| panic!("{says}: {findings:?}"));
        assert!(task.key.starts_with("task "), "{task:?}");
        assert_eq!(task.mending, Mending::LeftOut);
        assert_eq!((report.left_out.tasks, report.tasks), (1, 39));
        assert_eq!(report.kept, None);
        assert!(examine(&folder, true).0.kept.is_some());
        assert_eq!(examine(&folder, false).0.wrong, 0);
        assert_eq!(tasks_of(&folder), 39);
    }
}

/// The largest table of a database.
fn largest_table(folder: &TempDir) -> PathBuf {
    let files = fs::read_dir(folder.path().join("db")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let tables = files.filter(|file| file.extension().is_some_and(|is| is == "sst"));
    let largest = tables.max_by_key(|file| fs::metadata(file).unwrap().len());
    largest.unwrap()
}

/// A folder with one table of a log that has many blocks.
async fn with_blocks() -> TempDir {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    for number in 0..250 {
        write(&storage, new_task(number)).await.unwrap();
    }
    drop(storage);
    drop(Storage::open(&config(&folder), |_| {}).unwrap());
    folder
}

#[tokio::test]
async fn what_lies_around_a_damaged_block_is_kept() {
    let folder = with_blocks().await;
    let table = largest_table(&folder);
    let mut bytes = fs::read(&table).unwrap();
    // Its blocks of data come first.
    let at = bytes.len() / 4;
    bytes[at] ^= 4;
    fs::write(&table, bytes).unwrap();
    let (report, findings) = examine(&folder, false);
    let unread = findings
        .iter()
        .find(|finding| finding.what.contains("cannot be read"));
    assert!(unread.unwrap().what.contains(".sst"), "{unread:?}");
    assert!(report.tasks >= 150, "{report:?}");
    assert!(examine(&folder, true).0.kept.is_some());
    assert_eq!(examine(&folder, false).0.wrong, 0);
    assert_eq!(tasks_of(&folder) as u64, report.tasks);
}

#[tokio::test]
async fn a_table_without_an_end_is_left_out_alone() {
    let folder = with_blocks().await;
    let table = largest_table(&folder);
    let bytes = fs::read(&table).unwrap();
    fs::write(&table, &bytes[..bytes.len() - 10]).unwrap();
    let (report, findings) = examine(&folder, false);
    assert_eq!((report.wrong, report.tasks), (1, 0));
    let name = table.file_name().unwrap().to_str().unwrap();
    assert!(findings[0].what.contains(name), "{findings:?}");
    let (report, _) = examine(&folder, true);
    assert!(report.kept.unwrap().join(name).exists());
    assert_eq!(examine(&folder, false).0.wrong, 0);
    assert_eq!(tasks_of(&folder) as u64, report.tasks);
}

#[tokio::test]
async fn a_log_that_is_cut_short_is_mended_with_what_is_left() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    for number in 0..TASKS {
        write(&storage, new_task(number)).await.unwrap();
    }
    drop(storage);
    let logs = crate::wal::logs(&folder.path().join("db")).unwrap();
    let log = logs.last().unwrap();
    let bytes = fs::read(log).unwrap();
    fs::write(log, &bytes[..bytes.len() / 2]).unwrap();
    let (report, findings) = examine(&folder, false);
    assert_eq!(report.wrong, 1, "{findings:?}");
    assert!(
        findings[0].affects.contains("would be lost"),
        "{findings:?}"
    );
    let (report, _) = examine(&folder, true);
    assert!((10..30).contains(&report.tasks), "{report:?}");
    // The marker asks for no more than there is.
    assert_eq!(tasks_of(&folder) as u64, report.tasks);
}

//! What a host does with a folder in which something that was acknowledged cannot be read.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::scrub::small_tables;
use crate::wal;

/// A closed folder with so many tasks, each committed by itself.
async fn folder_with(tasks: u8) -> TempDir {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    for number in 0..tasks {
        write(&storage, new_task(number)).await.unwrap();
    }
    drop(storage);
    folder
}

fn last_log(folder: &TempDir) -> PathBuf {
    let logs = wal::logs(&folder.path().join("db")).unwrap();
    let mut logs = logs.into_iter().rev();
    logs.find(|log| fs::metadata(log).unwrap().len() > 0)
        .unwrap()
}

fn open(folder: &TempDir, accept_data_loss: bool) -> Result<Storage, OpenError> {
    let config = Config {
        accept_data_loss,
        ..config(folder)
    };
    Storage::open(&config, |_| {})
}

fn refused(folder: &TempDir) -> (String, String) {
    match open(folder, false) {
        Err(OpenError::Damaged { what, cost, .. }) => (what, cost),
        other => panic!("{other:?}"),
    }
}

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn tasks(storage: &Storage) -> usize {
    storage.work().unwrap().len()
}

#[tokio::test]
async fn a_flipped_bit_in_the_middle_is_refused_with_what_it_costs() {
    let folder = folder_with(40).await;
    let log = last_log(&folder);
    change(&log, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    for _ in 0..2 {
        // Refusing changes nothing.
        let (what, cost) = refused(&folder);
        assert!(what.contains(log.to_str().unwrap()), "{what}");
        assert!(
            cost.contains("acknowledged commits would be lost, of 40"),
            "{cost}"
        );
    }

    let storage = open(&folder, true).unwrap();
    let left = tasks(&storage);
    assert!((10..30).contains(&left), "{left}");
    let kept = folder
        .path()
        .join("damaged-1")
        .join(log.file_name().unwrap());
    assert!(fs::metadata(kept).unwrap().len() > 0);
    write(&storage, new_task(200)).await.unwrap();
    drop(storage);
    // What was given up is not missed again.
    assert_eq!(tasks(&open(&folder, false).unwrap()), left + 1);
}

#[tokio::test]
async fn the_end_of_a_log_that_was_acknowledged_is_missed() {
    let folder = folder_with(40).await;
    let log = last_log(&folder);
    change(&log, |bytes| bytes.truncate(bytes.len() - 1));
    let (_, cost) = refused(&folder);
    assert!(cost.starts_with("1 acknowledged commits"), "{cost}");
}

#[tokio::test]
async fn what_was_never_acknowledged_is_lost_without_a_word() {
    let folder = folder_with(40).await;
    let log = last_log(&folder);
    let whole = fs::read(&log).unwrap();
    // The beginning of a record that was not written to its end.
    for torn in [1, 3, 7, 20] {
        change(&log, |bytes| {
            *bytes = whole.clone();
            bytes.extend(&whole[..torn]);
        });
        let folder_of_torn = TempDir::new().unwrap();
        copy(folder.path(), folder_of_torn.path());
        assert_eq!(tasks(&open(&folder_of_torn, false).unwrap()), 40);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[tokio::test]
async fn files_that_are_gone_are_missed() {
    let folder = folder_with(10).await;
    // Makes a table of the log.
    drop(open(&folder, false).unwrap());
    let storage = open(&folder, false).unwrap();
    write(&storage, new_task(100)).await.unwrap();
    drop(storage);
    let names: Vec<_> = fs::read_dir(folder.path().join("db"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            name == "CURRENT"
                || name.starts_with("MANIFEST")
                || name.ends_with(".sst")
                || name.ends_with(".log")
        })
        .collect();
    assert!(names.iter().any(|name| name.ends_with(".sst")), "{names:?}");
    for name in names {
        let damaged = TempDir::new().unwrap();
        copy(folder.path(), damaged.path());
        let path = damaged.path().join("db").join(&name);
        let is_empty = fs::metadata(&path).unwrap().len() == 0;
        fs::remove_file(path).unwrap();
        let opened = open(&damaged, false);
        match opened {
            Ok(storage) => assert!(is_empty && tasks(&storage) == 11, "{name}"),
            Err(error) => assert!(
                matches!(error, OpenError::Damaged { .. } | OpenError::Other { .. }),
                "{name}: {error}"
            ),
        }
    }
    fs::remove_dir_all(folder.path().join("db")).unwrap();
    let (_, cost) = refused(&folder);
    assert!(cost.contains("all 11 acknowledged commits"), "{cost}");
    let storage = open(&folder, true).unwrap();
    assert_eq!(tasks(&storage), 0);
}

#[tokio::test]
async fn a_folder_of_an_earlier_version_has_no_marker() {
    let folder = folder_with(10).await;
    fs::remove_file(folder.path().join("marker")).unwrap();
    assert_eq!(tasks(&open(&folder, false).unwrap()), 10);
    assert!(folder.path().join("marker").exists());
}

#[tokio::test]
async fn what_cannot_be_read_while_the_host_runs_is_an_alarm() {
    let folder = folder_with(40).await;
    // Makes tables of the log.
    drop(open(&folder, false).unwrap());
    let storage = open(&folder, false).unwrap();
    damage_tables(&folder);
    let read: Vec<_> = (0..40)
        .map(|number| storage.header(task_id(number)))
        .collect();
    assert!(read.iter().any(Result::is_err));
    assert!(storage.is_damaged());
}

/// Flips a bit in each table file; rows come first in it.
fn damage_tables(folder: &TempDir) {
    for entry in fs::read_dir(folder.path().join("db")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|is| is == "sst") {
            change(&path, |bytes| bytes[20] ^= 1);
        }
    }
}

#[tokio::test]
async fn everything_is_read_in_steps_and_at_a_start_what_is_small() {
    let folder = folder_with(40).await;
    drop(open(&folder, false).unwrap());
    let storage = open(&folder, false).unwrap();
    let mut scrub = Scrub::default();
    let mut steps = 0;
    while storage.scrub(&mut scrub, 500).unwrap() {
        steps += 1;
    }
    assert!(steps > 40, "{steps}");
    let at_start = || small_tables(storage.tables().unwrap().db());
    assert_eq!((scrub.damaged(), at_start()), (0, 0));

    damage_tables(&folder);
    let mut scrub = Scrub::default();
    while storage.scrub(&mut scrub, 500).unwrap() {}
    assert!(scrub.damaged() > 4, "{scrub:?}");
    assert_eq!(scrub.damaged(), at_start());
    assert!(storage.is_damaged());
}

#[tokio::test]
async fn a_database_without_the_manifest_that_it_names_is_damaged() {
    let folder = folder_with(10).await;
    let current = folder.path().join("db/CURRENT");
    let whole = fs::read(&current).unwrap();
    for named in [
        &b"MANIFEST-999999\n"[..],
        b"../lock\n",
        b"\0\n",
        b"\xff",
        b"\n",
        b"",
    ] {
        fs::write(&current, named).unwrap();
        let (what, cost) = refused(&folder);
        assert!(what.contains("manifest"), "{what}");
        assert!(cost.contains("all 10 acknowledged commits"), "{cost}");
    }
    fs::write(&current, whole).unwrap();
    assert_eq!(tasks(&open(&folder, false).unwrap()), 10);
}

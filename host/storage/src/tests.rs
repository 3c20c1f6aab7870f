//! The tables as a whole: what survives, what is refused, what happens when the disk does not answer.

mod arbitrary;
mod damage;
mod doctor;
mod faults;
mod forget;
mod list;
mod operator;
mod reading;
mod round_trip;
mod state;
mod upgrade;
mod usage;

use std::sync::Arc;

use taskyard_task::content::Message;
use taskyard_task::decide::{NewTask, submit};
use taskyard_task::entry::Submission;
use taskyard_task::{Commit, Digest, Part, Partition, RunLimits, Seq, TaskId, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::table::Table;

fn config(folder: &TempDir) -> Config {
    Config {
        folder: folder.path().to_owned(),
        sync: true,
        max_open_files: None,
        accept_data_loss: false,
    }
}

fn task_id(number: u8) -> TaskId {
    TaskId::new(
        uuid::Uuid::from_u128(u128::from(number) << 64),
        Partition::of_hash(number),
    )
}

fn new_task(number: u8) -> Commit {
    let message = Message {
        id: "m".to_owned(),
        parts: vec![Part::text("hello")],
        metadata: None,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    };
    let new = NewTask {
        id: task_id(number),
        submission: Submission {
            message,
            tenant: "acme".parse().unwrap(),
            agent: "echo".parse().unwrap(),
            context_id: format!("c{}", number % 2),
            digest: Digest::of(b"echo"),
            config: "{}".to_owned(),
            limits: RunLimits::default(),
            accepted_output_modes: Vec::new(),
            metadata: None,
            contract: 1,
            seed: [1; 32],
            parent: None,
            lineage: Vec::new(),
        },
        epoch: 1,
        deadline: Timestamp(u64::MAX),
        announced: true,
        priority: taskyard_task::Priority::default(),
        not_before: None,
        push: None,
        remember: None,
    };
    submit(Timestamp(1_000 + u64::from(number)), new).into_commit()
}

async fn write(storage: &Storage, commit: Commit) -> Result<(), Failed> {
    let place = storage.reserve(commit.size()).await?;
    place.submit(commit, Arc::new(())).await
}

fn query(after: Option<Position>, most: usize) -> ListQuery {
    ListQuery {
        tenant: "acme".parse().unwrap(),
        agent: "echo".parse().unwrap(),
        context_id: None,
        state: None,
        updated_since: None,
        after,
        most,
    }
}

fn ids(page: &ListPage) -> Vec<TaskId> {
    page.tasks.iter().map(|header| header.id).collect()
}

#[tokio::test]
async fn what_was_durable_is_there_after_reopening() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    write(&storage, new_task(1)).await.unwrap();
    drop(storage);

    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let header = storage.header(task_id(1)).unwrap().unwrap();
    assert_eq!(header.last, Seq(1));
    assert_eq!(storage.log(task_id(1), Seq::ZERO, 10).unwrap().len(), 1);
    assert_eq!(storage.work().unwrap().len(), 1);
    assert_eq!(storage.list(&query(None, 10)).unwrap().total, 1);
}

#[tokio::test]
async fn what_was_handed_over_is_written_before_closing() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    for number in 0..100 {
        let place = storage.reserve(1).await.unwrap();
        drop(place.submit(new_task(number), Arc::new(())));
    }
    drop(storage);
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    assert_eq!(storage.work().unwrap().len(), 100);
}

#[tokio::test]
async fn pages_show_every_task_once_newest_first() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    for number in 0..10 {
        write(&storage, new_task(number)).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = storage.list(&query(after, 3)).unwrap();
        assert_eq!(page.total, 10);
        seen.extend(ids(&page));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..10).rev().map(task_id).collect::<Vec<_>>());

    let mut even = query(None, 100);
    even.context_id = Some("c0".to_owned());
    even.updated_since = Some(Timestamp(1_004));
    let page = storage.list(&even).unwrap();
    assert_eq!(
        ids(&page),
        [8, 6, 4].map(task_id),
        "the moment itself is included"
    );
    assert_eq!(page.total, 3);
}

#[test]
fn a_second_process_is_told_that_the_folder_is_in_use() {
    let folder = TempDir::new().unwrap();
    let _storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let second = Storage::open(&config(&folder), |_| {});
    assert!(matches!(second, Err(OpenError::InUse(_))), "{second:?}");
}

/// What is said about a folder of another format.
fn reopened_with_format(format: u32) -> OpenError {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let tables = storage.tables().unwrap();
    let meta = tables.table(Table::Meta).unwrap();
    tables
        .db()
        .put_cf(meta, key::FORMAT, format.to_be_bytes())
        .unwrap();
    drop(tables);
    drop(storage);
    Storage::open(&config(&folder), |_| {}).unwrap_err()
}

#[test]
fn formats_that_are_too_new_or_too_old_are_refused() {
    let newer = reopened_with_format(99);
    assert!(matches!(newer, OpenError::NewerFormat { found: 99, .. }));
    let older = reopened_with_format(1);
    assert!(matches!(older, OpenError::OlderFormat { found: 1, .. }));
}

#[test]
fn a_damaged_record_is_an_error_and_not_a_panic() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let tables = storage.tables().unwrap();
    let headers = tables.table(Table::Header).unwrap();
    for damage in [&[][..], &[1, 0xc1], &[200, 1, 2]] {
        tables
            .db()
            .put_cf(headers, key::task(task_id(1)), damage)
            .unwrap();
        assert!(matches!(
            storage.header(task_id(1)),
            Err(ReadError::Record { .. })
        ));
    }
}

#[test]
fn commits_are_values_that_can_be_sent_elsewhere() {
    let commit = new_task(3);
    let bytes = record::encode(&commit).unwrap();
    assert_eq!(record::decode::<Commit>(&bytes).unwrap(), commit);
}

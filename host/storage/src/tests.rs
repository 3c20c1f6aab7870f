//! The tables as a whole: what survives, what is refused, what happens when the disk does not answer.

mod forget;
mod list;
mod operator;
mod state;
mod upgrade;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

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
    let meta = storage.db.cf_handle(Table::Meta.name()).unwrap();
    storage
        .db
        .put_cf(meta, key::FORMAT, format.to_be_bytes())
        .unwrap();
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
    let headers = storage.db.cf_handle(Table::Header.name()).unwrap();
    for damage in [&[][..], &[1, 0xc1], &[200, 1, 2]] {
        storage
            .db
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

/// What a faulty log does with the next group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Appends it, and does not say so.
    LandsUnknown,
    /// Does not append it, and does not say so.
    LostUnknown,
    /// Does not know, and cannot find out.
    Broken,
    /// Somebody else was faster.
    Conflict,
}

struct FaultyLog {
    inner: Box<dyn CommitLog>,
    next: Arc<Mutex<Option<Fault>>>,
    broken: AtomicBool,
}

impl CommitLog for FaultyLog {
    fn append(&mut self, group: &[Numbered]) -> Result<(), AppendError> {
        let unknown = || Err(AppendError::Unknown("no answer".to_owned()));
        let fault = self.next.lock().unwrap().take();
        match fault {
            None => self.inner.append(group),
            Some(Fault::LandsUnknown) => self.inner.append(group).and_then(|()| unknown()),
            Some(Fault::LostUnknown) => unknown(),
            Some(Fault::Broken) => {
                self.broken.store(true, Ordering::SeqCst);
                unknown()
            }
            Some(Fault::Conflict) => Err(AppendError::Conflict {
                partition: group[0].commit.partition,
                last: 7,
            }),
        }
    }

    fn last(&mut self, partition: Partition) -> Option<u64> {
        match self.broken.load(Ordering::SeqCst) {
            true => None,
            false => self.inner.last(partition),
        }
    }
}

fn open_faulty(folder: &TempDir) -> (Storage, Arc<Mutex<Option<Fault>>>) {
    let next = Arc::new(Mutex::new(None));
    let faults = Arc::clone(&next);
    let storage = Storage::open_with_log(
        &config(folder),
        |_| {},
        |inner| FaultyLog {
            inner,
            next: faults,
            broken: AtomicBool::new(false),
        },
    );
    (storage.unwrap(), next)
}

#[tokio::test]
async fn an_append_without_an_answer_takes_effect_exactly_once() {
    for fault in [Fault::LandsUnknown, Fault::LostUnknown] {
        let folder = TempDir::new().unwrap();
        let (storage, next) = open_faulty(&folder);
        *next.lock().unwrap() = Some(fault);
        write(&storage, new_task(1)).await.unwrap();
        write(&storage, new_task(2)).await.unwrap();
        let page = storage.list(&query(None, 10)).unwrap();
        assert_eq!((page.tasks.len(), page.total), (2, 2), "{fault:?}");
    }
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_accepted_any_more() {
    for fault in [Fault::Broken, Fault::Conflict] {
        let folder = TempDir::new().unwrap();
        let (storage, next) = open_faulty(&folder);
        write(&storage, new_task(1)).await.unwrap();
        *next.lock().unwrap() = Some(fault);
        write(&storage, new_task(2)).await.unwrap_err();
        write(&storage, new_task(3)).await.unwrap_err();
        assert!(storage.failed().is_some(), "{fault:?}");
        assert!(
            storage.header(task_id(1)).unwrap().is_some(),
            "what was durable can be read"
        );
    }
}

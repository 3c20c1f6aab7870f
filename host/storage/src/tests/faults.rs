//! A log that does not answer, and a disk that has no room: what was written is written once, what was not
//! is not told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::*;

/// What a faulty log does with the next group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Answers nothing, and can be asked what it did.
    Silent(Group),
    /// Answers nothing any more until it is brought into order, which works after so many looks, or once
    /// the shortage is over.
    Short(Group, u32),
    /// The same, and no look finds out what is short.
    Unclear(Group),
    /// Answers nothing any more.
    Broken,
    /// Somebody else was faster.
    Conflict,
    /// The group makes no sense.
    Impossible,
}

/// What becomes of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Lands,
    IsLost,
}

use Group::{IsLost, Lands};

/// What the test and its log have in common.
#[derive(Default)]
struct Faults {
    next: Mutex<Option<Fault>>,
    over: AtomicBool,
}

impl Faults {
    fn set(&self, fault: Fault) {
        *self.next.lock().unwrap() = Some(fault);
    }
}

struct FaultyLog {
    inner: Box<dyn CommitLog>,
    faults: Arc<Faults>,
    /// What it suffers from until it is brought into order.
    now: Option<Fault>,
}

impl FaultyLog {
    fn falls_silent(&mut self, group: &[Numbered], becomes: Group) -> Result<(), AppendError> {
        if becomes == Lands {
            self.inner.append(group)?;
        }
        Err(AppendError::Unknown("no answer".to_owned()))
    }
}

impl CommitLog for FaultyLog {
    fn append(&mut self, group: &[Numbered]) -> Result<(), AppendError> {
        assert_eq!(
            self.now, None,
            "nothing is appended before it is known what was"
        );
        let fault = self.faults.next.lock().unwrap().take();
        match fault {
            None => self.inner.append(group),
            Some(Fault::Silent(becomes)) => self.falls_silent(group, becomes),
            Some(Fault::Short(becomes, _) | Fault::Unclear(becomes)) => {
                self.now = fault;
                self.falls_silent(group, becomes)
            }
            Some(Fault::Broken) => {
                self.now = fault;
                self.falls_silent(group, IsLost)
            }
            Some(Fault::Conflict) => Err(AppendError::Conflict {
                partition: group[0].commit.partition,
                last: 7,
            }),
            Some(Fault::Impossible) => Err(AppendError::Impossible("no sense".to_owned())),
        }
    }

    fn last(&mut self, partition: Partition) -> Option<u64> {
        match self.now {
            Some(_) => None,
            None => self.inner.last(partition),
        }
    }

    fn recover(&mut self) -> Result<(), Trouble> {
        match &mut self.now {
            Some(Fault::Short(_, looks))
                if *looks > 0 && !self.faults.over.load(Ordering::SeqCst) =>
            {
                *looks -= 1;
                Err(Trouble::Shortage("no room".to_owned()))
            }
            Some(Fault::Unclear(_)) => Err(Trouble::Unclear("no idea".to_owned())),
            Some(Fault::Broken) => Err(Trouble::Final("no disk".to_owned())),
            Some(_) | None => {
                self.now = None;
                self.inner.recover()
            }
        }
    }
}

fn open_faulty(folder: &TempDir) -> (Storage, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let around = |inner| FaultyLog {
        inner,
        faults: Arc::clone(&faults),
        now: None,
    };
    let storage = Storage::open_with_log(&config(folder), |_| {}, around);
    (storage.unwrap(), faults)
}

fn check_has(storage: &Storage, numbers: &[u8]) {
    let page = storage.list(&query(None, 10)).unwrap();
    let mut newest_first: Vec<_> = numbers.iter().copied().map(task_id).collect();
    newest_first.reverse();
    assert_eq!(ids(&page), newest_first);
    assert_eq!(page.total, numbers.len() as u64);
    assert_eq!(storage.work().unwrap().len(), numbers.len());
}

#[tokio::test]
async fn an_append_without_an_answer_takes_effect_exactly_once() {
    for fault in [
        Fault::Silent(Lands),
        Fault::Silent(IsLost),
        Fault::Short(Lands, 0),
        Fault::Short(IsLost, 0),
        Fault::Short(Lands, 3),
        Fault::Short(IsLost, 3),
    ] {
        let folder = TempDir::new().unwrap();
        let (storage, faults) = open_faulty(&folder);
        write(&storage, new_task(0)).await.unwrap();
        faults.set(fault);
        write(&storage, new_task(1)).await.unwrap();
        assert_eq!(storage.health(), Health::Writable, "{fault:?}");
        write(&storage, new_task(2)).await.unwrap();
        check_has(&storage, &[0, 1, 2]);

        drop(storage);
        let storage = Storage::open(&config(&folder), |_| {}).unwrap();
        check_has(&storage, &[0, 1, 2]);
    }
}

#[tokio::test]
async fn a_shortage_is_told_and_what_was_handed_over_waits_for_its_end() {
    let folder = TempDir::new().unwrap();
    let (storage, faults) = open_faulty(&folder);
    faults.set(Fault::Short(IsLost, u32::MAX));
    let first = storage.reserve(1).await.unwrap();
    let first = first.submit(new_task(1), Arc::new(()));
    let told = storage.trouble().await;
    assert_eq!(
        told.to_string(),
        "the host cannot write to its data folder: no room; it tries again by itself"
    );
    assert_eq!(storage.health().word(), "waiting");
    assert_eq!(storage.failed(), None, "it is not final");
    assert!(
        storage.header(task_id(1)).unwrap().is_none(),
        "it is not durable"
    );
    let second = storage.reserve(1).await.unwrap();
    let second = second.submit(new_task(2), Arc::new(()));

    faults.over.store(true, Ordering::SeqCst);
    while storage.health() != Health::Writable {
        tokio::task::yield_now().await;
    }
    // Callers that are let in again find whatever was handed over before.
    check_has(&storage, &[1, 2]);
    second.await.unwrap();
    first.await.unwrap();
}

#[tokio::test]
async fn what_is_final_is_told_and_nothing_is_accepted_any_more() {
    for fault in [
        Fault::Broken,
        Fault::Conflict,
        Fault::Impossible,
        Fault::Unclear(IsLost),
    ] {
        let folder = TempDir::new().unwrap();
        let (storage, faults) = open_faulty(&folder);
        write(&storage, new_task(1)).await.unwrap();
        faults.set(fault);
        let failed = write(&storage, new_task(2)).await.unwrap_err();
        write(&storage, new_task(3)).await.unwrap_err();
        assert_eq!(storage.failed(), Some(failed.clone()), "{fault:?}");
        assert_eq!(storage.trouble().await, failed);
        assert!(
            storage.header(task_id(1)).unwrap().is_some(),
            "what was durable can be read"
        );
    }
}

#[tokio::test]
async fn a_host_can_stop_during_a_shortage() {
    for becomes in [Lands, IsLost] {
        let folder = TempDir::new().unwrap();
        let (storage, faults) = open_faulty(&folder);
        faults.set(Fault::Short(becomes, u32::MAX));
        let place = storage.reserve(1).await.unwrap();
        let waits = place.submit(new_task(1), Arc::new(()));
        storage.trouble().await;
        drop(storage);
        waits.await.unwrap_err();

        let storage = Storage::open(&config(&folder), |_| {}).unwrap();
        match becomes {
            Lands => check_has(&storage, &[1]),
            IsLost => check_has(&storage, &[]),
        }
    }
}

#[tokio::test]
async fn readers_wait_while_the_database_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let (storage, faults) = open_faulty(&folder);
    write(&storage, new_task(1)).await.unwrap();
    let reading = storage.tables().unwrap();
    faults.set(Fault::Short(IsLost, 0));
    let place = storage.reserve(1).await.unwrap();
    let waits = place.submit(new_task(2), Arc::new(()));
    // It is not taken from under whoever reads.
    let mut rows = reading.rows(Table::Header, &[], &[]).unwrap();
    assert!(rows.next().unwrap().is_some());
    drop(rows);
    drop(reading);
    waits.await.unwrap();
    check_has(&storage, &[1, 2]);
}

#[test]
fn a_database_that_cannot_be_opened_again_is_closed_and_says_so() {
    let folder = TempDir::new().unwrap();
    let storage = Storage::open(&config(&folder), |_| {}).unwrap();
    let current = folder.path().join("db").join("CURRENT");
    let good = std::fs::read(&current).unwrap();
    // There is no file of this name, and nothing is short.
    std::fs::write(&current, "MANIFEST-999999\n").unwrap();
    let trouble = storage.db.reopen().unwrap_err();
    assert!(!matches!(trouble, Trouble::Shortage(_)), "{trouble:?}");
    let closed = storage.header(task_id(1)).unwrap_err();
    assert!(matches!(closed, ReadError::Closed), "{closed}");

    std::fs::write(&current, good).unwrap();
    storage.db.reopen().unwrap();
    assert!(storage.header(task_id(1)).unwrap().is_none());
}

//! The committer: one thread that merges what all tasks want written into one batch and one sync.
//!
//! Commits keep the order in which they are handed over. After a failed write the committer stops for
//! good: it does not guess what is on the disk, and whatever waits is told.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use taskyard_task::{Commit, Partition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::commit_log::{AppendError, CommitLog, Numbered};

/// Commits that may wait for the committer. More would only lengthen the wait.
const MAX_WAITING: usize = 8_192;
/// Bytes that may wait for the committer, so that large chunks do not fill the memory.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Commits that share one batch. A larger batch makes the first commit in it wait for the last.
const MAX_GROUP: usize = 1_024;

/// The host cannot write to its disk any more, and must be restarted once that is mended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the host cannot write to its data folder: {reason}")]
pub struct Failed {
    /// What the disk said.
    pub reason: Arc<str>,
}

/// Called with each group of commits once it is durable, in order.
pub(crate) type OnApplied = Box<dyn Fn(&[Numbered]) + Send>;

pub(crate) struct Committer {
    queue: mpsc::Sender<Job>,
    bytes: Arc<Semaphore>,
    failed: Arc<Mutex<Option<Failed>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Job {
    commit: Commit,
    durable: oneshot::Sender<()>,
    /// Dropped once the commit is applied.
    _keep: Arc<dyn Any + Send + Sync>,
    /// Given back when the job is dropped.
    _bytes: OwnedSemaphorePermit,
}

/// A place in the committer's queue. Taken before a decision, because deciding and queueing must not
/// be torn apart by waiting.
#[derive(Debug)]
pub struct Reservation<'a> {
    place: mpsc::Permit<'a, Job>,
    bytes: OwnedSemaphorePermit,
    failed: Arc<Mutex<Option<Failed>>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

impl Reservation<'_> {
    /// Hands `commit` over. Its order is fixed from here on, whether or not the result is awaited.
    /// `keep` lives until the commit is applied, even when nobody waits for that.
    pub fn submit(self, commit: Commit, keep: Arc<dyn Any + Send + Sync>) -> Durable {
        let (durable, wait) = oneshot::channel();
        self.place.send(Job {
            commit,
            durable,
            _keep: keep,
            _bytes: self.bytes,
        });
        Durable {
            wait,
            failed: self.failed,
        }
    }
}

/// Resolves once a commit is durable, or will never be.
#[derive(Debug)]
pub struct Durable {
    wait: oneshot::Receiver<()>,
    failed: Arc<Mutex<Option<Failed>>>,
}

impl Future for Durable {
    type Output = Result<(), Failed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.wait)
            .poll(context)
            .map(|done| done.map_err(|_| failure(&self.failed)))
    }
}

fn failure(failed: &Mutex<Option<Failed>>) -> Failed {
    let failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
    failed.clone().unwrap_or_else(|| Failed {
        reason: "the host is shutting down".into(),
    })
}

impl Committer {
    pub(crate) fn start(
        log: impl CommitLog + 'static,
        on_applied: OnApplied,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(MAX_WAITING);
        let failed = Arc::new(Mutex::new(None));
        let mut writer = Writer {
            log,
            on_applied,
            failed: Arc::clone(&failed),
            last: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || writer.run(jobs))?;
        Ok(Self {
            queue,
            bytes: Arc::new(Semaphore::new(MAX_WAITING_BYTES)),
            failed,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Waits for a place in the queue for about `bytes`.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<Reservation<'_>, Failed> {
        let failed = |_| failure(&self.failed);
        // What is larger than the whole queue waits for all of it.
        let bytes = u32::try_from(bytes.clamp(1, MAX_WAITING_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.bytes).acquire_many_owned(bytes).await;
        let place = self.queue.reserve().await.map_err(failed)?;
        Ok(Reservation {
            place,
            bytes: permit.map_err(|_| failure(&self.failed))?,
            failed: Arc::clone(&self.failed),
        })
    }

    pub(crate) fn failed(&self) -> Option<Failed> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Committer {
    /// Writes what was handed over, then ends.
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel(1);
        self.queue = closed;
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the committer panicked");
        }
    }
}

struct Writer<L> {
    log: L,
    on_applied: OnApplied,
    failed: Arc<Mutex<Option<Failed>>>,
    last: HashMap<Partition, u64>,
}

impl<L: CommitLog> Writer<L> {
    fn run(&mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(MAX_GROUP);
        while jobs.blocking_recv_many(&mut waiting, MAX_GROUP) > 0 {
            if !self.write(waiting.drain(..)) {
                return;
            }
        }
    }

    /// Writes a group and tells who waits. Whether there is a point in going on.
    fn write(&mut self, jobs: impl Iterator<Item = Job>) -> bool {
        let split = |job: Job| (job.commit, (job.durable, job._keep, job._bytes));
        let (commits, waiting): (Vec<_>, Vec<_>) = jobs.map(split).unzip();
        let group = match self.append(commits) {
            Ok(group) => group,
            Err(reason) => {
                // IMPORTANT: before `waiting` is dropped: who waits looks for the reason then.
                self.fail(reason);
                return false;
            }
        };
        metrics::histogram!("taskyard_commit_batch_size").record(group.len() as f64);
        (self.on_applied)(&group);
        for (durable, keep, bytes) in waiting {
            // First, so that whoever waited finds nothing of the commit on its way any more.
            drop((keep, bytes));
            // Whoever does not wait any more does not mind.
            let _ = durable.send(());
        }
        true
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "measures a duration for a metric, decides nothing"
    )]
    fn append(&mut self, commits: Vec<Commit>) -> Result<Vec<Numbered>, String> {
        let group = self.number(commits)?;
        let began = std::time::Instant::now();
        match self.log.append(&group) {
            Ok(()) => {}
            Err(conflict @ AppendError::Conflict { .. }) => return Err(conflict.to_string()),
            Err(AppendError::Unknown(reason)) => self.resolve(&group, reason)?,
        }
        metrics::histogram!("taskyard_commit_seconds").record(began.elapsed().as_secs_f64());
        Ok(group)
    }

    fn number(&mut self, commits: Vec<Commit>) -> Result<Vec<Numbered>, String> {
        let commits = commits.into_iter();
        let numbered = commits.map(|commit| {
            let number = self.next_number(commit.partition)?;
            Ok(Numbered { number, commit })
        });
        numbered.collect()
    }

    /// Finds out whether a group landed whose append did not answer clearly; tries once more if not.
    fn resolve(&mut self, group: &[Numbered], reason: String) -> Result<(), String> {
        match self.landed(group) {
            Some(true) => Ok(()),
            Some(false) => self.log.append(group).map_err(|error| error.to_string()),
            None => Err(reason),
        }
    }

    /// A group lands whole or not at all, so its first commit tells.
    fn landed(&mut self, group: &[Numbered]) -> Option<bool> {
        let first = group.first()?;
        let last = self.log.last(first.commit.partition)?;
        Some(last >= first.number)
    }

    fn next_number(&mut self, partition: Partition) -> Result<u64, String> {
        let last = match self.last.get(&partition) {
            Some(last) => *last,
            None => self
                .log
                .last(partition)
                .ok_or("the last commit cannot be read")?,
        };
        self.last.insert(partition, last + 1);
        Ok(last + 1)
    }

    fn fail(&self, reason: String) {
        tracing::error!(
            reason,
            "cannot write to the data folder; the host stops accepting work"
        );
        metrics::counter!("taskyard_commit_failures_total").increment(1);
        let failed = Failed {
            reason: reason.into(),
        };
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed);
    }
}

//! The committer: one thread that merges what all tasks want written into one batch and one sync.
//!
//! Commits keep the order in which they are handed over. After a failed write the committer writes nothing
//! more before it knows what is on the disk: it has the log brought into order, looks whether the group
//! landed, and appends it again only if it did not. Meanwhile everything waits. If that cannot succeed, it
//! stops for good, and whatever waits is told.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use taskyard_task::{Commit, Partition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::commit_log::{AppendError, CommitLog, Numbered, Trouble};
use crate::error::without_paths;
use crate::health::Health;

/// Commits that may wait for the committer. More would only lengthen the wait.
const MAX_WAITING: usize = 8_192;
/// Bytes that may wait for the committer, so that large chunks do not fill the memory.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Commits that share one batch. A larger batch makes the first commit in it wait for the last.
const MAX_GROUP: usize = 1_024;

/// The pause before the log is brought into order for the second time; doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 100 });
/// How late the end of a shortage is noticed. Each look writes to the disk.
const MAX_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 5_000 });
/// How often in a row something may fail that nothing seems to be short for: ten minutes. What goes on
/// for longer does not pass.
const MAX_UNCLEAR: u32 = 120;

/// The host cannot write to its disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the host cannot write to its data folder: {}", without_paths(reason))]
pub struct Failed {
    /// What the disk said. Names files, so it is for the log; clients read the rest.
    pub reason: Arc<str>,
}

/// Called with each group of commits once it is durable, in order.
pub(crate) type OnApplied = Box<dyn Fn(&[Numbered]) + Send>;

pub(crate) struct Committer {
    queue: mpsc::Sender<Job>,
    bytes: Arc<Semaphore>,
    health: watch::Receiver<Health>,
    busy: BusySince,
    /// Dropped to end the wait for the end of a shortage.
    alive: Option<std::sync::mpsc::Sender<()>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Since when the group is being written that the committer is at; everything else waits for it.
#[derive(Debug, Clone, Default)]
struct BusySince(Arc<Mutex<Option<Instant>>>);

impl BusySince {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures a duration, decides nothing"
    )]
    fn begin(&self) {
        self.set(Some(Instant::now()));
    }

    fn end(&self) {
        self.set(None);
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn age(&self) -> Duration {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

struct Job {
    commit: Commit,
    durable: oneshot::Sender<()>,
    /// Dropped once the commit is applied.
    _keep: Arc<dyn Any + Send + Sync>,
    /// Given back when the job is dropped.
    _bytes: ReservedBytes,
}

/// A place in the committer's queue. Taken before a decision, because deciding and queueing must not
/// be torn apart by waiting.
#[derive(Debug)]
pub struct Reservation<'a> {
    place: mpsc::Permit<'a, Job>,
    bytes: ReservedBytes,
    health: watch::Receiver<Health>,
}

/// What a commit takes of the bytes that may wait for the committer, until it is applied. Whoever holds a
/// commit back keeps this with it, so that what is held back counts as well.
#[derive(Debug)]
pub struct ReservedBytes(OwnedSemaphorePermit);

impl ReservedBytes {
    /// These and those.
    pub fn add(&mut self, more: Self) {
        self.0.merge(more.0);
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

impl Reservation<'_> {
    /// Its bytes, for a commit that is held back; the place in the queue stays.
    pub fn take_bytes(&mut self) -> ReservedBytes {
        let all = self.bytes.0.num_permits();
        let taken = self.bytes.0.split(all);
        ReservedBytes(taken.expect("as many as there are can be taken"))
    }

    /// What is handed over with it was held back, with these.
    pub fn add_bytes(&mut self, bytes: ReservedBytes) {
        self.bytes.add(bytes);
    }

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
            health: self.health,
        }
    }
}

/// Resolves once a commit is durable, or will never be.
#[derive(Debug)]
pub struct Durable {
    wait: oneshot::Receiver<()>,
    health: watch::Receiver<Health>,
}

impl Future for Durable {
    type Output = Result<(), Failed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.wait)
            .poll(context)
            .map(|done| done.map_err(|_| failure(&self.health)))
    }
}

fn failure(health: &watch::Receiver<Health>) -> Failed {
    let trouble = health.borrow().trouble();
    trouble.unwrap_or_else(|| Failed {
        reason: "the host is shutting down".into(),
    })
}

impl Committer {
    pub(crate) fn start(
        log: impl CommitLog + 'static,
        on_applied: OnApplied,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(MAX_WAITING);
        let (alive, end) = std::sync::mpsc::channel();
        let (told, health) = watch::channel(Health::Writable);
        metrics::gauge!("taskyard_store_writable").set(1.0);
        let busy = BusySince::default();
        let mut writer = Writer {
            busy: busy.clone(),
            log,
            on_applied,
            health: told,
            end,
            last: HashMap::new(),
            owed: Owed::Nothing,
        };
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || writer.run(jobs))?;
        Ok(Self {
            queue,
            bytes: Arc::new(Semaphore::new(MAX_WAITING_BYTES)),
            health,
            busy,
            alive: Some(alive),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Waits for a place in the queue for about `bytes`.
    pub(crate) async fn reserve(&self, bytes: usize) -> Result<Reservation<'_>, Failed> {
        // What is larger than the whole queue waits for all of it.
        let bytes = u32::try_from(bytes.clamp(1, MAX_WAITING_BYTES)).unwrap_or(u32::MAX);
        self.reserve_exactly(bytes).await
    }

    /// Waits for a place in the queue for what has its bytes already. Waiting for one more could take forever:
    /// they may be all with what is held back.
    pub(crate) async fn reserve_place(&self) -> Result<Reservation<'_>, Failed> {
        self.reserve_exactly(0).await
    }

    async fn reserve_exactly(&self, bytes: u32) -> Result<Reservation<'_>, Failed> {
        let failed = |_| failure(&self.health);
        let permit = Arc::clone(&self.bytes).acquire_many_owned(bytes).await;
        let place = self.queue.reserve().await.map_err(failed)?;
        Ok(Reservation {
            place,
            bytes: ReservedBytes(permit.map_err(|_| failure(&self.health))?),
            health: self.health.clone(),
        })
    }

    pub(crate) fn health(&self) -> Health {
        let health = self.health.borrow().clone();
        match health {
            Health::Failed(_) => health,
            // It ends after this, or after a failure that it told.
            _ if self.health.has_changed().is_err() => Health::Failed(Failed {
                reason: "the committer panicked; the log of the host says where".into(),
            }),
            health => health,
        }
    }

    /// How long the oldest commit waits that is not durable yet.
    pub(crate) fn oldest_waiting(&self) -> Duration {
        self.busy.age()
    }

    /// Resolves once nothing can be written.
    pub(crate) async fn trouble(&self) -> Failed {
        let mut health = self.health.clone();
        let told = health.wait_for(|health| *health != Health::Writable).await;
        // An error means that the writer is gone without any trouble: the host ends.
        let trouble = told.ok().and_then(|health| health.trouble());
        trouble.unwrap_or_else(|| failure(&self.health))
    }
}

impl Drop for Committer {
    /// Writes what was handed over, then ends. During a shortage nothing is waited for: nobody was told
    /// that it is durable.
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel(1);
        self.queue = closed;
        self.alive = None;
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
    busy: BusySince,
    log: L,
    on_applied: OnApplied,
    health: watch::Sender<Health>,
    /// Closed when the host ends.
    end: std::sync::mpsc::Receiver<()>,
    last: HashMap<Partition, u64>,
    owed: Owed,
}

/// What is to be written before a trouble counts as over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// There is none.
    Nothing,
    /// All that waits after the group that is being written.
    All,
    /// So many commits.
    Commits(usize),
}

impl<L: CommitLog> Writer<L> {
    fn run(&mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(MAX_GROUP);
        while jobs.blocking_recv_many(&mut waiting, MAX_GROUP) > 0 {
            self.busy.begin();
            let goes_on = self.write(waiting.drain(..), &jobs);
            self.busy.end();
            if !goes_on {
                return;
            }
        }
    }

    /// After a trouble, all that was handed over before or meanwhile is written before callers are let in again:
    /// whoever was told that it is not known whether a call has an effect may repeat it then, and must find it.
    fn catch_up(&mut self, written: usize, waiting: usize) {
        self.owed = match self.owed {
            Owed::Nothing => return,
            Owed::All => Owed::Commits(waiting),
            Owed::Commits(count) => Owed::Commits(count.saturating_sub(written)),
        };
        if self.owed == Owed::Commits(0) {
            self.owed = Owed::Nothing;
            self.tell_writable();
        }
    }

    /// Writes a group and tells who waits; others are in the queue. Whether there is a point in going on.
    fn write(&mut self, group: impl Iterator<Item = Job>, queue: &mpsc::Receiver<Job>) -> bool {
        let split = |job: Job| (job.commit, (job.durable, job._keep, job._bytes));
        let (commits, waiting): (Vec<_>, Vec<_>) = group.map(split).unzip();
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
        self.catch_up(group.len(), queue.len());
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
        self.find_numbers(&commits)?;
        let group = self.number(commits);
        let began = std::time::Instant::now();
        if let Err(error) = self.log.append(&group) {
            metrics::counter!("taskyard_commit_failures_total").increment(1);
            self.resolve(&group, error)?;
        }
        metrics::histogram!("taskyard_commit_seconds").record(began.elapsed().as_secs_f64());
        Ok(group)
    }

    /// Reads the last numbers of partitions that are new here.
    fn find_numbers(&mut self, commits: &[Commit]) -> Result<(), String> {
        for partition in commits.iter().map(|commit| commit.partition) {
            if self.last.contains_key(&partition) {
                continue;
            }
            let unread = "the last commit cannot be read";
            let last = match self.log.last(partition) {
                Some(last) => last,
                None => self.until_in_order(unread.to_owned(), |writer| {
                    let last = writer.log.last(partition);
                    last.ok_or_else(|| AppendError::Unknown(unread.to_owned()))
                })?,
            };
            self.last.insert(partition, last);
        }
        Ok(())
    }

    fn number(&mut self, commits: Vec<Commit>) -> Vec<Numbered> {
        let commits = commits.into_iter();
        let numbered = commits.map(|commit| {
            let last = self.last.entry(commit.partition).or_default();
            *last += 1;
            Numbered {
                number: *last,
                commit,
            }
        });
        numbered.collect()
    }

    /// Finds out whether a group landed whose append did not answer clearly; appends it again if not.
    fn resolve(&mut self, group: &[Numbered], error: AppendError) -> Result<(), String> {
        let AppendError::Unknown(reason) = error else {
            return Err(error.to_string());
        };
        // A log that is still in order may know.
        match self.land(group) {
            Ok(()) => Ok(()),
            Err(AppendError::Unknown(_)) => self.until_in_order(reason, |it| it.land(group)),
            Err(other) => Err(other.to_string()),
        }
    }

    fn land(&mut self, group: &[Numbered]) -> Result<(), AppendError> {
        match self.landed(group) {
            Some(true) => Ok(()),
            Some(false) => self.log.append(group),
            None => Err(AppendError::Unknown(
                "it is not known what was written".to_owned(),
            )),
        }
    }

    /// A group lands whole or not at all, so its first commit tells.
    fn landed(&mut self, group: &[Numbered]) -> Option<bool> {
        let first = group.first()?;
        let last = self.log.last(first.commit.partition)?;
        Some(last >= first.number)
    }

    /// Brings the log into order and does `what` then, again and again until that works. Only the first
    /// time is nobody's business: most troubles are over by then.
    fn until_in_order<T>(
        &mut self,
        mut reason: String,
        mut what: impl FnMut(&mut Self) -> Result<T, AppendError>,
    ) -> Result<T, String> {
        tracing::warn!(
            reason,
            "a write to the data folder failed; opens the database again to see what is on the disk"
        );
        let (mut pause, mut unclear) = (FIRST_PAUSE, 0);
        loop {
            let done = self.log.recover().map(|()| what(self));
            reason = match done {
                Ok(Ok(done)) => {
                    self.owed = Owed::All;
                    return Ok(done);
                }
                Err(Trouble::Shortage(problem)) => {
                    unclear = 0;
                    problem
                }
                Ok(Err(AppendError::Unknown(problem))) | Err(Trouble::Unclear(problem))
                    if unclear < MAX_UNCLEAR =>
                {
                    unclear += 1;
                    problem
                }
                Ok(Err(error)) => return Err(error.to_string()),
                Err(error) => return Err(error.to_string()),
            };
            self.tell_waiting(&reason);
            if self.end.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                return Err(format!("{reason}; the host ended meanwhile"));
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    fn tell_waiting(&self, reason: &str) {
        let health = Health::Waiting {
            reason: reason.into(),
        };
        let is_news = self.health.send_if_modified(|told| {
            let is_news = *told != health;
            *told = health;
            is_news
        });
        metrics::gauge!("taskyard_store_writable").set(0.0);
        if is_news {
            tracing::error!(
                reason,
                "cannot write to the data folder; takes no new work until it can, and tries again by itself"
            );
        }
    }

    fn tell_writable(&self) {
        if self.health.send_replace(Health::Writable) != Health::Writable {
            tracing::info!("the data folder can be written again; nothing that was told is lost");
        }
        metrics::gauge!("taskyard_store_writable").set(1.0);
    }

    fn fail(&self, reason: String) {
        tracing::error!(
            reason,
            "cannot write to the data folder, and that is final: takes no work until the host is restarted"
        );
        metrics::gauge!("taskyard_store_writable").set(0.0);
        let failed = Failed {
            reason: reason.into(),
        };
        self.health.send_replace(Health::Failed(failed));
    }
}

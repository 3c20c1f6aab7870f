//! Group commit: one synced write for all that wait.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use anyhow::{Context, Result, anyhow};
use rocksdb::{DB, Options, WriteBatch, WriteOptions};
use tokio::sync::oneshot;

/// How many commits may wait; a client waits for each, so connections bound it first.
const WAITING: usize = 100_000;

struct Commit {
    record: Vec<u8>,
    done: oneshot::Sender<Result<(), rocksdb::Error>>,
}

pub(crate) struct Committer {
    commits: SyncSender<Commit>,
    number: AtomicU64,
}

impl Committer {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_compression_type(rocksdb::DBCompressionType::Lz4);
        let db = DB::open(&options, folder)?;
        let (commits, waiting) = mpsc::sync_channel(WAITING);
        thread::spawn(move || commit_all(&db, &waiting));
        Ok(Self {
            commits,
            number: AtomicU64::new(0),
        })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Comes back once the record is on disk.
    pub(crate) async fn commit(&self, record: Vec<u8>) -> Result<()> {
        let (done, on_disk) = oneshot::channel();
        let commit = Commit { record, done };
        self.commits
            .try_send(commit)
            .map_err(|_| anyhow!("too many commits wait"))?;
        on_disk.await.context("the committer ended")??;
        Ok(())
    }
}

fn commit_all(db: &DB, waiting: &Receiver<Commit>) {
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    let mut key = 0_u64;
    while let Ok(first) = waiting.recv() {
        let group: Vec<Commit> = std::iter::once(first).chain(waiting.try_iter()).collect();
        let mut batch = WriteBatch::default();
        for commit in &group {
            batch.put(key.to_be_bytes(), &commit.record);
            key += 1;
        }
        let result = db.write_opt(batch, &synced);
        for commit in group {
            // Who went away has no use for the result.
            let _ = commit.done.send(result.clone());
        }
    }
}

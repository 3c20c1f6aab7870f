//! A disk that has no room for a while: whoever calls is told, and what was handed over is neither lost nor
//! shown before it is durable.

use std::sync::atomic::{AtomicBool, Ordering};

use taskyard_storage::{AppendError, CommitLog, Numbered, Trouble};
use taskyard_task::Partition;

use super::state::open_on;
use super::*;

/// A disk that answers nothing while something is short.
struct Short {
    inner: Box<dyn CommitLog>,
    short: Arc<AtomicBool>,
    /// Whether what is appended just before is on the disk all the same.
    lands: bool,
    silent: bool,
}

impl CommitLog for Short {
    fn append(&mut self, group: &[Numbered]) -> Result<(), AppendError> {
        assert!(
            !self.silent,
            "nothing is appended before it is known what was"
        );
        if !self.short.load(Ordering::SeqCst) {
            return self.inner.append(group);
        }
        if self.lands {
            self.inner.append(group)?;
        }
        self.silent = true;
        Err(AppendError::Unknown("no answer".to_owned()))
    }

    fn last(&mut self, partition: Partition) -> Option<u64> {
        match self.silent {
            true => None,
            false => self.inner.last(partition),
        }
    }

    fn recover(&mut self) -> Result<(), Trouble> {
        if self.short.load(Ordering::SeqCst) {
            return Err(Trouble::Shortage("no room".to_owned()));
        }
        self.silent = false;
        self.inner.recover()
    }
}

async fn yard_on(lands: bool) -> (Yard, Arc<AtomicBool>) {
    let short = Arc::new(AtomicBool::new(false));
    let (yard, folder) = (Yard::new(Config::default()).await, TempDir::new().unwrap());
    let broker = open_on(&folder, &yard, |inner| Short {
        inner,
        short: Arc::clone(&short),
        lands,
        silent: false,
    });
    let yard = Yard {
        folder,
        broker,
        ..yard
    };
    yard.deploy("1.0.0").await;
    (yard, short)
}

async fn tasks(yard: &Yard) -> u64 {
    let query = ListQuery {
        page_size: 10,
        ..ListQuery::default()
    };
    let page = yard.broker.list(&caller(""), &agent(), query).await;
    page.unwrap().total
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::Unavailable(said)) => said,
        other => panic!("{other:?}"),
    }
}

/// The same of what was handed over already.
fn unknown<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::OutcomeUnknown(said)) => said,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_calls_during_a_shortage_is_told_and_nothing_is_lost() {
    for lands in [true, false] {
        let (yard, short) = yard_on(lands).await;
        let mut first = request("1");
        first.announce = true;
        let sent = yard.broker.send(&caller(""), first).await.unwrap();
        let run = yard.broker.lease().await.unwrap();
        assert_eq!((run.task(), tasks(&yard).await), (sent.task, 1));

        short.store(true, Ordering::SeqCst);
        let mut second = request("2");
        second.announce = true;
        let told = unknown(yard.broker.send(&caller(""), second).await);
        assert!(told.contains("no room; it tries again by itself"), "{told}");
        assert!(told.contains("not known yet"), "{told}");
        let told = refused(yard.broker.send_quick(&caller(""), request("3")).await);
        assert!(!told.contains("not known yet"), "{told}");
        refused(yard.broker.cancel(&caller(""), &agent(), sent.task).await);
        assert!(yard.broker.is_ready().is_err());
        assert_eq!(yard.broker.stats().store.state, "waiting");

        // A run goes on, and waits where it must.
        run.record(chunk("x", true)).await.unwrap();
        let view = yard.broker.get(&caller(""), &agent(), sent.task).await;
        assert!(
            view.unwrap().outline.view.artifacts.is_empty(),
            "it is not durable"
        );
        let settled = tokio::spawn(run.settle(completed()));
        short.store(false, Ordering::SeqCst);
        settled.await.unwrap().unwrap();

        assert_eq!(yard.state(sent).await, TaskState::Completed);
        assert_eq!(yard.broker.is_ready(), Ok(()));
        assert_eq!(tasks(&yard).await, 2, "the second one is there, once");
        let other = yard.broker.lease().await.unwrap();
        other.settle(completed()).await.unwrap();
        let yard = yard.restart().await;
        assert_eq!(tasks(&yard).await, 2);
    }
}

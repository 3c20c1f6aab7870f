//! The newest chunk of an artifact waits a moment, so that the last one can say so.
//!
//! What looks after a chunk gets its turn only where these tests wait for something else.

use taskyard_task::{Change, TaskId};

use super::quick::{Disk, holds, yard};
use super::*;

fn closed(id: &str) -> Event {
    Event::ArtifactClosed { id: id.to_owned() }
}

fn said() -> Event {
    Event::Said {
        parts: vec![Part::text("so")],
    }
}

/// A run of a task that clients can see.
async fn running(yard: &Yard) -> (Run, Watch) {
    let sent = yard.send("go").await;
    let run = yard.broker.lease().await.unwrap();
    run.record(said()).await.unwrap();
    run.durable().await.unwrap();
    let mut watch = yard.broker.watch_sent(&sent).await.unwrap();
    watch.snapshot().await.unwrap();
    (run, watch)
}

/// The chunks of the log, and whether each is the last of its artifact.
async fn chunks(yard: &Yard, task: TaskId) -> Vec<(String, bool)> {
    let log = yard.broker.shared.storage.log(task, Seq::ZERO, 1_000);
    let chunks = log
        .unwrap()
        .into_iter()
        .filter_map(|(_, entry)| match entry.event {
            Event::ArtifactAppended { id, last, .. } => Some((id, last)),
            _ => None,
        });
    chunks.collect()
}

/// What each commit from the first chunk on appends.
fn commits(disk: &Disk, task: TaskId) -> Vec<Vec<&'static str>> {
    let appended = disk.commits_of(task).into_iter().map(|commit| {
        let entries = commit
            .changes
            .into_iter()
            .filter_map(|change| match change {
                Change::Append { entry, .. } => Some(entry.event.kind()),
                _ => None,
            });
        entries.collect::<Vec<_>>()
    });
    let has_chunk = |kinds: &Vec<&str>| kinds.contains(&"artifact-appended");
    appended.skip_while(|kinds| !has_chunk(kinds)).collect()
}

#[tokio::test]
async fn the_last_chunk_says_that_it_is() {
    for count in 1..4 {
        let (disk, yard) = yard().await;
        let (run, mut watch) = running(&yard).await;
        for number in 0..count {
            run.record(chunk("x", number == 0)).await.unwrap();
        }
        run.record(closed("a")).await.unwrap();
        run.settle(completed()).await.unwrap();
        let mut expected = vec![("a".to_owned(), false); count];
        expected[count - 1].1 = true;
        assert_eq!(chunks(&yard, run_of(&watch)).await, expected);
        let mut writes = vec![vec!["artifact-appended"]; count];
        writes[count - 1].push("artifact-closed");
        writes.push(vec!["completed"]);
        assert_eq!(commits(&disk, run_of(&watch)), writes);
        let seen = kinds(&mut watch).await;
        assert_eq!(seen.len(), count + 2, "{seen:?}");
    }
}

fn run_of(watch: &Watch) -> TaskId {
    watch.header().id
}

#[tokio::test]
async fn a_chunk_that_nothing_follows_is_shown_after_a_moment() {
    let (_, yard) = yard().await;
    let (run, mut watch) = running(&yard).await;
    for number in 0..3 {
        let began = tokio::time::Instant::now();
        run.record(chunk("x", number == 0)).await.unwrap();
        assert!(holds(&yard, run.task()));
        let page = watch.next().await.unwrap();
        assert_eq!(page[0].1.event.kind(), "artifact-appended");
        assert!(began.elapsed() >= CHUNK_PATIENCE);
    }
    // Too late for the last one to say so, and nothing that clients see.
    run.record(closed("a")).await.unwrap();
    run.settle(completed()).await.unwrap();
    let chunks = chunks(&yard, run_of(&watch)).await;
    assert!(chunks.iter().all(|(_, last)| !last), "{chunks:?}");
}

#[tokio::test]
async fn a_wait_of_the_worker_shows_it() {
    let (_, yard) = yard().await;
    let (run, mut watch) = running(&yard).await;
    run.record(chunk("x", true)).await.unwrap();
    run.show_chunk().await.unwrap();
    assert!(!holds(&yard, run.task()));
    watch.next().await.unwrap();
    run.record(chunk("y", false)).await.unwrap();
    let seen = run.header().last_outside;
    run.suspend(None, seen, None, 0).await.unwrap();
    assert!(!holds(&yard, run.task()));
    watch.next().await.unwrap();
}

#[tokio::test]
async fn what_is_seen_shows_it_and_what_is_not_does_not() {
    let (disk, yard) = yard().await;
    let (run, _) = running(&yard).await;
    run.record(chunk("x", true)).await.unwrap();
    run.record(Event::Slept { until_ns: 1 }).await.unwrap();
    assert!(holds(&yard, run.task()));
    run.record(closed("a")).await.unwrap();
    assert!(!holds(&yard, run.task()));
    let task = run.task();
    run.settle(completed()).await.unwrap();
    assert_eq!(chunks(&yard, task).await, [("a".to_owned(), true)]);
    let together = ["artifact-appended", "slept", "artifact-closed"];
    assert_eq!(commits(&disk, task), [&together[..], &["completed"]]);

    let (run, _) = running(&yard).await;
    run.record(chunk("x", true)).await.unwrap();
    run.record(said()).await.unwrap();
    assert!(!holds(&yard, run.task()));
}

#[tokio::test]
async fn whatever_leaves_the_sandbox_waits_for_it() {
    let (_, yard) = yard().await;
    let (run, _) = running(&yard).await;
    let (last, _) = run.record(chunk("x", true)).await.unwrap();
    run.durable().await.unwrap();
    let header = yard.broker.shared.storage.header(run.task()).unwrap();
    assert_eq!(header.unwrap().last, last);
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_it_to_the_next() {
    let (_, yard) = yard().await;
    let (run, mut watch) = running(&yard).await;
    let (last, _) = run.record(chunk("x", true)).await.unwrap();
    drop(run);
    let page = watch.next().await.unwrap();
    assert_eq!(page[0].0, last);
    let next = yard.broker.lease().await.unwrap();
    let journal = next.journal(Seq::ZERO, 100).await.unwrap();
    assert!(journal.iter().any(|(seq, _)| *seq == last));
    next.settle(completed()).await.unwrap();
}

#[tokio::test]
async fn a_close_of_another_artifact_seals_nothing() {
    let (_, yard) = yard().await;
    let (run, watch) = running(&yard).await;
    run.record(chunk("x", true)).await.unwrap();
    run.record(closed("b")).await.unwrap();
    run.settle(completed()).await.unwrap();
    assert_eq!(
        chunks(&yard, run_of(&watch)).await,
        [("a".to_owned(), false)]
    );
}

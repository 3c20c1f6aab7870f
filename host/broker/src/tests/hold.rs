//! The newest chunk of an artifact waits a moment, so that the last one can say so.
//!
//! What looks after a chunk gets its turn only where these tests wait for something else.

use proptest::prelude::*;
use taskyard_task::{Change, TaskId};

use super::quick::{Disk, NEVER, held, holds, logged, yard};
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
    let (mut chunks, mut after) = (Vec::new(), Seq::ZERO);
    loop {
        let page = yard.broker.shared.storage.log(task, after, 1_000).unwrap();
        let Some((last, _)) = page.last() else {
            return chunks;
        };
        after = *last;
        chunks.extend(page.into_iter().filter_map(|(_, entry)| match entry.event {
            Event::ArtifactAppended { id, last, .. } => Some((id, last)),
            _ => None,
        }));
    }
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

/// Appends a chunk to artifact `id`, the first of it or not.
async fn append(run: &Run, id: &str, is_first: bool) {
    let mut event = chunk("x", is_first);
    if let Event::ArtifactAppended { id: of, spec, .. } = &mut event {
        id.clone_into(of);
        if let Some(spec) = spec {
            id.clone_into(&mut spec.id);
        }
    }
    run.record(event).await.unwrap();
}

#[tokio::test]
async fn artifacts_that_overlap_are_sealed_all() {
    let (_, yard) = yard().await;
    let (run, watch) = running(&yard).await;
    append(&run, "a", true).await;
    append(&run, "b", true).await;
    append(&run, "a", false).await;
    run.record(closed("never-written")).await.unwrap();
    run.record(closed("a")).await.unwrap();
    run.record(closed("b")).await.unwrap();
    assert!(!holds(&yard, run.task()));
    run.settle(completed()).await.unwrap();
    let expected = [("a", false), ("b", true), ("a", true)];
    let expected = expected.map(|(id, last)| (id.to_owned(), last));
    assert_eq!(chunks(&yard, run_of(&watch)).await, expected);
}

#[tokio::test]
async fn a_chunk_does_not_hold_back_others_for_long() {
    let (_, yard) = yard().await;
    let (run, mut watch) = running(&yard).await;
    append(&run, "a", true).await;
    tokio::time::sleep(CHUNK_PATIENCE / 2).await;
    append(&run, "b", true).await;
    let page = watch.next().await.unwrap();
    assert_eq!(page.len(), 1, "the younger one may still be sealed");
    run.record(closed("b")).await.unwrap();
    run.settle(completed()).await.unwrap();
    let expected = [("a", false), ("b", true)].map(|(id, last)| (id.to_owned(), last));
    assert_eq!(chunks(&yard, run_of(&watch)).await, expected);
}

/// How much fits into the committer's queue.
const QUEUE_BYTES: usize = 64 << 20;

#[tokio::test]
async fn chunks_count_while_they_are_held_and_after() {
    const SIZE: usize = 8 << 20;
    let (disk, yard) = yard().await;
    let (run, watch) = running(&yard).await;
    let busy = disk.keep_busy().await;
    let mut written = 0;
    let large = "x".repeat(SIZE);
    while written <= 2 * QUEUE_BYTES {
        let appended = run.record(chunk(&large, written == 0));
        if tokio::time::timeout(4 * CHUNK_PATIENCE, appended)
            .await
            .is_err()
        {
            break;
        }
        written += SIZE;
        run.record(Event::Slept { until_ns: 1 }).await.unwrap();
    }
    assert!((SIZE..=QUEUE_BYTES).contains(&written), "{written}");
    drop(busy);
    run.settle(completed()).await.unwrap();
    assert_eq!(
        chunks(&yard, run_of(&watch)).await.len(),
        written / SIZE,
        "what waited for room was given up"
    );
}

#[tokio::test]
async fn the_beginning_of_a_task_counts_too() {
    let (_, yard) = yard().await;
    let free = yard.broker.shared.storage.reserve(QUEUE_BYTES);
    drop(tokio::time::timeout(NEVER, free).await.unwrap().unwrap());
    let _client = held(&yard, request("1")).await;
    let _run = yard.broker.lease().await.unwrap();
    let all = yard.broker.shared.storage.reserve(QUEUE_BYTES);
    assert!(all.now_or_never().is_none());
}

#[tokio::test]
async fn chunks_that_need_the_whole_queue_do_not_wait_for_each_other_forever() {
    let (_, yard) = yard().await;
    let (run, watch) = running(&yard).await;
    let large = "x".repeat(QUEUE_BYTES / 3 * 2);
    for number in 0..3 {
        let appended = run.record(chunk(&large, number == 0));
        tokio::time::timeout(NEVER, appended)
            .await
            .unwrap()
            .unwrap();
    }
    run.settle(completed()).await.unwrap();
    assert_eq!(chunks(&yard, run_of(&watch)).await.len(), 3);
}

/// What happens to a task that writes artifacts; numbers name artifacts.
#[derive(Debug, Clone, Copy)]
enum Step {
    Append(usize),
    Close(usize),
    /// Nothing that clients see.
    Sleep,
    Say,
    Wait,
    /// The run is dropped, and another one goes on.
    Drop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..3_usize).prop_map(Step::Append),
        6 => (0..3_usize).prop_map(Step::Close),
        2 => Just(Step::Sleep),
        1 => Just(Step::Say),
        1 => Just(Step::Wait),
        1 => Just(Step::Drop),
    ]
}

/// What a chunk ought to say, by a model that knows nothing of commits.
#[derive(Default)]
struct Model {
    chunks: Vec<(String, bool)>,
    /// The newest chunk of each artifact that is open, unless clients have seen it.
    unseen: [Option<usize>; 3],
    /// How often each artifact was closed; it goes on under another name.
    closes: [usize; 3],
    opened: [bool; 3],
    /// What the log has to say, by kind.
    kinds: Vec<&'static str>,
}

impl Model {
    fn name(&self, artifact: usize) -> String {
        format!("{artifact}-{}", self.closes[artifact])
    }

    async fn take(&mut self, yard: &Yard, run: Run, step: Step) -> Run {
        let record = async |event: Event| {
            let kind = event.kind();
            run.record(event).await.unwrap();
            kind
        };
        match step {
            Step::Append(artifact) => {
                let name = self.name(artifact);
                let is_first = !std::mem::replace(&mut self.opened[artifact], true);
                append(&run, &name, is_first).await;
                self.unseen[artifact] = Some(self.chunks.len());
                self.chunks.push((name, false));
                self.kinds.push("artifact-appended");
            }
            Step::Close(artifact) => {
                self.kinds.push(record(closed(&self.name(artifact))).await);
                if let Some(chunk) = self.unseen[artifact].take() {
                    self.chunks[chunk].1 = true;
                }
                self.closes[artifact] += 1;
                self.opened[artifact] = false;
            }
            Step::Sleep => self.kinds.push(record(Event::Slept { until_ns: 1 }).await),
            Step::Say => {
                self.kinds.push(record(said()).await);
                self.unseen = [None; 3];
            }
            Step::Wait => {
                run.show_chunk().await.unwrap();
                self.unseen = [None; 3];
            }
            Step::Drop => {
                let task = run.task();
                drop(run);
                while holds(yard, task) {
                    tokio::time::sleep(CHUNK_PATIENCE / 5).await;
                }
                self.unseen = [None; 3];
                self.kinds.push("started");
                return yard.broker.lease().await.unwrap();
            }
        }
        run
    }
}

/// All that a client that follows gets from here on.
async fn seen(watch: &mut Watch) -> Vec<(Seq, Entry)> {
    let mut seen = Vec::new();
    loop {
        let page = watch.next().await.unwrap();
        if page.is_empty() {
            return seen;
        }
        seen.extend(page);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_a_worker_writes_clients_get_it_once_in_order_and_sealed(
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_, yard) = yard().await;
            let (mut run, mut watch) = running(&yard).await;
            let task = run.task();
            let mut model = Model::default();
            for step in steps {
                run = model.take(&yard, run, step).await;
            }
            run.settle(completed()).await.unwrap();
            assert_eq!(chunks(&yard, task).await, model.chunks);
            let log: Vec<_> = logged(&yard, task).into_iter().map(|(_, kind)| kind).collect();
            let begun = log.len() - model.kinds.len() - 1;
            assert_eq!(log[begun..log.len() - 1], model.kinds);
            let seen: Vec<_> = seen(&mut watch).await.into_iter().map(|(seq, _)| seq).collect();
            let stored = yard.broker.shared.storage.log(task, Seq::ZERO, 1_000).unwrap();
            let stored: Vec<_> = stored.into_iter().map(|(seq, _)| seq).collect();
            assert!(stored.ends_with(&seen) && seen.len() > model.kinds.len(), "{seen:?}");
        });
    }
}

//! State of workers: shared by tasks, written with the log, gone in time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use taskyard_storage::{AppendError, CommitLog, Numbered, Storage, Trouble};
use taskyard_task::{
    Expected, LimitChanges, Partition, StateCall, StatePlace, StateResult, StateScope, Stored,
};

use super::*;
use crate::broker::Listeners;

const TENANT: StateScope = StateScope::Tenant;
const TASK: StateScope = StateScope::Task;

fn get(scope: StateScope, key: &str) -> StateCall {
    StateCall::Get {
        scope,
        key: key.to_owned(),
    }
}

fn put(scope: StateScope, key: &str, value: &str) -> StateCall {
    StateCall::Put {
        scope,
        key: key.to_owned(),
        value: Some(value.as_bytes().to_vec().into()),
        ttl_ms: None,
        expected: Expected::Anything,
    }
}

fn put_for(scope: StateScope, key: &str, ttl_ms: u64) -> StateCall {
    StateCall::Put {
        scope,
        key: key.to_owned(),
        value: Some(b"v".to_vec().into()),
        ttl_ms: Some(ttl_ms),
        expected: Expected::Anything,
    }
}

fn remove(scope: StateScope, key: &str) -> StateCall {
    StateCall::Put {
        scope,
        key: key.to_owned(),
        value: None,
        ttl_ms: None,
        expected: Expected::Anything,
    }
}

fn swap(scope: StateScope, key: &str, expected: Option<u64>, value: &str) -> StateCall {
    StateCall::Put {
        scope,
        key: key.to_owned(),
        value: Some(value.as_bytes().to_vec().into()),
        ttl_ms: None,
        expected: expected.into(),
    }
}

fn list(scope: StateScope, prefix: &str, after: Option<&str>, limit: u32) -> StateCall {
    StateCall::Keys {
        scope,
        prefix: prefix.to_owned(),
        after: after.map(str::to_owned),
        limit,
    }
}

async fn call(run: &Run, call: StateCall) -> StateResult {
    run.state(call).await.unwrap().2
}

async fn found(run: &Run, scope: StateScope, key: &str) -> Option<Stored> {
    match call(run, get(scope, key)).await {
        StateResult::Found(stored) => stored,
        other => panic!("{other:?}"),
    }
}

async fn value(run: &Run, scope: StateScope, key: &str) -> Option<String> {
    let stored = found(run, scope, key).await;
    stored.map(|stored| String::from_utf8(stored.value).unwrap())
}

async fn written(run: &Run, put: StateCall) -> u64 {
    match call(run, put).await {
        StateResult::Written(version) => version,
        other => panic!("{other:?}"),
    }
}

async fn listed(run: &Run, keys: StateCall) -> Vec<String> {
    match call(run, keys).await {
        StateResult::Keys(keys) => keys,
        other => panic!("{other:?}"),
    }
}

/// A run of a new task of `tenant` in the conversation `context`.
async fn begin(broker: &Broker, tenant: &str, context: &str) -> Run {
    let mut request = request("go");
    request.context_id = Some(context.to_owned());
    let sent = broker.send(&caller(tenant), request).await.unwrap();
    let run = broker.lease().await.unwrap();
    assert_eq!(run.task(), sent.task);
    run
}

/// Waits until all that the run did is applied and let go of.
async fn settle_down(run: &Run) {
    // The committer lets go of commits in their order, so of those before the last one.
    for _ in 0..2 {
        run.record(Event::Said { parts: Vec::new() }).await.unwrap();
    }
    run.durable().await.unwrap();
}

#[tokio::test]
async fn scopes_are_shared_as_they_say() {
    let yard = Yard::new(Config::default()).await;
    let first = begin(&yard.broker, "a", "c1").await;
    let scopes = [
        StateScope::Task,
        StateScope::Context,
        StateScope::Plugin,
        StateScope::Tenant,
    ];
    for scope in scopes {
        written(&first, put(scope, "k", &format!("{scope:?}"))).await;
    }
    let there = async |run: &Run| {
        let mut there = Vec::new();
        for scope in scopes {
            let seen = value(run, scope, "k").await;
            assert!(seen.is_none() || seen == Some(format!("{scope:?}")));
            there.push(seen.is_some());
        }
        there
    };
    let same_context = begin(&yard.broker, "a", "c1").await;
    let other_context = begin(&yard.broker, "a", "c2").await;
    let other_tenant = begin(&yard.broker, "b", "c1").await;
    for _ in ["on the way or not", "surely durable"] {
        assert_eq!(there(&first).await, [true, true, true, true]);
        assert_eq!(there(&same_context).await, [false, true, true, true]);
        assert_eq!(there(&other_context).await, [false, false, true, true]);
        assert_eq!(there(&other_tenant).await, [false; 4]);
        settle_down(&first).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_swaps_lose_no_update() {
    const TASKS: usize = 8;
    const EACH: usize = 100;
    let yard = Yard::new(Config::default()).await;
    let mut workers = Vec::new();
    for _ in 0..TASKS {
        let run = begin(&yard.broker, "a", "c").await;
        workers.push(tokio::spawn(async move {
            let mut versions = Vec::new();
            while versions.len() < EACH {
                let seen = found(&run, TENANT, "counter").await;
                let count: usize = seen.as_ref().map_or(0, |stored| {
                    String::from_utf8_lossy(&stored.value).parse().unwrap()
                });
                let expected = seen.map(|stored| stored.version);
                let next = (count + 1).to_string();
                match call(&run, swap(TENANT, "counter", expected, &next)).await {
                    StateResult::Written(version) => versions.push(version),
                    StateResult::Stale(Some(now)) => assert!(Some(now.version) > expected),
                    other => panic!("{other:?}"),
                }
            }
            (run, versions)
        }));
    }
    let mut versions = BTreeSet::new();
    let mut runs = Vec::new();
    for worker in workers {
        let (run, its) = worker.await.unwrap();
        assert!(its.is_sorted());
        versions.extend(its);
        runs.push(run);
    }
    assert_eq!(versions.len(), TASKS * EACH, "no version came twice");
    let all = (TASKS * EACH).to_string();
    assert_eq!(value(&runs[0], TENANT, "counter").await, Some(all.clone()));
    for run in &runs {
        settle_down(run).await;
    }
    assert!(yard.broker.shared.state.is_empty(), "all of it arrived");
    assert_eq!(value(&runs[0], TENANT, "counter").await, Some(all));
}

#[tokio::test]
async fn a_version_never_comes_back() {
    let yard = Yard::new(Config::default()).await;
    let run = begin(&yard.broker, "a", "c").await;
    let mut last = 0;
    for round in 0..20 {
        let first = written(&run, put(TENANT, "k", "v")).await;
        let second = written(&run, put(TENANT, "k", "v")).await;
        assert!(last < first && first < second, "in round {round}");
        last = second;
        assert_eq!(written(&run, remove(TENANT, "k")).await, 0);
        if round % 2 == 0 {
            settle_down(&run).await;
        }
    }
    yard.broker.begin_shutdown();
    drop(run);
    yard.clock.advance(Duration::from_millis(1));
    let yard = yard.restart().await;
    let run = yard.broker.lease().await.unwrap();
    assert!(written(&run, put(TENANT, "k", "v")).await > last);
    let stale = call(&run, swap(TENANT, "k", Some(last), "w")).await;
    assert!(matches!(stale, StateResult::Stale(Some(_))), "{stale:?}");
}

#[tokio::test]
async fn keys_are_listed_as_decided_last() {
    let yard = Yard::new(Config::default()).await;
    let run = begin(&yard.broker, "a", "c").await;
    for key in ["a/1", "a/3", "a/4", "a/6", "b"] {
        written(&run, put(TENANT, key, "v")).await;
    }
    settle_down(&run).await;
    // One is removed, one is new, one is written over, all perhaps still on the way.
    written(&run, remove(TENANT, "a/3")).await;
    written(&run, put(TENANT, "a/2", "v")).await;
    written(&run, put(TENANT, "a/4", "w")).await;
    written(&run, put_for(TENANT, "a/5", 0)).await;
    let table: [(&str, Option<&str>, u32, &[&str]); 7] = [
        ("", None, 100, &["a/1", "a/2", "a/4", "a/6", "b"]),
        ("a/", None, 100, &["a/1", "a/2", "a/4", "a/6"]),
        ("a/", None, 3, &["a/1", "a/2", "a/4"]),
        ("a/", Some("a/2"), 2, &["a/4", "a/6"]),
        ("a/", Some("a/3"), 1, &["a/4"]),
        ("a/", Some("a"), 1, &["a/1"]),
        ("a/", Some("b"), 9, &[]),
    ];
    for _ in ["on the way or not", "surely durable"] {
        for (prefix, after, limit, expected) in table {
            let got = listed(&run, list(TENANT, prefix, after, limit)).await;
            assert_eq!(got, expected, "{limit} of {prefix:?} behind {after:?}");
        }
        settle_down(&run).await;
    }
}

#[tokio::test]
async fn what_has_expired_is_gone_and_then_swept() {
    let yard = Yard::new(Config::default()).await;
    let (broker, clock) = (&yard.broker, &yard.clock);
    let run = begin(broker, "a", "c").await;
    for key in ["gone", "renewed", "kept", "back"] {
        written(&run, put_for(TENANT, key, 1_000)).await;
    }
    clock.advance(Duration::from_millis(999));
    assert!(found(&run, TENANT, "gone").await.is_some());
    written(&run, put_for(TENANT, "renewed", 1_000)).await;
    written(&run, put(TENANT, "kept", "v")).await;
    clock.advance(Duration::from_millis(1));
    let keys = list(TENANT, "", None, 10);
    for _ in ["before the sweep", "after it"] {
        assert_eq!(found(&run, TENANT, "gone").await, None);
        assert_eq!(listed(&run, keys.clone()).await, ["kept", "renewed"]);
        settle_down(&run).await;
        broker.sweep_state(Timestamp(0)).await.unwrap();
    }
    let tenant = StatePlace::Tenant("a".parse().unwrap());
    let storage = &broker.shared.storage;
    assert_eq!(storage.state_count(&tenant).unwrap(), 2);
    assert_eq!(storage.state(&tenant, "gone").unwrap(), None);
    let back = call(&run, swap(TENANT, "back", None, "v")).await;
    assert!(matches!(back, StateResult::Written(_)), "{back:?}");

    clock.advance(Duration::from_secs(60));
    settle_down(&run).await;
    assert_eq!(
        broker.sweep_state(Timestamp(0)).await.unwrap().removed,
        1,
        "`renewed`"
    );
    assert_eq!(listed(&run, keys).await, ["back", "kept"]);
    assert_eq!(broker.sweep_state(Timestamp(0)).await.unwrap().removed, 0);
}

#[tokio::test]
async fn a_sweep_takes_more_than_one_look_and_leaves_nothing() {
    let yard = Yard::new(Config::default()).await;
    let run = begin(&yard.broker, "a", "c").await;
    for number in 0..600 {
        written(&run, put_for(TENANT, &format!("k{number}"), 1)).await;
    }
    settle_down(&run).await;
    yard.clock.advance(Duration::from_millis(1));
    assert_eq!(
        yard.broker.sweep_state(Timestamp(0)).await.unwrap().removed,
        600
    );
    let tenant = StatePlace::Tenant("a".parse().unwrap());
    assert_eq!(yard.broker.shared.storage.state_count(&tenant).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_and_sweeps_agree_on_what_is_there() {
    const TASKS: usize = 6;
    const EACH: usize = 200;
    let yard = Yard::new(Config::default()).await;
    let stop = Arc::new(AtomicUsize::new(0));
    let (sweeper, stopped) = (yard.broker.clone(), Arc::clone(&stop));
    let sweeps = tokio::spawn(async move {
        let mut swept = 0;
        while stopped.load(Ordering::SeqCst) == 0 {
            swept += sweeper.sweep_state(Timestamp(0)).await.unwrap().removed;
            tokio::task::yield_now().await;
        }
        swept
    });
    let mut writers = Vec::new();
    for task in 0..TASKS {
        let run = begin(&yard.broker, "a", "c").await;
        writers.push(tokio::spawn(async move {
            for step in 0..EACH {
                let key = format!("k{}", (step * 7 + task) % 5);
                let write = match (step + task) % 4 {
                    0 => put(TENANT, &key, "v"),
                    1 => remove(TENANT, &key),
                    // Expired at once, and swept if nobody is faster.
                    _ => put_for(TENANT, &key, 0),
                };
                call(&run, write).await;
            }
            settle_down(&run).await;
            run
        }));
    }
    let mut runs = Vec::new();
    for writer in writers {
        runs.push(writer.await.unwrap());
    }
    stop.store(1, Ordering::SeqCst);
    sweeps.await.unwrap();
    settle_down(&runs[0]).await;
    yard.broker.sweep_state(Timestamp(0)).await.unwrap();
    let tenant = StatePlace::Tenant("a".parse().unwrap());
    let storage = &yard.broker.shared.storage;
    let there = listed(&runs[0], list(TENANT, "", None, 100)).await;
    assert_eq!(storage.state_count(&tenant).unwrap(), there.len() as u64);
    let now = yard.clock.now();
    assert_eq!(storage.expired_state(Timestamp(0), now, 100).unwrap(), []);
    settle_down(&runs[0]).await;
    assert!(yard.broker.shared.state.is_empty());
}

#[tokio::test]
async fn a_tasks_own_state_ends_with_it() {
    let yard = Yard::new(Config::default()).await;
    let run = begin(&yard.broker, "a", "c").await;
    let own = StatePlace::Task(run.task());
    written(&run, put(TASK, "k", "v")).await;
    written(&run, put_for(TASK, "l", 1_000)).await;
    written(&run, put(StateScope::Context, "k", "v")).await;
    run.durable().await.unwrap();
    let storage = &yard.broker.shared.storage;
    assert_eq!(storage.state_count(&own).unwrap(), 2);
    run.settle(completed()).await.unwrap();
    assert_eq!(storage.state_count(&own).unwrap(), 0);
    assert_eq!(storage.state(&own, "k").unwrap(), None);
    // Its expiry is left over, and harms nobody.
    yard.clock.advance(Duration::from_secs(1));
    assert_eq!(
        yard.broker.sweep_state(Timestamp(0)).await.unwrap().removed,
        1
    );
    assert_eq!(
        yard.broker.sweep_state(Timestamp(0)).await.unwrap().removed,
        0
    );
    assert_eq!(storage.state_count(&own).unwrap(), 0);
    let next = begin(&yard.broker, "a", "c").await;
    assert!(found(&next, StateScope::Context, "k").await.is_some());
}

#[tokio::test]
async fn a_place_takes_so_many_keys_and_no_more() {
    let yard = Yard::new(Config::default()).await;
    let limits = LimitChanges {
        state_keys: Some(2),
        ..LimitChanges::default()
    };
    yard.broker
        .deploy(DeployRequest {
            agent: None,
            component: "2.0.0".into(),
            config: None,
            limits,
            max_runs: None,
            egress: None,
            answer_by_context: None,
            replace: false,
        })
        .await
        .unwrap();
    let run = begin(&yard.broker, "a", "c").await;
    for scope in [TASK, TENANT] {
        written(&run, put(scope, "1", "v")).await;
        written(&run, put(scope, "2", "v")).await;
        let full = StateResult::Full { limit: 2 };
        for _ in ["on the way or not", "surely durable"] {
            assert_eq!(call(&run, put(scope, "3", "v")).await, full);
            assert_eq!(call(&run, swap(scope, "3", None, "v")).await, full);
            written(&run, put(scope, "2", "w")).await;
            settle_down(&run).await;
        }
        written(&run, remove(scope, "1")).await;
        written(&run, put(scope, "3", "v")).await;
        assert_eq!(call(&run, put(scope, "1", "v")).await, full);
        assert_eq!(listed(&run, list(scope, "", None, 9)).await, ["2", "3"]);
    }
}

#[tokio::test]
async fn a_superseded_run_writes_no_state() {
    let yard = Yard::new(Config::default()).await;
    let stale = begin(&yard.broker, "a", "c").await;
    written(&stale, put(TENANT, "k", "old")).await;
    yard.broker
        .enqueue(crate::broker::work_item(stale.header()));
    let current = yard.broker.lease().await.unwrap();
    let refused = stale.state(put(TENANT, "k", "stale")).await;
    assert!(matches!(
        refused,
        Err(Error::Refused(taskyard_task::Refusal::StaleRun))
    ));
    assert_eq!(value(&current, TENANT, "k").await.as_deref(), Some("old"));
    let refused = stale.state(put(TENANT, "new", "stale")).await;
    assert!(refused.is_err());
    assert_eq!(value(&current, TENANT, "new").await, None);
    settle_down(&current).await;
    assert!(yard.broker.shared.state.is_empty());
}

/// A disk that breaks after so many groups of commits; the last one may land without an answer.
pub(super) struct Breaking {
    pub(super) inner: Box<dyn CommitLog>,
    pub(super) left: Arc<AtomicUsize>,
    pub(super) lands: bool,
    pub(super) broken: bool,
}

impl CommitLog for Breaking {
    fn append(&mut self, group: &[Numbered]) -> Result<(), AppendError> {
        let left = self.left.load(Ordering::SeqCst);
        if left > 0 {
            self.left.store(left - 1, Ordering::SeqCst);
            return self.inner.append(group);
        }
        if self.lands && !self.broken {
            self.inner.append(group)?;
        }
        self.broken = true;
        Err(AppendError::Unknown("the disk is gone".to_owned()))
    }

    fn last(&mut self, partition: Partition) -> Option<u64> {
        match self.broken {
            true => None,
            false => self.inner.last(partition),
        }
    }

    fn recover(&mut self) -> Result<(), Trouble> {
        match self.broken {
            true => Err(Trouble::Final("the disk is gone".to_owned())),
            false => self.inner.recover(),
        }
    }
}

/// A disk that takes its time.
struct Slow {
    inner: Box<dyn CommitLog>,
    /// Held by whoever wants nothing to be durable.
    busy: Arc<tokio::sync::Mutex<()>>,
}

impl CommitLog for Slow {
    fn append(&mut self, group: &[Numbered]) -> Result<(), AppendError> {
        let _busy = self.busy.blocking_lock();
        self.inner.append(group)
    }

    fn last(&mut self, partition: Partition) -> Option<u64> {
        self.inner.last(partition)
    }

    fn recover(&mut self) -> Result<(), Trouble> {
        self.inner.recover()
    }
}

/// Opens what `yard` has closed, on another disk.
pub(super) fn open_on<L: CommitLog + 'static>(
    folder: &TempDir,
    yard: &Yard,
    disk: impl FnOnce(Box<dyn CommitLog>) -> L,
) -> Broker {
    let listeners = Listeners::default();
    let publisher = listeners.clone();
    let applied = move |group: &[Numbered]| publisher.publish(group);
    let config = taskyard_storage::Config {
        folder: folder.path().to_owned(),
        sync: false,
        max_open_files: None,
        accept_data_loss: false,
    };
    let storage = Storage::open_with_log(&config, applied, disk).unwrap();
    let sources = Sources {
        clock: yard.clock.clone(),
        ids: IdSource::system(),
    };
    let broker = Broker::with_storage(storage, listeners, yard.config.clone(), sources).unwrap();
    broker.set_inspector(Arc::new(AnyComponent));
    broker
}

#[tokio::test]
async fn what_is_decided_counts_before_it_is_durable() {
    let mut yard = Yard::new(Config::default()).await;
    yard.config.worker.state_keys = 3;
    let busy = Arc::new(tokio::sync::Mutex::new(()));
    let folder = TempDir::new().unwrap();
    yard.broker = open_on(&folder, &yard, |inner| Slow {
        inner,
        busy: Arc::clone(&busy),
    });
    yard.deploy("1.0.0").await;
    let one = begin(&yard.broker, "a", "c").await;
    let other = begin(&yard.broker, "a", "c").await;
    let old = written(&one, put(TENANT, "old", "v")).await;
    written(&one, put(TENANT, "older", "v")).await;
    settle_down(&one).await;

    let waiting = busy.lock().await;
    let new = written(&one, put(TENANT, "new", "v")).await;
    written(&one, remove(TENANT, "old")).await;
    assert_eq!(value(&other, TENANT, "new").await.as_deref(), Some("v"));
    assert_eq!(found(&other, TENANT, "old").await, None);
    let stale = call(&other, swap(TENANT, "new", None, "w")).await;
    assert!(matches!(stale, StateResult::Stale(Some(_))), "{stale:?}");
    let stale = call(&other, swap(TENANT, "old", Some(old), "w")).await;
    assert_eq!(stale, StateResult::Stale(None));
    assert!(written(&other, swap(TENANT, "new", Some(new), "w")).await > new);
    written(&other, put(TENANT, "third", "v")).await;
    let full = call(&one, put(TENANT, "fourth", "v")).await;
    assert_eq!(full, StateResult::Full { limit: 3 });
    let keys = list(TENANT, "", None, 9);
    assert_eq!(listed(&one, keys.clone()).await, ["new", "older", "third"]);
    let tenant = StatePlace::Tenant("a".parse().unwrap());
    let storage = &yard.broker.shared.storage;
    assert_eq!(storage.state(&tenant, "new").unwrap(), None);
    assert!(storage.state(&tenant, "old").unwrap().is_some());

    drop(waiting);
    settle_down(&one).await;
    assert_eq!(storage.state(&tenant, "new").unwrap().unwrap().value, b"w");
    assert_eq!(storage.state_count(&tenant).unwrap(), 3);
    assert_eq!(listed(&other, keys).await, ["new", "older", "third"]);
    settle_down(&other).await;
    assert!(yard.broker.shared.state.is_empty());
}

/// How often the log of a run says that something was written.
async fn writes_in_log(run: &Run) -> usize {
    let (mut writes, mut last) = (0, Seq::ZERO);
    while last < run.header().last {
        for (seq, entry) in run.journal(last, 100).await.unwrap() {
            writes += usize::from(entry.event.kind() == "state");
            last = seq;
        }
    }
    writes
}

#[tokio::test]
async fn wherever_the_host_dies_log_and_state_agree() {
    const WRITES: usize = 6;
    for (survived, lands) in (0..=WRITES).flat_map(|n| [(n, false), (n, true)]) {
        let case = format!("{survived} groups survived, one more landed: {lands}");
        let yard = Yard::new(Config::default()).await;
        let folder = TempDir::new().unwrap();
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let broker = open_on(&folder, &yard, |inner| Breaking {
            inner,
            left: Arc::clone(&left),
            lands,
            broken: false,
        });
        let yard = Yard { broker, ..yard };
        yard.deploy("1.0.0").await;
        let run = begin(&yard.broker, "a", "c").await;
        settle_down(&run).await;
        left.store(survived, Ordering::SeqCst);
        for number in 1..=WRITES {
            let write = run.state(put(TENANT, "k", &number.to_string())).await;
            if write.is_err() || run.durable().await.is_err() {
                break;
            }
        }
        yard.broker.begin_shutdown();
        drop(run);

        let yard = Yard { folder, ..yard }.restart().await;
        let run = yard.broker.lease().await.unwrap();
        let expected = WRITES.min(survived + usize::from(lands));
        assert_eq!(writes_in_log(&run).await, expected, "{case}");
        let value = value(&run, TENANT, "k").await;
        let number = value.map_or(0, |value| value.parse().unwrap());
        assert_eq!(number, expected, "{case}");
        let tenant = StatePlace::Tenant("a".parse().unwrap());
        let count = yard.broker.shared.storage.state_count(&tenant).unwrap();
        assert_eq!(count, u64::from(expected > 0), "{case}");
    }
}

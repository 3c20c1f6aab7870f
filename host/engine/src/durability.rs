//! Kills the process at every entry of a task's log, and compares: clients and the outside must not be able
//! to tell. Real components, in a world of [`crate::replay::world`].

mod golden;
mod plugins;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use taskyard_clock::{Clock, IdSource};
use taskyard_task::{Event, Seq, TaskState, TaskView, Timestamp, fold::ArtifactView};
use wasmtime::component::Component;

use crate::bindings::WorkerPre;
use crate::inspect::{PluginInspector, turns};
use crate::instance::Prepared;
use crate::replay::world::{Crash, Script, Sent, World, is_over};
use crate::sandbox::Sandbox;
use crate::verdict::{End, Ended};
use crate::workers::{LinkedWorker, Workers};
use crate::{Config, InProcess};

/// Waits always keep the instance, or never.
const HOLDS: [Duration; 2] = [Duration::ZERO, Duration::from_secs(1 << 30)];
/// No script needs more runs.
const MOST_RUNS: usize = 1_000;

static SANDBOX: LazyLock<Arc<Sandbox>> = LazyLock::new(|| {
    let config = Config {
        max_instances: 16,
        ..Config::default()
    };
    Sandbox::with_fuel(&config).unwrap()
});

static WORKERS: LazyLock<Mutex<BTreeMap<String, LinkedWorker>>> = LazyLock::new(Mutex::default);

/// A component that `make guests` or `make build` has built. Compiled once: some take seconds.
pub(crate) fn worker(file: &str) -> LinkedWorker {
    let mut workers = WORKERS.lock().unwrap_or_else(PoisonError::into_inner);
    let compiled = workers.entry(file.to_owned());
    Arc::clone(compiled.or_insert_with(|| compile(file)))
}

fn compile(file: &str) -> LinkedWorker {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../target")
        .join(file);
    let component = Component::from_file(&SANDBOX.engine, &path);
    let component = component.unwrap_or_else(|error| {
        panic!(
            "{} (run `make build guests` first): {error:#}",
            path.display()
        )
    });
    let linked = SANDBOX.linker.instantiate_pre(&component).unwrap();
    Arc::new(WorkerPre::new(linked).unwrap())
}

/// The name that a component says it has.
pub(crate) async fn described_name(file: &str) -> String {
    let (clock, ids) = (Clock::system(), IdSource::system());
    let sandbox = Arc::clone(&SANDBOX);
    let (config, compiler) = (Config::default(), Arc::new(InProcess));
    let workers = Workers::new(&config, Arc::clone(&sandbox), compiler, clock.clone(), ids);
    let inspector = PluginInspector::new(sandbox, Arc::new(workers.unwrap()), clock, turns());
    let worker = worker(file);
    let described = inspector.describe(&worker, [1; 32], Timestamp(0));
    described.await.unwrap().name
}

/// Whether everything that a component, given as text, imports is there.
pub(crate) fn is_linked(component: &str) -> bool {
    let component = wat::parse_str(component).unwrap();
    let component = Component::new(&SANDBOX.engine, component).unwrap();
    SANDBOX.linker.instantiate_pre(&component).is_ok()
}

/// One run, until it ends or the process dies; with the instructions that it used, if it was not cut off.
pub(crate) async fn run_once(world: &World, worker: &LinkedWorker, hold: Duration) -> Option<u64> {
    let header = world.lease_or_die()?;
    let (log, network) = (Arc::new(world.clone()), Arc::new(world.clone()));
    let clock = &world.clock;
    let opened = Prepared::open(Arc::clone(worker), &header, log, network, clock, hold).await;
    let (end, fuel) = match opened {
        Ok(prepared) => {
            let never = std::future::pending::<Ended>();
            let performed = tokio::select! {
                biased;
                performed = prepared.perform(&SANDBOX, never) => performed,
                () = world.crashed() => return None,
                () = world.pass_time() => return None,
            };
            let fuel = performed.fuel();
            (performed.judge(), Some(fuel))
        }
        Err(end) => (end, None),
    };
    if let End::Settled(outcome) = end {
        world.settle(outcome);
    }
    fuel
}

/// As many runs as it takes. Gives what the last one used.
pub(crate) async fn complete(world: &World, worker: &LinkedWorker, hold: Duration) -> Option<u64> {
    let mut fuel = None;
    for _ in 0..MOST_RUNS {
        if is_over(&world.header()) || !world.until_runnable() {
            return fuel;
        }
        fuel = run_once(world, worker, hold).await;
    }
    panic!("the task does not end: {:?}", world.log());
}

/// What anybody outside can tell about a task that is over.
#[derive(Debug, PartialEq)]
struct Seen {
    events: Vec<Event>,
    artifacts: Vec<ArtifactView>,
    state: TaskState,
    /// Each request once, however often it was sent with the same key.
    requests: Vec<Sent>,
}

fn seen(world: &World, strict: bool) -> Seen {
    let header = world.header();
    let mut view = TaskView::default();
    for (seq, entry) in world.log() {
        view.apply_counting(&header.rewound, seq, entry);
    }
    let mut requests: Vec<Sent> = world.sent();
    requests.sort();
    // The key tells sendings of one request apart from requests that look the same.
    requests.dedup();
    for request in &mut requests {
        request.key = request.key.as_ref().map(|_| "some".to_owned());
    }
    requests.sort();
    if !strict {
        // What broke off was asked for again.
        requests.dedup();
    }
    Seen {
        events: if strict { world.visible() } else { Vec::new() },
        // Where a crash cut a stream decides where chunks begin and end.
        artifacts: view.take_artifacts(),
        state: header.state,
        requests,
    }
}

/// How often each request was sent.
fn sendings(world: &World) -> BTreeMap<Sent, usize> {
    let mut sendings = BTreeMap::new();
    for sent in world.sent() {
        *sendings.entry(sent).or_default() += 1;
    }
    sendings
}

/// Kills the process right before and right after every entry. `strict`: every event and every
/// request must be the same, not only what is left at the end, and what was asked for at all.
pub(crate) async fn kill_everywhere(file: &str, strict: bool, script: impl Fn() -> Script) {
    let worker = worker(file);
    for hold in HOLDS {
        let undisturbed = World::new(script());
        complete(&undisturbed, &worker, hold).await;
        let expected = seen(&undisturbed, strict);
        assert!(expected.state.is_terminal(), "{:?}", undisturbed.log());
        let last = undisturbed.header().last;
        assert!(last.0 > 3, "{file} does nothing");

        for entry in 2..=last.0 {
            for crash in [Crash::Before(Seq(entry)), Crash::After(Seq(entry))] {
                let world = World::new(script());
                world.crash_at(crash);
                complete(&world, &worker, hold).await;
                let what = format!("{file}, hold {hold:?}, {crash:?}: {:#?}", world.log());
                assert_eq!(seen(&world, strict), expected, "{what}");
                let repeated = sendings(&world)
                    .values()
                    .map(|times| times - 1)
                    .sum::<usize>();
                assert!(repeated <= in_flight(&world), "{repeated} repeated; {what}");
            }
        }
    }
}

/// How many requests were under way, at most, at the one crash of this world.
fn in_flight(world: &World) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for (_, entry) in world.log() {
        match entry.event {
            Event::Requested { .. } => open += 1,
            Event::Responded { .. } => open = open.saturating_sub(1),
            Event::Streamed { ref piece, .. } if piece.is_last() => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// A run that replays up to an entry has used exactly as many instructions as the one that wrote it.
pub(crate) async fn same_fuel(file: &str, script: impl Fn() -> Script) {
    let worker = worker(file);
    for hold in HOLDS {
        let undisturbed = World::new(script());
        complete(&undisturbed, &worker, hold).await;
        let steps = undisturbed.journaled().len();
        let mut compared = 0;
        for step in 1..=steps {
            let world = World::new(script());
            world.crash_at(Crash::BeforeStep(step));
            let live = until_dead(&world, &worker, hold).await;
            world.crash_at(Crash::BeforeStep(step));
            let replayed = until_dead(&world, &worker, hold).await;
            if let (Some(live), Some(replayed)) = (live, replayed) {
                assert_eq!(live, replayed, "{file}, step {step}: {:#?}", world.log());
                compared += 1;
            }
        }
        assert!(compared > 0, "{file}: nothing was compared");
    }
}

/// Runs until the process dies; gives what the last run used.
async fn until_dead(world: &World, worker: &LinkedWorker, hold: Duration) -> Option<u64> {
    for _ in 0..MOST_RUNS {
        if is_over(&world.header()) || !world.until_runnable() {
            return None;
        }
        let fuel = run_once(world, worker, hold).await;
        if world.is_dead_or_over() {
            return fuel;
        }
    }
    None
}

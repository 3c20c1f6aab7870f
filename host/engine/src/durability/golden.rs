//! Old logs stay readable: logs that were written by earlier versions, with the components that wrote them, are
//! replayed to their end.
//!
//! A fixture is never changed. A new one is recorded with `TASKYARD_RECORD=NAME,...` in the environment, after its
//! scene was added below.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use taskyard_task::{Entry, Header, Seq};
use wasmtime::component::Component;

use super::{HOLDS, SANDBOX, complete, plugins, worker};
use crate::bindings::WorkerPre;
use crate::instance::Prepared;
use crate::replay::world::{Script, World};
use crate::replay::{Gate, Stop};
use crate::verdict::Ended;

/// A fixture: its name, the component that wrote it, and what happened.
type Scene = (&'static str, &'static str, fn() -> Script);

const SCENES: [Scene; 3] = [
    ("approval-1", "plugins/approval.wasm", plugins::approval),
    ("research-1", "plugins/research.wasm", plugins::research),
    ("reminder-1", "plugins/reminder.wasm", plugins::reminder),
];

/// A task as it was when it was recorded.
#[derive(Serialize, Deserialize)]
struct Recorded {
    header: Header,
    log: Vec<(Seq, Entry)>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

async fn record(name: &str, component: &str, script: Script) {
    let world = World::new(script);
    let [never_holds, _] = HOLDS;
    complete(&world, &worker(component), never_holds).await;
    let recorded = Recorded {
        header: world.header(),
        log: world.log(),
    };
    let folder = folder(name);
    std::fs::create_dir_all(&folder).unwrap();
    let text = serde_json::to_string(&recorded).unwrap();
    std::fs::write(folder.join("task.json"), text).unwrap();
    let built = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target")
        .join(component);
    std::fs::copy(built, folder.join("worker.wasm")).unwrap();
}

/// Replays a recorded task with the component that wrote it.
async fn replay(name: &str) {
    let folder = folder(name);
    let text = std::fs::read_to_string(folder.join("task.json")).unwrap();
    let recorded: Recorded = serde_json::from_str(&text).unwrap();
    let component = Component::from_file(&SANDBOX.engine, folder.join("worker.wasm")).unwrap();
    let linked = SANDBOX.linker.instantiate_pre(&component).unwrap();
    let worker = Arc::new(WorkerPre::new(linked).unwrap());

    let header = recorded.header.clone();
    let steps = recorded.log.iter();
    let steps = steps
        .filter(|(_, entry)| entry.event.is_journaled())
        .count();
    let world = World::recorded(recorded.header, recorded.log);
    let (log, network) = (Arc::new(world.clone()), Arc::new(world.clone()));
    let tried = Prepared::try_out(worker, &header, log, network, &world.clock).await;
    let tried = tried.unwrap_or_else(|end| panic!("{name}: {end:?}"));
    let performed = tried.perform(&SANDBOX, std::future::pending()).await;

    let replayed = performed.ctx().gate().map_or(0, Gate::replayed);
    assert_eq!(replayed, steps as u64, "{name}");
    match performed.ended() {
        Ended::Returned(_) => {}
        Ended::Stopped(stop) => assert_eq!(*stop, Stop::EndOfLog, "{name}"),
        Ended::Broke(error) => {
            let stop = error.downcast_ref::<Stop>();
            assert_eq!(stop, Some(&Stop::EndOfLog), "{name}: {error:?}");
        }
        _ => panic!("{name}: nobody interrupts a replay"),
    }
}

#[tokio::test]
async fn recorded_logs_are_replayed_to_their_end() {
    let wanted = std::env::var("TASKYARD_RECORD").unwrap_or_default();
    for (name, component, script) in SCENES {
        if wanted.split(',').any(|wanted| wanted == name) {
            record(name, component, script()).await;
        }
        replay(name).await;
    }
}

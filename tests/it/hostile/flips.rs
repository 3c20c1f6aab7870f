//! Bits that flip anywhere in a stopped data folder: the host refuses to start, or raises an alarm, or serves all
//! that it acknowledged as it was. It is never silent.
//!
//! `make torture` flips a thousand, and `TASKYARD_SEED` others than the last time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::support::{Agent, Error, Host, Settings, http, message, task};

/// Bits that are flipped, one at a time, if nothing else is said.
const FEW: u32 = 16;
/// Tasks in each life of the host, whose data is in tables after it.
const TASKS: usize = 20;
const LIVES: usize = 2;
/// The exit code for damage.
const DAMAGED: i32 = 7;

/// What the host acknowledged, by task.
type Acknowledged = BTreeMap<String, Value>;

#[tokio::test]
async fn a_bit_that_flips_is_never_passed_over_in_silence() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let flips: u32 = number("TASKYARD_FLIPS").unwrap_or(FEW);
    let seed = number("TASKYARD_SEED").unwrap_or(1);
    let mut random = StdRng::seed_from_u64(seed.into());
    let (host, acknowledged) = killed().await;
    let whole = contents(&host.data());
    let mut outcomes = BTreeMap::<_, u32>::new();
    for flip in 0..flips {
        let (path, bytes) = &whole[random.random_range(0..whole.len())];
        let bit = random.random_range(0..bytes.len() * 8);
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(path, damaged).unwrap();
        println!("{flip} of seed {seed}: bit {bit} of {}", path.display());
        let outcome = outcome(&host, &acknowledged, path).await;
        *outcomes.entry(outcome).or_default() += 1;
        restore(&host.data(), &whole);
    }
    println!("{outcomes:?}");
}

/// A killed host, and what it acknowledged: in tables, in the last log, in both.
async fn killed() -> (Host, Acknowledged) {
    let host = Host::with(&["echo", "approval"], Settings::default()).await;
    let mut tasks = Vec::new();
    for life in 0..LIVES {
        for number in 0..TASKS {
            let (agent, text) = match number % 4 {
                0 => ("approval", "Deploy".to_owned()),
                1 => ("echo", "x".repeat(50_000)),
                _ => ("echo", format!("task {number} of life {life}")),
            };
            let sent = host.agent(agent).send(message(&text)).await;
            tasks.push((agent, task::id(&sent).to_owned()));
        }
        host.terminate();
        host.exited().await;
        host.restart().await;
    }
    tasks.truncate(LIVES * TASKS);
    let last = host.agent("echo").send(message("the last one")).await;
    tasks.push(("echo", task::id(&last).to_owned()));
    let mut acknowledged = Acknowledged::new();
    for (agent, id) in tasks {
        let shown = host.agent(agent).get(&id).await;
        acknowledged.insert(format!("{agent} {id}"), shown);
    }
    host.kill();
    (host, acknowledged)
}

/// All files below a folder that hold something.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    all.retain(|(_, bytes)| !bytes.is_empty());
    all.sort();
    all
}

fn restore(folder: &Path, whole: &[(PathBuf, Vec<u8>)]) {
    for part in ["db", "marker", "damaged-1"] {
        let path = folder.join(part);
        let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
    }
    for (path, bytes) in whole {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// What the host does with the damage of a file, which is not to be silence.
async fn outcome(host: &Host, acknowledged: &Acknowledged, file: &Path) -> &'static str {
    if let Err(status) = host.try_restart().await {
        let (code, log) = (status.code(), host.log());
        let names_file = log.contains(file.file_name().unwrap().to_str().unwrap());
        let is_damage = code == Some(DAMAGED) && log.contains(" is damaged: ");
        assert!(names_file || is_damage, "{code:?}: {log}");
        return "refused";
    }
    let mut wrong = Vec::new();
    for (name, was) in acknowledged {
        let (agent, id) = name.split_once(' ').unwrap();
        match shown(&host.agent(agent), id).await {
            Ok(now) if now == *was => {}
            other => wrong.push((name, other)),
        }
    }
    let ready = http::client().get(format!("{}/readyz", host.url()));
    let is_ready = ready.send().await.unwrap().status().is_success();
    host.kill();
    match (wrong.is_empty(), is_ready) {
        (true, true) => "nothing lost",
        (_, false) => "alarm",
        (false, true) => panic!("silence: {wrong:#?}\n{}", host.log()),
    }
}

async fn shown(agent: &Agent, id: &str) -> Result<Value, Error> {
    agent.try_call("GetTask", json!({"id": id})).await
}

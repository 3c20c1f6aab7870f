//! A flame graph of the host under one of the workloads.
//!
//! perf samples the running process; where its time goes is drawn as an SVG. Stacks are unwound by DWARF, since
//! neither the standard library nor RocksDB keeps frame pointers.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use inferno::collapse::Collapse;
use inferno::collapse::perf::Folder;
use inferno::flamegraph;
use tempfile::TempDir;
use tokio::process::Command;

use crate::load::closed;
use crate::server::{Client, Host, Place};
use crate::workload::CONNECTIONS;

const WARM_UP: Duration = Duration::from_secs(2);
const SECONDS: u64 = 8;
/// Samples a second and processor; not in step with anything that happens every millisecond.
const FREQUENCY: &str = "499";
/// How much of each stack is copied: enough for the deepest ones of the sandbox.
const CALL_GRAPH: &str = "dwarf,16384";

/// What the clients do meanwhile: a component, and what it is told.
fn job(workload: &str) -> Result<(&'static str, &'static str)> {
    Ok(match workload {
        "echo" => ("plugins/echo", "hello"),
        "steps" => ("guests/durable", "steps 3"),
        "tokens" => ("guests/misbehaving", "chunks 10000 16"),
        other => bail!("no profile is called {other}: echo, steps, tokens"),
    })
}

pub(crate) async fn draw(workload: &str, out: &Path) -> Result<()> {
    let (component, text) = job(workload)?;
    let host = Host::with(&[component]).await?;
    let agent = component.rsplit('/').next().unwrap_or(component);
    let place = host.place(agent);
    load(&place, text, WARM_UP).await?;
    let folder = TempDir::new()?;
    let samples = folder.path().join("perf.data");
    let under_load = Duration::from_secs(SECONDS + 1);
    let recording = record(host.process.id(), &samples);
    futures::try_join!(recording, load(&place, text, under_load))?;
    let stacks = folder.path().join("stacks");
    unwind(&samples, &stacks).await?;
    paint(&stacks, &folder.path().join("folded"), workload, out)?;
    crate::print(&format!("{}", out.display()));
    Ok(())
}

async fn load(place: &Place, text: &str, time: Duration) -> Result<()> {
    let mut clients = Client::connect_all(place, CONNECTIONS).await?;
    let done = match text.starts_with("chunks") {
        true => closed(&mut clients, time, async |client| client.drain(text).await).await,
        false => closed(&mut clients, time, async |client| client.run(text).await).await,
    };
    done.map(drop)
}

async fn record(process: i32, samples: &Path) -> Result<()> {
    let mut perf = Command::new("perf");
    perf.args([
        "record",
        "--quiet",
        "-F",
        FREQUENCY,
        "--call-graph",
        CALL_GRAPH,
    ])
    .args(["-p", &process.to_string(), "-o"])
    .arg(samples)
    .args(["--", "sleep", &SECONDS.to_string()]);
    let status = perf.status().await.context("perf is not installed")?;
    ensure!(
        status.success(),
        "perf cannot sample: see kernel.perf_event_paranoid"
    );
    Ok(())
}

/// Has perf find the functions; inlined ones take it many minutes more.
async fn unwind(samples: &Path, stacks: &Path) -> Result<()> {
    let mut perf = Command::new("perf");
    perf.args(["script", "--no-inline", "-i"]).arg(samples);
    let status = perf.stdout(File::create(stacks)?).status().await?;
    ensure!(status.success(), "perf cannot read its samples");
    Ok(())
}

fn paint(stacks: &Path, folded: &Path, workload: &str, out: &Path) -> Result<()> {
    let mut folder = Folder::default();
    folder.collapse(BufReader::new(File::open(stacks)?), File::create(folded)?)?;
    let mut options = flamegraph::Options::default();
    options.title = format!("Taskyard: {workload}, {CONNECTIONS} connections");
    let lines = BufReader::new(File::open(folded)?);
    flamegraph::from_reader(&mut options, lines, File::create(out)?)?;
    Ok(())
}

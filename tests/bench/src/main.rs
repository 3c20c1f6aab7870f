//! Measures what the host costs, as its users meet it: the real binary, synced writes, loopback.
//!
//! `taskyard-bench [NAME]...` with the names below; without one, all but `restart`, which first stores
//! a million tasks, and `suspended`, which first suspends a hundred thousand three times.

mod client;
mod durable;
mod host;
mod stats;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use client::Client;
use host::Host;
use stats::Latencies;

pub(crate) const ECHO_TIME: Duration = Duration::from_secs(10);
pub(crate) const CONNECTIONS: usize = 32;
const CHUNKS: usize = 10_000;
const WAITING: usize = 100_000;
const STORED: usize = 1_000_000;
const RUNNABLE: usize = 10_000;

#[tokio::main]
async fn main() -> Result<()> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = ["echo", "stream", "steps", "replay", "waiting"]
            .map(str::to_owned)
            .to_vec();
    }
    for name in names {
        match name.as_str() {
            "echo" => echo().await?,
            "stream" => stream().await?,
            "steps" => durable::steps().await?,
            "replay" => durable::replay().await?,
            "suspended" => durable::suspended().await?,
            "waiting" => waiting().await?,
            "restart" => restart().await?,
            other => bail!(
                "no benchmark is called {other}: echo, stream, steps, replay, waiting, restart, suspended"
            ),
        }
    }
    Ok(())
}

/// Blocking echo tasks: how many, and how long each.
async fn echo() -> Result<()> {
    let host = Host::start().await?;
    host.load("plugins/echo", None).await?;
    let one = drive(&host, ("echo", "hello"), 1, Duration::from_secs(3)).await?;
    report("echo, 1 connection", &one);
    let many = drive(&host, ("echo", "hello"), CONNECTIONS, ECHO_TIME).await?;
    report(&format!("echo, {CONNECTIONS} connections"), &many);
    host.stop().await
}

/// Blocking tasks, one after the other on each connection; `job` is an agent and a message.
pub(crate) async fn drive(
    host: &Host,
    (agent, text): (&'static str, &'static str),
    connections: usize,
    time: Duration,
) -> Result<Latencies> {
    let until = now() + time;
    let mut workers = Vec::new();
    for _ in 0..connections {
        let mut client = Client::connect(host.address, agent).await?;
        workers.push(tokio::spawn(async move {
            let mut latencies = Latencies::default();
            while now() < until {
                let began = now();
                let answer = client.send(text, false).await?;
                latencies.add(began.elapsed());
                if !answer.contains("TASK_STATE_COMPLETED") {
                    bail!("not completed: {answer}");
                }
            }
            Ok(latencies)
        }));
    }
    let mut all = Latencies::over(time);
    for worker in workers {
        all.merge(worker.await??);
    }
    Ok(all)
}

/// One artifact in many small chunks, as a streaming client sees it.
async fn stream() -> Result<()> {
    let host = Host::start().await?;
    host.load("guests/misbehaving", None).await?;
    let mut client = Client::connect(host.address, "misbehaving").await?;
    let began = now();
    let chunks = client
        .stream(&format!("chunks {CHUNKS} 16"), "artifactUpdate")
        .await?;
    let seconds = began.elapsed().as_secs_f64();
    let written = host.disk_bytes()?;
    print(&format!(
        "stream: {chunks} chunks in {seconds:.3} s, {:.0} chunks/s, {:.0} bytes on disk for each chunk of 16",
        chunks as f64 / seconds,
        written as f64 / chunks as f64,
    ));
    host.stop().await
}

/// What tasks that wait for a human cost in memory.
async fn waiting() -> Result<()> {
    let host = Host::start().await?;
    host.load("guests/misbehaving", None).await?;
    let before = host.resident_bytes()?;
    submit(&host, "misbehaving", "ask 1", WAITING).await?;
    host.until_idle().await?;
    let after = host.resident_bytes()?;
    print(&format!(
        "waiting: {WAITING} tasks in ask, resident {} MiB before, {} MiB after",
        before >> 20,
        after >> 20
    ));
    host.stop().await
}

/// How soon a host with many tasks is ready again.
async fn restart() -> Result<()> {
    let mut host = Host::start().await?;
    host.load("plugins/echo", None).await?;
    host.load("plugins/countdown", Some(0)).await?;
    submit(&host, "echo", "hello", STORED).await?;
    submit(&host, "countdown", "1", RUNNABLE).await?;
    host.kill().await?;
    let began = now();
    host.restart().await?;
    print(&format!(
        "restart: {STORED} tasks stored, {RUNNABLE} runnable, ready after {:.2} s",
        began.elapsed().as_secs_f64()
    ));
    host.stop().await
}

pub(crate) async fn submit(
    host: &Host,
    agent: &'static str,
    text: &'static str,
    count: usize,
) -> Result<()> {
    let mut workers = Vec::new();
    for worker in 0..CONNECTIONS {
        let share = count / CONNECTIONS + usize::from(worker < count % CONNECTIONS);
        let mut client = Client::connect(host.address, agent).await?;
        workers.push(tokio::spawn(async move {
            for _ in 0..share {
                let answer = client.send(text, true).await?;
                if !answer.contains("\"result\"") {
                    bail!("refused: {answer}");
                }
            }
            Ok(())
        }));
    }
    for worker in workers {
        worker.await??;
    }
    Ok(())
}

pub(crate) fn report(name: &str, latencies: &Latencies) {
    print(&format!(
        "{name}: {:.0} tasks/s, p50 {:.2} ms, p99 {:.2} ms",
        latencies.per_second(),
        latencies.percentile_ms(50),
        latencies.percentile_ms(99),
    ));
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the results are the program's output")]
pub(crate) fn print(line: &str) {
    println!("{line}");
}

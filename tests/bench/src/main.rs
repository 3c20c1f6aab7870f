//! Measures what the host costs, as its users meet it: the real binary, synced writes, loopback; beside what
//! people would use instead, in the same run.

mod bare;
mod load;
mod profile;
mod report;
mod server;
mod workload;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use mimalloc::MiMalloc;
use report::Report;
use workload::Scale;

/// The host's allocator, so that the bare loop has it too.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Measures what Taskyard costs, beside what people would use instead")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure workloads and write the report
    Run {
        /// Which ones; all of them if none is named
        workloads: Vec<String>,
        /// Only see that everything works
        #[arg(long)]
        smoke: bool,
        /// Leave out what must be installed first
        #[arg(long)]
        without_peers: bool,
        /// The report's folder; what it has of other workloads stays
        #[arg(long, default_value = "tests/bench/report")]
        out: PathBuf,
    },
    /// Draw a flame graph of the host under a workload
    Profile {
        workload: String,
        #[arg(long, default_value = "target/profile.svg")]
        out: PathBuf,
    },
    /// Serve the bare loop
    Bare { port: u16, folder: PathBuf },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Run {
            workloads,
            smoke,
            without_peers,
            out,
        } => {
            let peers = !smoke && !without_peers;
            let work = run(workloads, Scale { smoke, peers }, out);
            one_thread()?.block_on(unless_stopped(work))
        }
        Command::Profile { workload, out } => {
            one_thread()?.block_on(unless_stopped(profile::draw(&workload, &out)))
        }
        Command::Bare { port, folder } => all_cores()?.block_on(bare::serve(port, &folder)),
    }
}

/// Servers have process groups of their own: who is told to stop must end them.
async fn unless_stopped(work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut stop = signal(SignalKind::terminate())?;
    tokio::select! {
        done = work => done,
        _ = stop.recv() => bail!("stopped"),
        _ = tokio::signal::ctrl_c() => bail!("stopped"),
    }
}

/// The load keeps to one thread.
fn one_thread() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

fn all_cores() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

async fn run(workloads: Vec<String>, scale: Scale, out: PathBuf) -> Result<()> {
    let all = || workload::NAMES.map(str::to_owned).to_vec();
    let names = if workloads.is_empty() {
        all()
    } else {
        workloads
    };
    let (mut report, when) = (Report::open(&out)?, when());
    for name in names {
        print(&format!("measuring {name}"));
        let section = workload::measure(&name, scale).await?;
        let section = section.measured(&when).smoke(scale.smoke);
        report.put(section);
        // After each one: what a later one breaks is not lost.
        report.save(&out)?;
    }
    Ok(())
}

/// The day, and the version that was measured.
fn when() -> String {
    let day = chrono::Local::now().format("%Y-%m-%d");
    format!("{day}, version {}", env!("CARGO_PKG_VERSION"))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the results are the program's output")]
pub(crate) fn print(line: &str) {
    println!("{line}");
}

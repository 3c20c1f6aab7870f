//! Blocking echo: the whole way of a task, from a request to its answer.

use std::slice::from_mut;

use anyhow::Result;

use super::{CONNECTIONS, Scale};
use crate::load::{closed, open};
use crate::report::{Better, Limit, Section};
use crate::server::{Client, Contender, Running};

const TEXT: &str = "hello";
const ECHO: &str = "plugins/echo";
/// Parts of the bare loop's throughput that are offered to each.
const LOADS: [f64; 6] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];

const CONTENDERS: [Contender; 6] = [
    Contender::Taskyard,
    Contender::BareLoop,
    Contender::RustFramework,
    Contender::PythonMemory,
    Contender::PythonSqlite,
    Contender::Fasta2a,
];

pub(crate) async fn blocking(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "blocking-echo",
        "Blocking echo",
        "Each client sends `hello`, waits for the completed task, and sends the next one (closed loop). \
         The bare loop is the same libraries without the host: axum, one group-committed and synced write, \
         a fresh sandbox for each request.",
    )
    .measure("32 connections", "tasks/s", Better::Higher)
    .measure("p50 of 32", "ms", Better::Lower)
    .measure("p99 of 32", "ms", Better::Lower)
    .measure("p50 of one", "ms", Better::Lower)
    .measure("p99 of one", "ms", Better::Lower)
    .measure("processor time", "µs/task", Better::Lower)
    .beside(Contender::Taskyard.name());
    for contender in scale.contenders(&CONTENDERS) {
        section = section.contender(contender, measure(scale, contender).await)?;
    }
    Ok(against_the_bare_loop(section))
}

fn against_the_bare_loop(section: Section) -> Section {
    let ratio = |measure: usize| {
        let value = |row: usize| *section.rows.get(row)?.values.get(measure)?;
        Some(value(0)? / value(1)?)
    };
    let (Some(throughput), Some(latency)) = (ratio(0), ratio(3)) else {
        return section;
    };
    section
        .target(
            "blocking echo: throughput, of the bare loop's",
            throughput,
            Limit::AtLeast(0.6),
        )
        .target(
            "blocking echo: p50 of one connection, of the bare loop's",
            latency,
            Limit::AtMost(2.0),
        )
}

async fn measure(scale: Scale, contender: Contender) -> Result<Vec<f64>> {
    let running = contender.start(ECHO).await?;
    let mut clients = Client::connect_all(&running.place, CONNECTIONS).await?;
    warm_up(scale, &mut clients).await?;
    let mut client = Client::connect(&running.place).await?;
    let one = closed(from_mut(&mut client), scale.seconds(4), echo).await?;
    let before = running.process().cpu_seconds()?;
    let many = closed(&mut clients, scale.seconds(10), echo).await?;
    let used = running.process().cpu_seconds()? - before;
    let cpu_micros = used * 1e6 / many.count() as f64;
    Ok(vec![
        many.per_second(),
        many.ms(50.0),
        many.ms(99.0),
        one.ms(50.0),
        one.ms(99.0),
        cpu_micros,
    ])
}

async fn echo(client: &mut Client) -> Result<()> {
    client.run(TEXT).await
}

/// Interpreters compile, caches fill, pools grow.
async fn warm_up(scale: Scale, clients: &mut [Client]) -> Result<()> {
    closed(clients, scale.seconds(1), echo).await.map(drop)
}

/// The open loop: how latency grows with what is offered.
pub(crate) async fn offered(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "offered-load",
        "Latency under load",
        "Echo tasks are due at a fixed rate, whatever becomes of those before (open loop); a latency counts \
         from the moment at which the task was due. The rates are parts of what the bare loop does at most.",
    )
    .axis("offered", "tasks/s")
    .measure("p50", "ms", Better::Lower)
    .measure("p99", "ms", Better::Lower)
    .measure("p99.9", "ms", Better::Lower)
    .beside(Contender::BareLoop.name());
    let bare = Contender::BareLoop.start(ECHO).await?;
    let most = most_of(scale, &bare).await?;
    let host = Contender::Taskyard.start(ECHO).await?;
    for (contender, running) in [(Contender::Taskyard, &host), (Contender::BareLoop, &bare)] {
        let mut clients = Client::connect_all(&running.place, CONNECTIONS).await?;
        warm_up(scale, &mut clients).await?;
        for load in LOADS {
            let rate = (most * load).round();
            let seen = open(&mut clients, rate, scale.seconds(5), echo).await?;
            let values = vec![seen.ms(50.0), seen.ms(99.0), seen.ms(99.9)];
            section = section.row_at(contender.name(), rate, values);
        }
    }
    Ok(section)
}

async fn most_of(scale: Scale, running: &Running) -> Result<f64> {
    let mut clients = Client::connect_all(&running.place, CONNECTIONS).await?;
    let most = closed(&mut clients, scale.seconds(5), echo).await?;
    Ok(most.per_second())
}

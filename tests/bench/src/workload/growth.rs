//! What grows: the store with its tasks, and a task with its log.

use std::slice::from_mut;

use anyhow::Result;

use super::{CONNECTIONS, Scale};
use crate::load::{closed, each};
use crate::now;
use crate::report::{Better, Limit, Section};
use crate::server::{Client, Host};

const STORED: [usize; 8] = [
    0, 50_000, 100_000, 200_000, 400_000, 600_000, 800_000, 1_000_000,
];

/// The last one is what a task may have by default, less what its beginning and its end need.
const LOGGED: [usize; 6] = [1, 10, 100, 1_000, 10_000, 99_900];

pub(crate) async fn store(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "growth-of-the-store",
        "Growth: up to a million tasks",
        "Echo tasks are stored until there are so many; at each mark, 32 clients and then one client send \
         blocking tasks for some seconds (closed loop).",
    )
    .axis("stored", "tasks")
    .measure("32 connections", "tasks/s", Better::Higher)
    .measure("p50 of one", "ms", Better::Lower)
    .measure("p99 of 32", "ms", Better::Lower)
    .measure("memory", "MiB", Better::Lower)
    .measure("disk", "bytes/task", Better::Lower);
    let host = Host::with(&["plugins/echo"]).await?;
    let mut clients = Client::connect_all(&host.place("echo"), CONNECTIONS).await?;
    let mut one = Client::connect(&host.place("echo")).await?;
    closed(&mut clients, scale.seconds(1), echo).await?;
    let (mut stored, mut speeds) = (0, Vec::new());
    for mark in scale.counts(&STORED, &[0, 200]) {
        let missing = mark.saturating_sub(stored);
        each(&mut clients, missing, async |client, _| echo(client).await).await?;
        let many = closed(&mut clients, scale.seconds(5), echo).await?;
        let single = closed(from_mut(&mut one), scale.seconds(2), echo).await?;
        stored += missing + usize::try_from(many.count() + single.count())?;
        let disk = host.stored_bytes()? as f64 / stored as f64;
        let memory = host.process.resident_mib()?;
        let values = vec![
            many.per_second(),
            single.ms(50.0),
            many.ms(99.0),
            memory,
            disk,
        ];
        section = section.row_at("Taskyard", stored as f64, values);
        speeds.push(many.per_second());
    }
    let least = speeds.iter().copied().fold(f64::INFINITY, f64::min);
    let first = speeds.first().copied().unwrap_or(f64::NAN);
    Ok(section.target(
        "growth: least throughput, of that of the empty store",
        least / first,
        Limit::AtLeast(0.8),
    ))
}

async fn echo(client: &mut Client) -> Result<()> {
    client.run("hello").await
}

pub(crate) async fn log(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "growth-of-a-log",
        "Growth: up to 100,000 entries in a log",
        "A task makes so many journaled calls, asks, and is answered, which replays all of them; another one \
         streams an artifact in so many chunks, and is read afterwards.",
    )
    .log_axis("entries", "")
    .measure("a journaled call", "µs", Better::Lower)
    .measure("a replayed entry", "µs", Better::Lower)
    .measure("a streamed chunk", "µs", Better::Lower)
    .measure("the task is read", "ms", Better::Lower);
    let host = Host::with(&["guests/durable", "guests/misbehaving"]).await?;
    let mut durable = Client::connect(&host.place("durable")).await?;
    let mut chunky = Client::connect(&host.place("misbehaving")).await?;
    for entries in scale.counts(&LOGGED, &[1, 100]) {
        let each = 1e6 / entries as f64;
        let began = now();
        let task = durable.ask(&format!("entries {entries}")).await?;
        let called = began.elapsed().as_secs_f64() * each;
        let began = now();
        durable.answer(&task, "yes").await?;
        let replayed = began.elapsed().as_secs_f64() * each;
        let began = now();
        let task = chunky.stream_of(&format!("chunks {entries} 16")).await?;
        let streamed = began.elapsed().as_secs_f64() * each;
        let began = now();
        chunky.get(&task).await?;
        let read = began.elapsed().as_secs_f64() * 1_000.0;
        let values = vec![called, replayed, streamed, read];
        section = section.row_at("Taskyard", entries as f64, values);
    }
    Ok(section)
}

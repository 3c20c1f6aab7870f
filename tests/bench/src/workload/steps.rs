//! Durable steps: what a task costs that must never do anything twice.

use std::slice::from_mut;

use anyhow::Result;

use super::{CONNECTIONS, Scale};
use crate::load::closed;
use crate::report::{Better, Section};
use crate::server::{Client, Contender};

pub(crate) async fn steps(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "durable-steps",
        "Three durable steps",
        "A task makes three steps whose results are kept, each before the next one, and ends; the client waits \
         for it (closed loop). Both sync to disk. Restate runs a handler with three `ctx.run` in Node.js, as its \
         own package has it.",
    )
    .measure("32 connections", "tasks/s", Better::Higher)
    .measure("p50 of 32", "ms", Better::Lower)
    .measure("p99 of 32", "ms", Better::Lower)
    .measure("p50 of one", "ms", Better::Lower)
    .measure("processor time", "µs/task", Better::Lower)
    .beside(Contender::Taskyard.name());
    for contender in scale.contenders(&[Contender::Taskyard, Contender::Restate]) {
        section = section.contender(contender, measure(scale, contender).await)?;
    }
    Ok(section)
}

async fn measure(scale: Scale, contender: Contender) -> Result<Vec<f64>> {
    let running = contender.start("guests/durable").await?;
    let mut clients = Client::connect_all(&running.place, CONNECTIONS).await?;
    closed(&mut clients, scale.seconds(2), three).await?;
    let mut one = Client::connect(&running.place).await?;
    let single = closed(from_mut(&mut one), scale.seconds(4), three).await?;
    let before = running.process().cpu_seconds()?;
    let many = closed(&mut clients, scale.seconds(8), three).await?;
    let used = running.process().cpu_seconds()? - before;
    Ok(vec![
        many.per_second(),
        many.ms(50.0),
        many.ms(99.0),
        single.ms(50.0),
        used * 1e6 / many.count() as f64,
    ])
}

async fn three(client: &mut Client) -> Result<()> {
    client.run("steps 3").await
}

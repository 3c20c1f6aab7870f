//! Many who watch: one task, and many tasks.

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;

use super::{CONNECTIONS, Scale, submit};
use crate::load::{Events, Samples, each};
use crate::now;
use crate::report::{Better, Section};
use crate::server::{CHUNK, COMPLETED, Client, Host, Place};

/// What each task streams once it was answered.
const CHUNKS: usize = 100;

pub(crate) async fn subscribers(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "subscribers",
        "Many subscribers",
        "Subscribers wait for the same task, which asks and, once it was answered, streams 100 chunks and ends; or \
         they are spread over many such tasks, answered by 32 clients. Memory is what the host's process grew by, for each subscriber that \
         waits. One subscriber of one task is the measure for the others.",
    )
    .measure("delivered", "events/s", Better::Higher)
    .measure("until a subscriber has the end, p50", "ms", Better::Lower)
    .measure("until the last one has it", "ms", Better::Lower)
    .measure("memory", "KiB each", Better::Lower)
    .beside("1 of one task");
    let many = scale.count(1_000, 10);
    for (tasks, each) in [(1, 1), (1, many), (many, 10)] {
        let values = watch(tasks, each).await?;
        section = section.row(subject(tasks, each), values);
    }
    Ok(section)
}

fn subject(tasks: usize, each: usize) -> String {
    match tasks {
        1 => format!("{each} of one task"),
        _ => format!("{} of {tasks} tasks", tasks * each),
    }
}

async fn watch(tasks: usize, each: usize) -> Result<Vec<f64>> {
    let host = Host::with(&["guests/durable"]).await?;
    let place = host.place("durable");
    let tasks = submit(&place, &format!("tell {CHUNKS}"), tasks).await?;
    host.until_idle().await?;
    let before = host.process.resident_mib()?;
    let mut subscribed = Vec::new();
    for task in &tasks {
        subscribed.extend(subscribe(&place, task, each).await?);
    }
    let count = subscribed.len() as f64;
    let grown = (host.process.resident_mib()? - before) * 1_024.0 / count;
    let seen = until_all_ended(&place, &tasks, subscribed).await?;
    let delivered = seen.per_second() * CHUNKS as f64;
    Ok(vec![delivered, seen.ms(50.0), seen.ms(100.0), grown])
}

/// Keeps the connections with their streams.
async fn subscribe(place: &Place, task: &str, count: usize) -> Result<Vec<(Client, Events)>> {
    let clients = Client::connect_all(place, count).await?;
    let subscribed = clients.into_iter().map(async |mut client| {
        let mut events = client.subscribe(task).await?;
        // The first event shows the task as it is: from now on this one waits.
        ensure!(events.until("\"task\"", 1).await? == 1, "no first event");
        anyhow::Ok((client, events))
    });
    try_join_all(subscribed).await
}

/// Answers all tasks; measures from the first answer until each subscriber has its task's end.
async fn until_all_ended(
    place: &Place,
    tasks: &[String],
    subscribed: Vec<(Client, Events)>,
) -> Result<Samples> {
    let mut clients = Client::connect_all(place, CONNECTIONS.min(tasks.len())).await?;
    let began = now();
    let answered = each(&mut clients, tasks.len(), async |client, number| {
        let task = tasks.get(number).context("no such task")?;
        client.answer(task, "yes").await
    });
    let ends = try_join_all(subscribed.into_iter().map(async |(_client, mut events)| {
        let chunks = events.all(CHUNK, COMPLETED).await?;
        ensure!(chunks >= CHUNKS, "{chunks} chunks of {CHUNKS}");
        anyhow::Ok(began.elapsed())
    }));
    let (_, ends) = futures::try_join!(answered, ends)?;
    let mut samples = Samples::new()?;
    ends.into_iter().for_each(|took| samples.add(took));
    samples.over = began.elapsed();
    Ok(samples)
}

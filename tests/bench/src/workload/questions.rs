//! A question to a human, and the answer.

use anyhow::Result;

use super::{CONNECTIONS, Scale};
use crate::load::closed;
use crate::report::{Better, Section};
use crate::server::{Client, Contender};

const CONTENDERS: [Contender; 4] = [
    Contender::Taskyard,
    Contender::RustFramework,
    Contender::PythonMemory,
    Contender::PythonSqlite,
];

pub(crate) async fn ask_and_answer(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "ask-and-answer",
        "Ask and answer",
        "The task asks, the client answers, the task completes; each client does one after the other (closed \
         loop). The host keeps nothing of a task that asks in memory, and replays it when the answer comes.",
    )
    .measure("32 connections", "tasks/s", Better::Higher)
    .measure("p50", "ms", Better::Lower)
    .measure("p99", "ms", Better::Lower)
    .beside(Contender::Taskyard.name());
    for contender in scale.contenders(&CONTENDERS) {
        section = section.contender(contender, measure(scale, contender).await)?;
    }
    Ok(section)
}

async fn measure(scale: Scale, contender: Contender) -> Result<Vec<f64>> {
    let running = contender.start("guests/durable").await?;
    let mut clients = Client::connect_all(&running.place, CONNECTIONS).await?;
    let seen = closed(&mut clients, scale.seconds(6), ask_then_answer).await?;
    Ok(vec![seen.per_second(), seen.ms(50.0), seen.ms(99.0)])
}

async fn ask_then_answer(client: &mut Client) -> Result<()> {
    let task = client.ask("ask").await?;
    client.answer(&task, "yes").await
}

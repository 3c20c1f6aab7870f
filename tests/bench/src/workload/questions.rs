//! A question to a human, and the answer.

use anyhow::Result;

use super::{Scale, busy_clients};
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
        let figures = busy_clients(scale, contender, "guests/durable", ask_then_answer).await;
        section = section.contender(contender, figures)?;
    }
    Ok(section)
}

async fn ask_then_answer(client: &mut Client) -> Result<()> {
    let task = client.ask("ask").await?;
    client.answer(&task, "yes").await
}

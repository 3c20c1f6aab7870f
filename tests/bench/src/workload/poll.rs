//! `returnImmediately`, and then asking until the task has ended.

use anyhow::Result;

use super::{Scale, busy_clients};
use crate::report::{Better, Section};
use crate::server::{Client, Contender};

const CONTENDERS: [Contender; 5] = [
    Contender::Taskyard,
    Contender::RustFramework,
    Contender::PythonMemory,
    Contender::PythonSqlite,
    Contender::Fasta2a,
];

pub(crate) async fn poll(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "return-and-poll",
        "Return immediately, then poll",
        "Each client hands a task over, gets it back at once, and asks for it again and again until it has \
         completed (closed loop).",
    )
    .measure("32 connections", "tasks/s", Better::Higher)
    .measure("p50", "ms", Better::Lower)
    .measure("p99", "ms", Better::Lower)
    .beside(Contender::Taskyard.name());
    for contender in scale.contenders(&CONTENDERS) {
        let figures = busy_clients(scale, contender, "plugins/echo", submit_and_poll).await;
        section = section.contender(contender, figures)?;
    }
    Ok(section)
}

async fn submit_and_poll(client: &mut Client) -> Result<()> {
    let task = client.submit("hello").await?;
    client.poll(&task).await
}

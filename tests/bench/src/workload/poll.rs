//! `returnImmediately`, and then asking until the task has ended.

use anyhow::Result;

use super::{CONNECTIONS, Scale};
use crate::load::closed;
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
        section = section.contender(contender, measure(scale, contender).await)?;
    }
    Ok(section)
}

async fn measure(scale: Scale, contender: Contender) -> Result<Vec<f64>> {
    let running = contender.start("plugins/echo").await?;
    let mut clients = Client::connect_all(&running.place, CONNECTIONS).await?;
    let seen = closed(&mut clients, scale.seconds(6), submit_and_poll).await?;
    Ok(vec![seen.per_second(), seen.ms(50.0), seen.ms(99.0)])
}

async fn submit_and_poll(client: &mut Client) -> Result<()> {
    let task = client.submit("hello").await?;
    client.poll(&task).await
}

//! What waits in memory: suspended tasks and loaded plugins.

use anyhow::Result;

use super::{Scale, submit};
use crate::report::{Better, Section};
use crate::server::{Contender, Host};

/// Besides these, only what the components themselves need differs.
const PLUGINS: [&str; 8] = [
    "echo",
    "csv-report",
    "approval",
    "countdown",
    "notebook",
    "pipeline",
    "reminder",
    "research",
];

pub(crate) async fn memory(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "memory",
        "Memory of what waits",
        "By how much the resident memory of the process grows while so many tasks ask a question and nobody \
         answers, or wait for a moment; and for each plugin that is loaded and has answered nothing yet.",
    )
    .measure("memory", "KiB each", Better::Lower)
    .measure("of", "MiB at first", Better::Lower)
    .beside("a task that asks");
    let many = scale.count(100_000, 200);
    for (name, text) in [
        ("a task that asks", "ask"),
        ("a task that sleeps", "sleep 3600000"),
    ] {
        let host = Host::with(&["guests/durable"]).await?;
        // Buffers of the first tasks are no memory of waiting.
        submit(&host.place("durable"), "steps 0", many / 10).await?;
        host.until_idle().await?;
        let before = host.process.resident_mib()?;
        submit(&host.place("durable"), text, many).await?;
        host.until_idle().await?;
        let grown = (host.process.resident_mib()? - before) * 1_024.0 / many as f64;
        section = section.row(name, vec![grown, before]);
    }
    section = section.row("a loaded plugin", plugins().await?);
    let fewer = scale.count(5_000, 100);
    for contender in scale.contenders(&[Contender::RustFramework, Contender::PythonMemory]) {
        section = section.contender(contender, asking(contender, fewer).await)?;
    }
    Ok(section.note("The rows of peers are tasks that ask, fewer of them."))
}

async fn asking(contender: Contender, count: usize) -> Result<Vec<f64>> {
    let running = contender.start("").await?;
    submit(&running.place, "ask", count / 10).await?;
    let before = running.process().resident_mib()?;
    submit(&running.place, "ask", count).await?;
    let grown = (running.process().resident_mib()? - before) * 1_024.0 / count as f64;
    Ok(vec![grown, before])
}

async fn plugins() -> Result<Vec<f64>> {
    let host = Host::with(&["guests/durable"]).await?;
    let before = host.process.resident_mib()?;
    for plugin in PLUGINS {
        host.load(&format!("plugins/{plugin}"), &[]).await?;
    }
    let grown = (host.process.resident_mib()? - before) * 1_024.0;
    Ok(vec![grown / PLUGINS.len() as f64, before])
}

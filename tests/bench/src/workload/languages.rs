//! Workers in Rust, Python and JavaScript: the same scene, and how soon a new plugin answers.

use anyhow::Result;

use super::{CONNECTIONS, Scale};
use crate::load::closed;
use crate::now;
use crate::report::{Better, Section};
use crate::server::{Client, Contender, Host};

/// Draws random numbers and shows them in an artifact: what all three languages do alike.
const SCENE: &str = "random";
const WORKERS: [(&str, &str); 3] = [
    ("Rust", "stock-rust"),
    ("Python", "stock-python"),
    ("JavaScript", "stock-js"),
];

pub(crate) async fn languages(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "languages",
        "Workers in three languages",
        "32 clients send blocking tasks to the same scene in a worker of each language (closed loop); the Python \
         and JavaScript workers carry their whole interpreter, started anew for each task.",
    )
    .measure("32 connections", "tasks/s", Better::Higher)
    .measure("p50 of 32", "ms", Better::Lower)
    .measure("p99 of 32", "ms", Better::Lower)
    .measure("memory of the host", "MiB", Better::Lower)
    .beside("Rust");
    for (language, agent) in WORKERS {
        let host = Host::with(&[&guest(agent)]).await?;
        let mut clients = Client::connect_all(&host.place(agent), CONNECTIONS).await?;
        let seen = closed(&mut clients, scale.seconds(6), async |client| {
            client.run(SCENE).await
        });
        let seen = seen.await?;
        let memory = host.process.resident_mib()?;
        let values = vec![seen.per_second(), seen.ms(50.0), seen.ms(99.0), memory];
        section = section.row(language, values);
    }
    Ok(section)
}

pub(crate) async fn cold_start(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "cold-start",
        "Cold start of a plugin",
        "A plugin is loaded into a host that has never seen it, and its first task is run; the host is killed and \
         started again, which finds the compiled component on disk, and the first task is run again. Beside it, \
         servers from the start of their process to their first task.",
    )
    .measure("loaded and compiled", "ms", Better::Lower)
    .measure("first task", "ms", Better::Lower)
    .measure("first task after a restart, with the restart", "ms", Better::Lower)
    .beside("Rust");
    for (language, agent) in WORKERS {
        let values = cold(agent).await?;
        section = section.row(language, values);
    }
    for contender in scale.contenders(&[Contender::RustFramework, Contender::PythonMemory]) {
        section = section.contender(contender, process(contender).await)?;
    }
    Ok(section)
}

/// A server from nothing to its first task: what is a restart to the host.
async fn process(contender: Contender) -> Result<Vec<Option<f64>>> {
    let began = now();
    let running = contender.start("").await?;
    Client::connect(&running.place).await?.run("hello").await?;
    Ok(vec![None, None, Some(ms(began))])
}

async fn cold(agent: &str) -> Result<Vec<f64>> {
    let mut host = Host::with(&[]).await?;
    let began = now();
    host.load(&guest(agent), &[]).await?;
    let loaded = ms(began);
    let began = now();
    first_task(&host, agent).await?;
    let first = ms(began);
    let began = now();
    host.restart().await?;
    first_task(&host, agent).await?;
    Ok(vec![loaded, first, ms(began)])
}

async fn first_task(host: &Host, agent: &str) -> Result<()> {
    let mut client = Client::connect(&host.place(agent)).await?;
    client.run(SCENE).await
}

fn guest(agent: &str) -> String {
    format!("guests/{agent}")
}

fn ms(began: std::time::Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}

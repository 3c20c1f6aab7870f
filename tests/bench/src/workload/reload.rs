//! A plugin that is replaced again and again while it works.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::future::{Either, select};

use super::{CONNECTIONS, Scale};
use crate::load::{Samples, closed};
use crate::report::{Better, Section};
use crate::server::{Client, Host};

/// Both complete the task.
const VERSIONS: [&str; 2] = ["plugins/echo", "guests/durable"];
const TEXT: &str = "steps 0";
const EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn reload(scale: Scale) -> Result<Section> {
    let host = Host::with(&[]).await?;
    let mut alone = Vec::new();
    for version in VERSIONS {
        deploy(&host, version).await?;
        alone.push(load(scale, &host).await?);
    }
    let replaced = Cell::new(0_u32);
    let loads = pin!(load(scale, &host));
    let replacing = pin!(replace(&host, &replaced));
    let during = match select(loads, replacing).await {
        Either::Left((seen, _)) => seen?,
        Either::Right((ended, _)) => bail!("replacing ended: {:?}", ended.err()),
    };
    let mut section = Section::new(
        "hot-reload",
        "Hot reload under load",
        "32 clients send blocking tasks to one agent (closed loop), while its plugin is replaced by another \
         component every half second. No task may fail.",
    )
    .measure("32 connections", "tasks/s", Better::Higher)
    .measure("p50", "ms", Better::Lower)
    .measure("p99", "ms", Better::Lower)
    .beside("one component, left alone");
    let names = ["one component, left alone", "the other, left alone"];
    for (name, seen) in names.into_iter().zip(&alone) {
        section = section.row(name, values(seen));
    }
    let name = format!("replaced {} times", replaced.get());
    Ok(section.row(&name, values(&during)))
}

fn values(seen: &Samples) -> Vec<f64> {
    vec![seen.per_second(), seen.ms(50.0), seen.ms(99.0)]
}

async fn load(scale: Scale, host: &Host) -> Result<Samples> {
    let mut clients = Client::connect_all(&host.place("swapped"), CONNECTIONS).await?;
    closed(&mut clients, scale.seconds(6), async |client| {
        client.run(TEXT).await
    })
    .await
}

async fn replace(host: &Host, replaced: &Cell<u32>) -> Result<()> {
    for version in VERSIONS.iter().cycle() {
        tokio::time::sleep(EVERY).await;
        deploy(host, version).await?;
        replaced.set(replaced.get() + 1);
    }
    Ok(())
}

async fn deploy(host: &Host, version: &str) -> Result<()> {
    host.load(version, &["--agent", "swapped", "--replace"])
        .await
}

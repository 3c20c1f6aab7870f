//! A noisy neighbour: what one tenant's flood does to another one's latency.

use std::pin::{Pin, pin};
use std::time::Duration;

use anyhow::{Result, bail};
use futures::future::{Either, select};

use super::Scale;
use crate::load::{Samples, closed, open};
use crate::report::{Better, Limit, Section};
use crate::server::{Client, Host, Place};

/// What B asks for, and over how many connections.
const RATE: f64 = 100.0;
const QUIET: usize = 16;
/// How many connections A floods over.
const FLOOD: usize = 64;
const ENDLESS: Duration = Duration::from_secs(3_600);

const TENANTS: &str = r#"
[[api.clients]]
name = "a"
tenant = "a"
token = "the-token-of-a"
[[api.clients]]
name = "b"
tenant = "b"
token = "the-token-of-b"
"#;

pub(crate) async fn neighbour(scale: Scale) -> Result<Section> {
    let alone = beside(scale, None).await?;
    let blocking = beside(scale, Some(wait)).await?;
    let piling = beside(scale, Some(pile)).await?;
    let mut section = Section::new(
        "noisy-neighbour",
        "A noisy neighbour",
        "Tenant B has 100 echo tasks a second due (open loop, 16 connections). Tenant A floods over 64 \
         connections: with tasks that it waits for, or with as many as it can hand over without waiting, so \
         that its line grows all the time.",
    )
    .measure("B's p50", "ms", Better::Lower)
    .measure("B's p99", "ms", Better::Lower)
    .measure("B's tasks", "tasks/s", Better::Neither)
    .beside("B alone");
    for (name, seen) in [
        ("B alone", &alone),
        ("A waits for its tasks", &blocking),
        ("A's line grows", &piling),
    ] {
        let values = vec![seen.ms(50.0), seen.ms(99.0), seen.per_second()];
        section = section.row(name, values);
    }
    let times = |seen: &Samples| seen.ms(99.0) / alone.ms(99.0);
    let (waits, grows) = (times(&blocking), times(&piling));
    let what = |flood: &str| format!("noisy neighbour: B's p99 {flood}, of its p99 alone");
    Ok(section
        .target(
            what("while A waits for its tasks"),
            waits,
            Limit::AtMost(2.0),
        )
        .target(what("while A's line grows"), grows, Limit::AtMost(2.0)))
}

type Flood = fn(&mut Client) -> Pin<Box<dyn Future<Output = Result<()>> + '_>>;

fn wait(client: &mut Client) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
    Box::pin(async { client.run("hello").await })
}

fn pile(client: &mut Client) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
    Box::pin(async { client.submit("hello").await.map(drop) })
}

/// What B sees on a host of its own, while A floods it.
async fn beside(scale: Scale, flood: Option<Flood>) -> Result<Samples> {
    let host = Host::configured(&["plugins/echo"], TENANTS).await?;
    let mut quiet = Client::connect_all(&place_of(&host, "b"), QUIET).await?;
    let mut noisy = Client::connect_all(&place_of(&host, "a"), FLOOD).await?;
    let (time, warm_up) = (scale.seconds(8), scale.seconds(1));
    let quiet = async {
        open(&mut quiet, RATE, warm_up, echo).await?;
        open(&mut quiet, RATE, time, echo).await
    };
    let Some(flood) = flood else {
        return quiet.await;
    };
    let noisy = closed(&mut noisy, ENDLESS, async |client| flood(client).await);
    match select(pin!(quiet), pin!(noisy)).await {
        Either::Left((seen, _)) => seen,
        Either::Right((ended, _)) => bail!("the flood ended: {:?}", ended.err()),
    }
}

async fn echo(client: &mut Client) -> Result<()> {
    client.run("hello").await
}

fn place_of(host: &Host, tenant: &str) -> Place {
    Place {
        token: Some(format!("the-token-of-{tenant}")),
        ..host.place("echo")
    }
}

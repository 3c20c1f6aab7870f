//! One task with many children.

use std::slice::from_mut;

use anyhow::Result;

use super::{CONNECTIONS, Scale};
use crate::load::closed;
use crate::report::{Better, Section};
use crate::server::{Client, Host};

const CHILDREN: usize = 64;

pub(crate) async fn fan_out(scale: Scale) -> Result<Section> {
    let host = Host::with(&["guests/durable", "plugins/echo"]).await?;
    let mut parent = Client::connect(&host.place("durable")).await?;
    let text = format!("children {CHILDREN} echo hello");
    let families = closed(from_mut(&mut parent), scale.seconds(6), async |client| {
        client.run(&text).await
    });
    let families = families.await?;
    let mut clients = Client::connect_all(&host.place("echo"), CONNECTIONS).await?;
    let alone = closed(&mut clients, scale.seconds(6), async |client| {
        client.run("hello").await
    });
    let alone = alone.await?;
    let per_child = families.per_second() * CHILDREN as f64;
    Ok(Section::new(
        "fan-out",
        "Fan-out with children",
        "A task starts 64 echo tasks as its children, as many as it may by default, waits for all of them, and ends, again and again. \
         Beside it, 32 clients send the same echo tasks themselves.",
    )
    .measure("children", "tasks/s", Better::Higher)
    .measure("whole family or task, p50", "ms", Better::Lower)
    .measure("p99", "ms", Better::Lower)
    .beside("sent by 32 clients")
    .row("64 children of one task", vec![per_child, families.ms(50.0), families.ms(99.0)])
    .row("sent by 32 clients", vec![alone.per_second(), alone.ms(50.0), alone.ms(99.0)]))
}

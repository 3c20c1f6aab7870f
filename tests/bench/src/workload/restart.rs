//! How soon a host that stores many tasks is ready again.

use anyhow::Result;

use super::{Scale, fill};
use crate::now;
use crate::report::{Better, Section};
use crate::server::{Client, Host};

pub(crate) async fn restart(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "restart",
        "Restart with many tasks",
        "The host is killed with so many completed tasks stored, and started again on the same folder; measured \
         until it listens, and until it has run one more task.",
    )
    .log_axis("stored", "tasks")
    .measure("until it listens", "ms", Better::Lower)
    .measure("until the first task has ended", "ms", Better::Lower)
    .measure("memory then", "MiB", Better::Lower);
    let mut host = Host::with(&["plugins/echo"]).await?;
    let mut stored = 0;
    for count in scale.counts(&[0, 10_000, 100_000, 1_000_000], &[0, 100]) {
        fill(&host, count - stored).await?;
        stored = count;
        let began = now();
        host.restart().await?;
        let listens = began.elapsed();
        Client::connect(&host.place("echo"))
            .await?
            .run("hello")
            .await?;
        let ms = [listens, began.elapsed()].map(|took| took.as_secs_f64() * 1_000.0);
        let memory = host.process.resident_mib()?;
        let at = (count.max(1)) as f64;
        section = section.row_at("Taskyard", at, vec![ms[0], ms[1], memory]);
    }
    Ok(section)
}

//! `taskyard status`: what the host is doing, and which webhooks are in trouble.

use serde::{Deserialize, Serialize};
use taskyard_api::admin::{DeliveryList, DeliveryView};

use super::admin::AdminArgs;
use super::{Exit, Output, delivery};
use crate::config::Config;

/// What is in line and what runs.
#[derive(Debug, Serialize, Deserialize)]
struct Stats {
    queued: u64,
    running: u64,
    parked: u64,
    oldest_queued_ms: u64,
    /// Not said by hosts of earlier versions.
    #[serde(default)]
    forgotten: Option<Forgotten>,
    tenants: Vec<Tenant>,
}

/// What retention did last.
#[derive(Debug, Serialize, Deserialize)]
struct Forgotten {
    ago_ms: u64,
    tasks: u64,
    in_use: u64,
}

/// The same for one tenant.
#[derive(Debug, Serialize, Deserialize)]
struct Tenant {
    tenant: String,
    queued: u64,
    running: u64,
    blocked_on: Option<String>,
}

#[derive(Debug, Serialize)]
struct Status {
    stats: Stats,
    deliveries: Vec<DeliveryView>,
}

/// Does what `status` says.
///
/// # Errors
/// If the host cannot be reached or refuses.
pub(crate) async fn run(args: AdminArgs, config: Config, output: Output) -> anyhow::Result<Exit> {
    let admin = args.connect(&config)?;
    let stats = admin.get("/v1/stats").await?;
    let DeliveryList { deliveries } = admin.get("/v1/deliveries").await?;
    let status = Status { stats, deliveries };
    match output.is_json() {
        true => output.document(&status)?,
        false => show(&status, output)?,
    }
    Ok(Exit::Ok)
}

fn show(status: &Status, output: Output) -> anyhow::Result<()> {
    let Stats {
        queued,
        running,
        parked,
        oldest_queued_ms,
        forgotten,
        tenants,
    } = &status.stats;
    output.line(format!(
        "{running} running, {queued} in line; the oldest waits for {oldest_queued_ms} ms"
    ))?;
    if *parked > 0 {
        output.line(format!(
            "{parked} parked, waiting for you: taskyard task parked"
        ))?;
    }
    if let Some(last) = forgotten {
        let (seconds, tasks, in_use) = (last.ago_ms / 1_000, last.tasks, last.in_use);
        output.line(format!(
            "retention: {tasks} ended tasks deleted {seconds} s ago, {in_use} are to go and still in use"
        ))?;
    }
    if !tenants.is_empty() {
        let header = ["TENANT", "IN LINE", "RUNNING", "BLOCKED ON"];
        output.table(header, tenants.iter().map(tenant))?;
    }
    delivery::table(&status.deliveries, output)
}

fn tenant(tenant: &Tenant) -> [String; 4] {
    let name = match tenant.tenant.as_str() {
        "" => "(default)",
        name => name,
    };
    [
        name.to_owned(),
        tenant.queued.to_string(),
        tenant.running.to_string(),
        tenant.blocked_on.clone().unwrap_or_default(),
    ]
}

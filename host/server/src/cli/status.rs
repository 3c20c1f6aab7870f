//! `taskyard status`: what the host is doing, and which webhooks are in trouble.

use serde::{Deserialize, Serialize};
use taskyard_api::admin::{DeliveryList, DeliveryView};

use super::admin::AdminArgs;
use super::output::printable;
use super::{Exit, Output};
use crate::config::Config;

/// What is in line and what runs.
#[derive(Debug, Serialize, Deserialize)]
struct Stats {
    queued: u64,
    running: u64,
    parked: u64,
    oldest_queued_ms: u64,
    tenants: Vec<Tenant>,
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
    if !tenants.is_empty() {
        let header = ["TENANT", "IN LINE", "RUNNING", "BLOCKED ON"];
        output.table(header, tenants.iter().map(tenant))?;
    }
    if status.deliveries.is_empty() {
        return Ok(output.line("no webhook is in trouble")?);
    }
    let header = ["TASK", "WEBHOOK", "ATTEMPTS", "NEXT", "LAST ERROR"];
    Ok(output.table(header, status.deliveries.iter().map(delivery))?)
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

fn delivery(delivery: &DeliveryView) -> [String; 5] {
    let next = delivery.retry_at.as_deref();
    [
        delivery.task.clone(),
        printable(&delivery.config),
        delivery.attempts.to_string(),
        next.unwrap_or("given up").to_owned(),
        printable(&delivery.last_error),
    ]
}

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
    waiting: Waiting,
    /// Not said by hosts of earlier versions.
    #[serde(default)]
    forgotten: Option<Forgotten>,
    /// Not said by hosts of earlier versions.
    #[serde(default)]
    store: Option<Store>,
    /// Not said by hosts of earlier versions.
    #[serde(default)]
    clock: Option<Clock>,
    tenants: Vec<Tenant>,
    /// Not said by hosts of earlier versions.
    #[serde(default)]
    usage: Vec<Usage>,
}

/// Whether the host follows the system's clock.
#[derive(Debug, Serialize, Deserialize)]
struct Clock {
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step_ms: Option<i64>,
}

/// What retention did last.
#[derive(Debug, Serialize, Deserialize)]
struct Forgotten {
    ago_ms: u64,
    tasks: u64,
    in_use: u64,
    /// Not said by hosts of earlier versions.
    #[serde(default)]
    late_ms: u64,
    /// Not said by hosts of earlier versions.
    #[serde(default)]
    excess: u64,
}

/// Tasks that wait for something outside.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Waiting {
    input_required: u64,
    auth_required: u64,
    /// Not said by hosts of earlier versions.
    #[serde(default)]
    suspended: u64,
}

/// Whether the host can write.
#[derive(Debug, Serialize, Deserialize)]
struct Store {
    state: String,
    #[serde(default)]
    oldest_commit_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    full: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
}

/// The same for one tenant.
#[derive(Debug, Serialize, Deserialize)]
struct Tenant {
    tenant: String,
    queued: u64,
    running: u64,
    blocked_on: Option<String>,
}

/// What one tenant keeps.
#[derive(Debug, Serialize, Deserialize)]
struct Usage {
    tenant: String,
    tasks: u64,
    log_bytes: u64,
    content_bytes: u64,
    state_bytes: u64,
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
    Ok(exit(&status.stats))
}

/// A host that cannot write does nothing that matters, however little waits.
fn exit(stats: &Stats) -> Exit {
    let trouble = stats.store.as_ref().and_then(Store::trouble);
    trouble.map_or(Exit::Ok, |_| Exit::Error)
}

impl Store {
    /// How much room there is.
    fn room(&self) -> Option<String> {
        let (used, free) = (self.used_bytes?, self.free_bytes?);
        let [used, free] = [used, free].map(|bytes| bytes / 1_000_000);
        Some(format!("storage: {used} MB used, {free} MB free"))
    }

    /// What is wrong, if anything is, and what to do.
    fn trouble(&self) -> Option<String> {
        let reason = self.reason.as_deref().unwrap_or("it does not say why");
        match self.state.as_str() {
            "writable" => self.full.clone(),
            "failed" => Some(format!(
                "takes no work: {reason}; fix the disk, then restart the host"
            )),
            "damaged" => Some(reason.to_owned()),
            _ => Some(format!("takes no work: {reason}")),
        }
    }
}

fn show(status: &Status, output: Output) -> anyhow::Result<()> {
    let Stats {
        queued,
        running,
        parked,
        oldest_queued_ms,
        waiting,
        forgotten,
        store,
        clock,
        tenants,
        usage,
    } = &status.stats;
    if let Some(trouble) = store.as_ref().and_then(Store::trouble) {
        output.line(output.bold(trouble))?;
    }
    output.line(format!(
        "{running} running, {queued} in line; the oldest waits for {oldest_queued_ms} ms"
    ))?;
    if let Some(room) = store.as_ref().and_then(Store::room) {
        output.line(room)?;
    }
    let Waiting {
        input_required,
        auth_required,
        suspended,
    } = waiting;
    if input_required + auth_required > 0 {
        output.line(format!(
            "{} wait for people: {input_required} for input, {auth_required} for credentials",
            input_required + auth_required
        ))?;
    }
    if *suspended > 0 {
        output.line(format!(
            "{suspended} wait for a timer, a child, a message or their start"
        ))?;
    }
    if let Some(step) = clock.as_ref().and_then(|clock| clock.step_ms) {
        output.line(output.bold(format!(
            "the system's clock was set by {} s and is not followed; if it is right: taskyard clock accept",
            step / 1_000
        )))?;
    }
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
        if last.late_ms > 0 || last.excess > 0 {
            output.line(output.bold(format!(
                "retention is behind: the oldest task is {} s late, {} are beyond the number that tenants may keep",
                last.late_ms / 1_000,
                last.excess
            )))?;
        }
    }
    if !tenants.is_empty() {
        let header = ["TENANT", "IN LINE", "RUNNING", "BLOCKED ON"];
        output.table(header, tenants.iter().map(tenant))?;
    }
    if !usage.is_empty() {
        let header = [
            "TENANT",
            "TASKS",
            "LOG BYTES",
            "CONTENT BYTES",
            "STATE BYTES",
        ];
        output.table(header, usage.iter().map(kept))?;
    }
    delivery::table(&status.deliveries, output)
}

fn kept(usage: &Usage) -> [String; 5] {
    [
        named(&usage.tenant),
        usage.tasks.to_string(),
        usage.log_bytes.to_string(),
        usage.content_bytes.to_string(),
        usage.state_bytes.to_string(),
    ]
}

fn named(tenant: &str) -> String {
    match tenant {
        "" => "(default)".to_owned(),
        name => name.to_owned(),
    }
}

fn tenant(tenant: &Tenant) -> [String; 4] {
    [
        named(&tenant.tenant),
        tenant.queued.to_string(),
        tenant.running.to_string(),
        tenant.blocked_on.clone().unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stats(store: serde_json::Value) -> Stats {
        let mut stats = json!({
            "queued": 0,
            "running": 0,
            "parked": 0,
            "oldest_queued_ms": 0,
            "tenants": [],
        });
        if !store.is_null() {
            stats["store"] = store;
        }
        serde_json::from_value(stats).unwrap()
    }

    #[test]
    fn a_host_that_cannot_write_is_not_well() {
        for (store, expected, says) in [
            (json!(null), Exit::Ok, ""),
            (json!({"state": "writable"}), Exit::Ok, ""),
            (
                json!({"state": "waiting", "reason": "no room"}),
                Exit::Error,
                "takes no work: no room",
            ),
            (
                json!({"state": "failed", "reason": "no disk"}),
                Exit::Error,
                "takes no work: no disk; fix the disk, then restart the host",
            ),
            (
                json!({"state": "writable", "full": "takes no new work: storage.max_bytes"}),
                Exit::Error,
                "takes no new work: storage.max_bytes",
            ),
            (
                json!({"state": "something newer"}),
                Exit::Error,
                "takes no work: it does not say why",
            ),
        ] {
            let stats = stats(store);
            assert_eq!(exit(&stats), expected, "{stats:?}");
            let trouble = stats.store.as_ref().and_then(Store::trouble);
            assert_eq!(trouble.unwrap_or_default(), says);
        }
    }
}

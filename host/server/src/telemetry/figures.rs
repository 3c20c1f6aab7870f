//! The figures that the rooms report, in the form that Prometheus reads. The door for operators shows them.

use std::time::Duration;

use anyhow::Context;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the buckets for times, in seconds: from one commit to a slow download.
const SECONDS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0,
];
/// Upper bounds of the buckets for how many commits share a write to the disk.
const BATCH: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];
/// How often recorded times are sorted into buckets if nobody reads the figures.
const UPKEEP: Duration = Duration::from_secs(5);

/// Begins to collect, for the whole process. Must be called within a Tokio runtime.
///
/// # Errors
/// If figures are collected already.
pub(crate) fn start() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|b| b.set_buckets_for_metric(Matcher::Suffix("_batch_size".to_owned()), &BATCH))
        .and_then(PrometheusBuilder::install_recorder)
        .context("cannot collect figures")?;
    describe();
    begin_with_zero();
    tokio::spawn(upkeep(handle.clone()));
    Ok(handle)
}

/// Figures exist from the start, so that the first event is an increase. Those with names of agents begin with
/// the agent, times and sizes with the first one.
fn begin_with_zero() {
    for name in [
        "taskyard_tasks_refused_total",
        "taskyard_replayed_entries_total",
        "taskyard_commit_failures_total",
    ] {
        counter!(name).increment(0);
    }
    for (name, label, values) in [
        (
            "taskyard_denied_total",
            "why",
            &[
                "nothing",
                "unusable",
                "token",
                "key",
                "jwt",
                "certificate",
                "scope",
                "issuer",
                "foreign",
            ][..],
        ),
        ("taskyard_tasks_forgotten_total", "why", &["age", "count"]),
        (
            "taskyard_deliveries_total",
            "outcome",
            &["delivered", "will-retry", "gave-up"],
        ),
        (
            "taskyard_egress_requests_total",
            "outcome",
            &[
                "responded",
                "denied",
                "invalid",
                "timed-out",
                "too-large",
                "failed",
            ],
        ),
        (
            "taskyard_remote_children_total",
            "how",
            &["completed", "failed", "rejected", "canceled"],
        ),
    ] {
        for value in values {
            counter!(name, label => *value).increment(0);
        }
    }
    for door in ["listen", "admin_listen"] {
        gauge!("taskyard_connections", "door" => door).set(0.0);
        for reason in ["full", "address"] {
            counter!("taskyard_connections_refused_total", "door" => door, "reason" => reason)
                .increment(0);
        }
    }
    for name in [
        "taskyard_streams",
        "taskyard_instances",
        "taskyard_tasks_to_forget_in_use",
        "taskyard_tasks_to_forget",
        "taskyard_retention_late_seconds",
        "taskyard_remote_children",
        "taskyard_delivery_lanes",
        "taskyard_clock_step_seconds",
        "taskyard_oldest_commit_seconds",
        "taskyard_storage_bytes",
        "taskyard_storage_free_bytes",
        "taskyard_storage_full",
        "taskyard_storage_scrubbed_timestamp_seconds",
    ] {
        gauge!(name).set(0.0);
    }
}

async fn upkeep(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        handle.run_upkeep();
    }
}

fn describe() {
    let counters = [
        (
            "taskyard_requests_total",
            "Calls of clients, by binding, method and JSON-RPC error code (0: none)",
        ),
        (
            "taskyard_denied_total",
            "Callers that were kept out, by what they showed",
        ),
        ("taskyard_tasks_submitted_total", "Tasks taken, by agent"),
        (
            "taskyard_tasks_refused_total",
            "Tasks refused because a queue was full",
        ),
        (
            "taskyard_tasks_ended_total",
            "Tasks that ended, by agent and how",
        ),
        (
            "taskyard_runs_total",
            "Runs of workers that ended, by agent and outcome",
        ),
        (
            "taskyard_replayed_entries_total",
            "Log entries that runs were given again",
        ),
        (
            "taskyard_commit_failures_total",
            "Groups of commits that could not be written at once",
        ),
        (
            "taskyard_memory_refused_total",
            "Requests refused because there was no room in memory, by budget",
        ),
        (
            "taskyard_connections_refused_total",
            "Connections closed at once because there was no room, by door and reason",
        ),
        (
            "taskyard_deliveries_total",
            "Notifications tried, by outcome",
        ),
        (
            "taskyard_egress_requests_total",
            "Requests of workers to the outside, by outcome",
        ),
    ];
    for (name, text) in counters {
        describe_counter!(name, text);
    }
    let gauges = [
        ("taskyard_streams", "Open event streams"),
        ("taskyard_instances", "Workers in memory"),
        ("taskyard_connections", "Open connections, by door"),
        (
            "taskyard_memory_budget_bytes",
            "Memory that requests and answers may hold",
        ),
        (
            "taskyard_memory_held_bytes",
            "Memory that requests and answers hold, by holder",
        ),
        (
            "taskyard_store_writable",
            "Whether the data folder can be written: 1, or 0 while the host takes no work",
        ),
        (
            "taskyard_storage_bytes",
            "What the files of the database hold, in bytes",
        ),
        (
            "taskyard_storage_free_bytes",
            "What the file system of the data folder has left, in bytes",
        ),
        (
            "taskyard_storage_full",
            "Whether new work is refused because the disk has no room for it, 1 or 0",
        ),
        (
            "taskyard_storage_scrubbed_timestamp_seconds",
            "When all that is stored had been read for the last time, in seconds since 1970; 0 before that",
        ),
        (
            "taskyard_parked_tasks",
            "Tasks that stand still until an operator looks at them",
        ),
        (
            "taskyard_tls_certificate_expiry_timestamp_seconds",
            "When the TLS certificate ends, in seconds since 1970",
        ),
        (
            "taskyard_retention_late_seconds",
            "How long ago the oldest finished task should have been deleted that is left for the next look; 0 if none is",
        ),
        (
            "taskyard_tasks_to_forget",
            "Finished tasks beyond retention.max_tasks_per_tenant that are left for the next look",
        ),
        (
            "taskyard_oldest_commit_seconds",
            "How long the oldest commit waits for the disk",
        ),
        (
            "taskyard_clock_step_seconds",
            "How far the system's clock is ahead of the host's time, if that is a step that is not followed; else 0",
        ),
        (
            "taskyard_delivery_lanes",
            "Webhooks with something to deliver, now or later",
        ),
    ];
    for (name, text) in gauges {
        describe_gauge!(name, text);
    }
    let seconds = [
        (
            "taskyard_request_seconds",
            "Time to answer a call, or to begin its stream, by method",
        ),
        (
            "taskyard_commit_seconds",
            "Time to make a group of commits durable",
        ),
        ("taskyard_compile_seconds", "Time to compile a component"),
        (
            "taskyard_run_seconds",
            "Time that a run took, waiting included",
        ),
    ];
    for (name, text) in seconds {
        describe_histogram!(name, Unit::Seconds, text);
    }
    describe_histogram!(
        "taskyard_commit_batch_size",
        "Commits that shared one write to the disk"
    );
}

//! `taskyard delivery`: webhooks in trouble, and another try for them.

use std::collections::HashSet;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use taskyard_api::admin::{DeliveryList, DeliveryView, RetriedView};
use taskyard_task::visible::in_line;

use super::admin::AdminArgs;
use super::{Exit, Output};
use crate::admin_client::{AdminClient, encode_segment};
use crate::config::Config;

#[derive(Debug, Args)]
pub(crate) struct DeliveryArgs {
    #[command(flatten)]
    admin: AdminArgs,
    #[command(subcommand)]
    command: DeliveryCommand,
}

#[derive(Debug, Subcommand)]
enum DeliveryCommand {
    /// List the webhooks that are in trouble: tried again later, or given up
    List,
    /// Try again at once to deliver what is due to a webhook, also if it was given up
    Retry {
        /// The task
        #[arg(required_unless_present = "all")]
        task: Option<String>,
        /// The webhook, as `delivery list` calls it
        #[arg(requires = "task", required_unless_present = "all")]
        webhook: Option<String>,
        /// Every webhook that is in trouble
        #[arg(long, conflicts_with_all = ["task", "webhook"])]
        all: bool,
    },
}

/// Does what `delivery` says.
///
/// # Errors
/// If the host cannot be reached or refuses.
pub(crate) async fn run(
    args: DeliveryArgs,
    config: Config,
    output: Output,
) -> anyhow::Result<Exit> {
    let admin = args.admin.connect(&config)?;
    match args.command {
        DeliveryCommand::List => list(&admin, output).await?,
        DeliveryCommand::Retry { task, webhook, .. } => {
            let retried = match task.zip(webhook) {
                Some((task, webhook)) => vec![retry(&admin, &task, &webhook).await?],
                None => retry_all(&admin).await?,
            };
            show_retried(&retried, output)?;
        }
    }
    Ok(Exit::Ok)
}

async fn list(admin: &AdminClient, output: Output) -> anyhow::Result<()> {
    let deliveries = in_trouble(admin).await?;
    match output.is_json() {
        true => output.document(&deliveries),
        false => table(&deliveries, output),
    }
}

async fn in_trouble(admin: &AdminClient) -> anyhow::Result<Vec<DeliveryView>> {
    let DeliveryList { deliveries } = admin.get("/v1/deliveries").await?;
    Ok(deliveries)
}

async fn retry(admin: &AdminClient, task: &str, webhook: &str) -> anyhow::Result<RetriedView> {
    let (segment, config) = (encode_segment(task), encode_segment(webhook));
    let path = format!("/v1/deliveries/{segment}/{config}/retry");
    let retried = admin.order(&path, &json!({})).await;
    retried.with_context(|| format!("cannot retry the webhook {webhook} of task {task}"))
}

/// The host lists only so many at once, so this asks until nothing new is in trouble.
async fn retry_all(admin: &AdminClient) -> anyhow::Result<Vec<RetriedView>> {
    let (mut tried, mut retried) = (HashSet::new(), Vec::new());
    loop {
        let mut found = in_trouble(admin).await?;
        found.retain(|one| tried.insert((one.task.clone(), one.config.clone())));
        if found.is_empty() {
            return Ok(retried);
        }
        for one in found {
            // It may have recovered meanwhile.
            match retry(admin, &one.task, &one.config).await {
                Err(error) if error.is::<super::NotFound>() => {}
                other => retried.push(other?),
            }
        }
    }
}

fn show_retried(retried: &[RetriedView], output: Output) -> anyhow::Result<()> {
    if output.is_json() {
        return output.document(&retried);
    }
    if retried.is_empty() {
        return Ok(output.line("no webhook is in trouble")?);
    }
    for one in retried {
        let webhook = in_line(&one.config);
        output.line(format!(
            "webhook {webhook} of task {} is tried again",
            one.task
        ))?;
    }
    Ok(())
}

/// The table of webhooks in trouble, which `status` shows too.
///
/// # Errors
/// If standard output is closed.
pub(super) fn table(deliveries: &[DeliveryView], output: Output) -> anyhow::Result<()> {
    if deliveries.is_empty() {
        return Ok(output.line("no webhook is in trouble")?);
    }
    let header = ["TASK", "WEBHOOK", "ATTEMPTS", "NEXT", "LAST ERROR"];
    Ok(output.table(header, deliveries.iter().map(row))?)
}

fn row(delivery: &DeliveryView) -> [String; 5] {
    let next = delivery.retry_at.as_deref();
    [
        delivery.task.clone(),
        in_line(&delivery.config),
        delivery.attempts.to_string(),
        next.unwrap_or("given up").to_owned(),
        in_line(&delivery.last_error),
    ]
}

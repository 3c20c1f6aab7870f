//! `taskyard clock`: what an operator says about the time.

use clap::{Args, Subcommand};
use serde_json::json;
use taskyard_api::admin::ClockStep;

use super::admin::AdminArgs;
use super::{Exit, Output};
use crate::config::Config;

/// What `clock` takes.
#[derive(Debug, Args)]
pub(crate) struct ClockArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the system's clock although it was set by much: it is right now
    Accept,
}

/// Does what `clock` says.
///
/// # Errors
/// If the host cannot be reached or refuses.
pub(crate) async fn run(args: ClockArgs, config: Config, output: Output) -> anyhow::Result<Exit> {
    let Command::Accept = args.command;
    let admin = args.admin.connect(&config)?;
    let accepted: ClockStep = admin.order("/v1/clock/accept", &json!({})).await?;
    match accepted.step_ms {
        _ if output.is_json() => output.document(&accepted)?,
        Some(step) => output.line(format!(
            "the host follows the system's clock again, which is a step of {} s",
            step / 1_000
        ))?,
        None => output.line("the host follows the system's clock already")?,
    }
    Ok(Exit::Ok)
}

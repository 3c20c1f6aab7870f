//! `taskyard config`: what the configuration is, and whether the host can start with it.

use clap::{Args, Subcommand};
use serde::Serialize;
use taskyard_storage::{Storage, UpgradePlan};

use super::{Exit, Output};
use crate::config::Config;
use crate::findings::Findings;
use crate::{preflight, serve};

/// What `config` takes.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: Option<ConfigCommand>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum ConfigCommand {
    /// Check the configuration and what it needs of this machine, without opening the data folder
    Check,
}

/// What a dry run found.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    findings: &'a Findings,
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade: Option<&'a UpgradePlan>,
}

/// Does what `config` says. `read` gives the configuration, checked or not.
///
/// # Errors
/// If it cannot be read or shown.
pub(super) fn run(
    args: &ConfigArgs,
    read: impl FnOnce(&mut Findings) -> anyhow::Result<Config>,
    output: Output,
) -> anyhow::Result<Exit> {
    let mut findings = Findings::default();
    let config = read(&mut findings);
    match args.command {
        None => {
            let config = config?;
            findings.into_result()?;
            output.text(&config.to_toml()?)?;
            Ok(Exit::Ok)
        }
        Some(ConfigCommand::Check) => {
            match config {
                Ok(config) => preflight::check(&config, &mut findings),
                Err(error) => findings.unreadable(&error),
            }
            show(&findings, None, output)
        }
    }
}

/// Tells what `serve` would do, and does none of it.
///
/// # Errors
/// If the data folder could not be opened.
pub(super) fn dry_run(
    config: &Config,
    mut findings: Findings,
    output: Output,
) -> anyhow::Result<Exit> {
    preflight::check(config, &mut findings);
    let plan = Storage::plan(&serve::storage_config(config, None, false))?;
    show(&findings, Some(&plan), output)
}

fn show(
    findings: &Findings,
    upgrade: Option<&UpgradePlan>,
    output: Output,
) -> anyhow::Result<Exit> {
    if output.is_json() {
        output.document(&Report { findings, upgrade })?;
        return Ok(exit(findings));
    }
    for problem in &findings.problems {
        output.line(format!("problem: {problem}"))?;
    }
    for warning in &findings.warnings {
        output.line(format!("warning: {warning}"))?;
    }
    if let Some(plan) = upgrade {
        output.line(in_words(plan))?;
    }
    if findings.problems.is_empty() {
        output.line("the host can start with this configuration")?;
    }
    Ok(exit(findings))
}

fn exit(findings: &Findings) -> Exit {
    match findings.problems.is_empty() {
        true => Exit::Ok,
        false => Exit::Error,
    }
}

fn in_words(plan: &UpgradePlan) -> String {
    let current = plan.current;
    let used = match plan.in_use {
        true => " (a host uses it now)",
        false => "",
    };
    match plan.found {
        None => format!("the data folder is empty{used}; it will have format {current}"),
        Some(found) if plan.steps.is_empty() => {
            format!("the data folder has format {found}{used}; no upgrade is needed")
        }
        Some(found) => {
            let steps: Vec<_> = plan.steps.iter().map(u32::to_string).collect();
            format!(
                "the data folder has format {found}{used}; `serve` would upgrade it to format {}, and older versions \
                 could not open it any more. Nothing was changed",
                steps.join(", then ")
            )
        }
    }
}

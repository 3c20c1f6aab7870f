//! `taskyard plugin`: what an operator does with workers.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use serde_json::Value;
use taskyard_api::admin::{AgentList, AgentView, HeldView, StatusView};
use taskyard_task::AgentName;
use taskyard_task::visible::{in_line, in_lines};

use super::admin::AdminArgs;
use super::egress::{self, AllowArgs, DenyArgs, RulesArgs};
use super::{Exit, Output};
use crate::admin_client::{AdminClient, encode};
use crate::config::Config;

/// What `plugin` takes.
#[derive(Debug, Args)]
pub(crate) struct PluginArgs {
    #[command(flatten)]
    admin: AdminArgs,
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Deploy a component; new tasks run on it, tasks in flight finish on theirs
    Load(LoadArgs),
    /// List the agents
    List,
    /// Show an agent, and which versions its tasks run on
    Show {
        /// The agent
        name: AgentName,
    },
    /// Allow an agent's workers to make requests to a host, also in tasks that there are already
    Allow(AllowArgs),
    /// Take that back
    Deny(DenyArgs),
    /// Remove an agent
    Unload {
        /// The agent
        name: AgentName,
        /// Take no new tasks, and wait until those that there are have ended
        #[arg(long)]
        drain: bool,
    },
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// The component
    file: PathBuf,
    /// Under which name [default: the one that it gives itself]
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// Its configuration, a JSON object [default: that of the deployment before]
    #[arg(long, value_name = "JSON")]
    config_json: Option<String>,
    /// Its limits where they differ, a JSON object with keys of `[worker]`
    #[arg(long, value_name = "JSON")]
    limits: Option<String>,
    /// How many of its tasks may run at once
    #[arg(long, value_name = "N")]
    max_runs: Option<u32>,
    /// Whether a message that names its context alone answers the task that waits for input there [default:
    /// as in the deployment before, or else not]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    answer_by_context: Option<bool>,
    /// Take the place of a plugin that calls itself something else
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    rules: RulesArgs,
}

/// Does what `plugin` says.
///
/// # Errors
/// If the host cannot be reached or refuses.
pub(crate) async fn run(args: PluginArgs, config: Config, output: Output) -> anyhow::Result<Exit> {
    let admin = args.admin.connect(&config)?;
    match args.command {
        PluginCommand::Load(args) => load(&admin, &args, output).await?,
        PluginCommand::List => list(&admin, output).await?,
        PluginCommand::Show { name } => show(&admin, &name, output).await?,
        PluginCommand::Allow(args) => egress::allow(&admin, args, output).await?,
        PluginCommand::Deny(args) => egress::deny(&admin, args, output).await?,
        PluginCommand::Unload { name, drain } => unload(&admin, &name, drain, output).await?,
    }
    Ok(Exit::Ok)
}

async fn load(admin: &AdminClient, args: &LoadArgs, output: Output) -> anyhow::Result<()> {
    let path = format!("/v1/agents{}", args.query()?);
    let loaded: AgentView = admin.post(&path, read(&args.file)?).await?;
    match output.is_json() {
        true => output.document(&loaded),
        false => Ok(output.line(deployed(&loaded))?),
    }
}

async fn list(admin: &AdminClient, output: Output) -> anyhow::Result<()> {
    let AgentList { agents } = admin.get("/v1/agents").await?;
    if output.is_json() {
        return output.document(&agents);
    }
    let header = [
        "AGENT",
        "VERSION",
        "COMPONENT",
        "DEPLOYED",
        "ALLOWED HOSTS",
        "DESCRIPTION",
    ];
    Ok(output.table(header, agents.iter().map(row))?)
}

async fn show(admin: &AdminClient, name: &AgentName, output: Output) -> anyhow::Result<()> {
    let status: StatusView = admin.get(&format!("/v1/agents/{name}")).await?;
    if output.is_json() {
        return output.document(&status);
    }
    output.line(deployed(&status.agent))?;
    output.line(in_lines(&status.agent.description))?;
    output.line(format!(
        "queued {}, running {}",
        status.queued, status.running
    ))?;
    output.line(format!("configuration {}", status.agent.config))?;
    if status.agent.answer_by_context {
        output
            .line("a message with contextId alone answers the task that waits for input there")?;
    }
    for line in egress::lines(&status.agent.egress) {
        output.line(line)?;
    }
    for held in &status.held {
        output.line(held_in_words(held, &status.agent.digest))?;
    }
    Ok(())
}

async fn unload(
    admin: &AdminClient,
    name: &AgentName,
    drain: bool,
    output: Output,
) -> anyhow::Result<()> {
    admin
        .delete(&format!("/v1/agents/{name}?drain={drain}"))
        .await?;
    if !output.is_json() {
        output.line(format!("{name} is unloaded"))?;
    }
    Ok(())
}

impl LoadArgs {
    fn query(&self) -> anyhow::Result<String> {
        check_object("--config-json", self.config_json.as_deref())?;
        check_object("--limits", self.limits.as_deref())?;
        let rules = self.rules.policy()?;
        let rules = rules
            .map(|rules| serde_json::to_string(&rules))
            .transpose()?;
        let given = [
            ("name", self.agent.as_ref().map(ToString::to_string)),
            ("config", self.config_json.as_deref().map(encode)),
            ("limits", self.limits.as_deref().map(encode)),
            ("max_runs", self.max_runs.map(|runs| runs.to_string())),
            ("egress", rules.as_deref().map(encode)),
            ("replace", self.replace.then(|| true.to_string())),
            (
                "answer_by_context",
                self.answer_by_context.map(|answers| answers.to_string()),
            ),
        ];
        let pairs = given
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{key}={}", value?)));
        let pairs: Vec<_> = pairs.collect();
        Ok(match pairs.is_empty() {
            true => String::new(),
            false => format!("?{}", pairs.join("&")),
        })
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn deployed(agent: &AgentView) -> String {
    let AgentView {
        name,
        version,
        revision,
        ..
    } = agent;
    let component = short(&agent.digest);
    let version = in_line(version);
    format!("{name} {version} is deployed (component {component}, revision {revision})")
}

fn row(agent: &AgentView) -> [String; 6] {
    [
        agent.name.clone(),
        in_line(&agent.version),
        short(&agent.digest),
        agent.deployed_at.clone(),
        egress::hosts(&agent.egress),
        in_line(&agent.description),
    ]
}

fn held_in_words(held: &HeldView, deployed: &str) -> String {
    let HeldView {
        digest,
        version,
        tasks,
    } = held;
    let still = if digest == deployed { "" } else { " still" };
    let who = match tasks {
        1 => format!("1 task{still} runs"),
        _ => format!("{tasks} tasks{still} run"),
    };
    let version = in_line(version);
    format!("{who} on {version} (component {})", short(digest))
}

/// The first digits of a digest: enough for people.
pub(super) fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn check_object(option: &str, json: Option<&str>) -> anyhow::Result<()> {
    if let Some(json) = json {
        let parsed: Value = taskyard_json::from_slice(json.as_bytes())
            .with_context(|| format!("{option} is not JSON"))?;
        ensure!(parsed.is_object(), "{option} is not a JSON object");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(config: Option<&str>) -> anyhow::Result<String> {
        let args = LoadArgs {
            file: PathBuf::new(),
            agent: config.map(|_| "echo".parse().unwrap()),
            config_json: config.map(str::to_owned),
            limits: None,
            max_runs: None,
            answer_by_context: None,
            replace: false,
            rules: RulesArgs::default(),
        };
        args.query()
    }

    #[test]
    fn tasks_on_older_versions_still_run_on_them() {
        let held = |digest: &str, tasks| HeldView {
            digest: digest.repeat(16),
            version: "1.2.0".to_owned(),
            tasks,
        };
        let deployed = "bbbb".repeat(16);
        assert_eq!(
            held_in_words(&held("aaaa", 7), &deployed),
            "7 tasks still run on 1.2.0 (component aaaaaaaaaaaa)"
        );
        assert_eq!(
            held_in_words(&held("bbbb", 1), &deployed),
            "1 task runs on 1.2.0 (component bbbbbbbbbbbb)"
        );
    }

    #[test]
    fn what_is_not_given_is_left_to_the_host() {
        assert_eq!(query(None).unwrap(), "");
        assert_eq!(
            query(Some(r#"{"a": "b&c"}"#)).unwrap(),
            "?name=echo&config=%7B%22a%22%3A+%22b%26c%22%7D"
        );
        assert_eq!(
            query(Some("[]")).unwrap_err().to_string(),
            "--config-json is not a JSON object"
        );
    }
}

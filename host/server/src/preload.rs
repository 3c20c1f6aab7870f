//! Agents that are set up when the host starts, for trying things out and for images that bring their
//! agents along: components are loaded, and the configuration of agents is put into effect.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use taskyard_broker::{Broker, DeployRequest, Error};
use taskyard_task::{AgentName, Digest};
use tracing::warn;

use crate::config::AgentConfig;

/// Deploys the components in `files` under the names that they give themselves, except those that are
/// deployed so already.
///
/// # Errors
/// If a file cannot be read or is not a worker.
pub(crate) async fn load(broker: &Broker, files: &[PathBuf]) -> anyhow::Result<()> {
    for file in files {
        let cannot = || format!("cannot load {}", file.display());
        load_one(broker, file).await.with_context(cannot)?;
    }
    Ok(())
}

/// Puts what the configuration says about agents into effect, for those that are deployed.
///
/// # Errors
/// If it cannot be written down.
pub(crate) async fn configure(
    broker: &Broker,
    agents: &BTreeMap<AgentName, AgentConfig>,
) -> anyhow::Result<()> {
    for (name, agent) in agents {
        match broker.configure(name, agent.changes()).await {
            Ok(_) => {}
            Err(Error::AgentNotFound) => {
                warn!(agent = %name, "the configuration has a section for an agent that is not deployed");
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot set up the agent {name}"));
            }
        }
    }
    Ok(())
}

async fn load_one(broker: &Broker, file: &Path) -> anyhow::Result<()> {
    let component = tokio::fs::read(file).await?;
    let digest = Digest::of(&component);
    let agents = broker.agents();
    if agents
        .values()
        .any(|agent| agent.digest == digest && agent.name == agent.manifest.name)
    {
        return Ok(());
    }
    broker
        .deploy(DeployRequest {
            agent: None,
            component,
            config: None,
            limits: taskyard_task::LimitChanges::default(),
            max_runs: None,
            egress: None,
            answer_by_context: None,
            replace: false,
        })
        .await?;
    Ok(())
}

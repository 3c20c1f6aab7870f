//! Components that are loaded when the host starts, for trying things out and for images that bring
//! their agents along.

use std::path::{Path, PathBuf};

use anyhow::Context;
use taskyard_broker::{Broker, DeployRequest};
use taskyard_task::Digest;

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
        })
        .await?;
    Ok(())
}

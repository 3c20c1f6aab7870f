//! `taskyard:worker/artifacts`: the results of the task.

use super::Ctx;
use super::content::{part_from_worker, parts_from_worker, spec_from_worker};
use crate::bindings::taskyard::worker::artifacts::{Host, Spec};
use crate::bindings::taskyard::worker::types::Part;
use crate::replay::{ArtifactStages, CallError};

impl Host for Ctx {
    async fn put(&mut self, spec: Spec, parts: Vec<Part>) -> Result<(), CallError> {
        let id = spec.id.clone();
        let put = |artifacts: &ArtifactStages| {
            let spec = spec_from_worker(spec)?;
            artifacts.put(spec, parts_from_worker(parts)?)
        };
        let artifacts = self.effect("taskyard:worker/artifacts.put", put).await?;
        artifacts.sealed(id);
        Ok(())
    }

    fn open(&mut self, spec: Spec) -> Result<(), CallError> {
        let task = self.derived("taskyard:worker/artifacts.open")?;
        let spec = spec_from_worker(spec)?;
        task.gate.artifacts().open(spec)?;
        Ok(())
    }

    async fn append(&mut self, id: String, chunk: Part) -> Result<(), CallError> {
        let artifact = id.clone();
        let append = |artifacts: &ArtifactStages| {
            let chunk = part_from_worker(chunk)?;
            artifacts.append(id, chunk)
        };
        let artifacts = self
            .effect("taskyard:worker/artifacts.append", append)
            .await?;
        artifacts.grown(artifact);
        Ok(())
    }

    async fn close(&mut self, id: String) -> Result<(), CallError> {
        let artifact = id.clone();
        let close = |artifacts: &ArtifactStages| artifacts.close(id);
        let artifacts = self
            .effect("taskyard:worker/artifacts.close", close)
            .await?;
        artifacts.sealed(artifact);
        Ok(())
    }
}

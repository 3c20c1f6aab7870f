//! `taskyard:worker/children`: other tasks that this one starts.

use taskyard_task::fold::ArtifactView;
use taskyard_task::{ChildCall, ChildEnd, ChildTarget, TaskState, Ticket};

use super::Ctx;
use super::content::{check_object, part_to_worker, parts_from_worker};
use crate::bindings::taskyard::worker::children::{Artifact, Child, End, EndState, Host, Target};
use crate::replay::{CallError, Refusal};

/// Longer addresses are a mistake.
const MAX_URL_BYTES: usize = 8 << 10;

impl Host for Ctx {
    async fn start(&mut self, child: Child) -> Result<u64, CallError> {
        // An effect, of which the broker says whether it could be had.
        let task = self.running_task("taskyard:worker/children.start")?;
        let call = from_worker(child)?;
        let ticket = task.gate.start_child(call, &task.lineage).await?;
        Ok(ticket.0)
    }

    async fn take(&mut self, child: u64) -> Result<End, CallError> {
        let gate = self.journaled("taskyard:worker/children.take")?;
        let end = gate.take_child(Ticket(child)).await?;
        Ok(to_worker(end))
    }

    fn task_id(&mut self, child: u64) -> Result<Option<String>, CallError> {
        let task = self.derived("taskyard:worker/children.task-id")?;
        let child = task.gate.child_task(Ticket(child))?;
        Ok(child.map(|task| task.to_string()))
    }
}

fn from_worker(child: Child) -> Result<ChildCall, Refusal> {
    check_object("metadata of a child", child.metadata.as_deref())?;
    Ok(ChildCall {
        target: target(child.target)?,
        message: parts_from_worker(child.message)?,
        metadata: child.metadata,
        detached: child.detached,
    })
}

fn target(target: Target) -> Result<ChildTarget, Refusal> {
    match target {
        Target::Agent(name) => match name.parse() {
            Ok(agent) => Ok(ChildTarget::Agent(agent)),
            Err(invalid) => Err(Refusal::Invalid(format!(
                "{name:?} names no agent: {invalid}"
            ))),
        },
        Target::Remote(url) if url.len() > MAX_URL_BYTES => Err(Refusal::Invalid(format!(
            "the address of a remote agent has at most {MAX_URL_BYTES} bytes"
        ))),
        Target::Remote(url) if !is_http(&url) => Err(Refusal::Invalid(format!(
            "{url:?} is no address of a remote agent: it must begin with https:// or http://"
        ))),
        Target::Remote(url) => Ok(ChildTarget::Remote(url)),
    }
}

fn is_http(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn to_worker(end: ChildEnd) -> End {
    End {
        state: end_state(end.state),
        message: end.message.into_iter().map(part_to_worker).collect(),
        artifacts: end.artifacts.into_iter().map(artifact).collect(),
    }
}

fn artifact(artifact: ArtifactView) -> Artifact {
    let ArtifactView { spec, parts } = artifact;
    Artifact {
        id: spec.id,
        name: spec.name,
        description: spec.description,
        metadata: spec.metadata,
        parts: parts.into_iter().map(part_to_worker).collect(),
    }
}

/// What ended is in one of four states.
fn end_state(state: TaskState) -> EndState {
    match state {
        TaskState::Completed => EndState::Completed,
        TaskState::Canceled => EndState::Canceled,
        TaskState::Rejected => EndState::Rejected,
        TaskState::Failed
        | TaskState::Submitted
        | TaskState::Working
        | TaskState::InputRequired
        | TaskState::AuthRequired => EndState::Failed,
    }
}

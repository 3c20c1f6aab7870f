//! `taskyard:worker/context`: the earlier tasks of the conversation.

use taskyard_task::fold::ArtifactView;
use taskyard_task::{EarlierTask as Read, TaskState as State, TaskSummary, Utterance as Said};

use super::Ctx;
use super::content::part_to_worker;
use crate::bindings::taskyard::worker::context::{
    Artifact, Author, EarlierTask, Host, Summary, TaskState, Utterance,
};
use crate::bindings::taskyard::worker::types::Part;
use crate::replay::CallError;

impl Host for Ctx {
    async fn earlier(&mut self, limit: u32) -> Result<Vec<Summary>, CallError> {
        let gate = self.journaled("taskyard:worker/context.earlier")?;
        let tasks = gate.earlier_tasks(limit).await?;
        Ok(tasks.into_iter().map(Summary::from).collect())
    }

    async fn read(&mut self, task: String) -> Result<EarlierTask, CallError> {
        let gate = self.journaled("taskyard:worker/context.read")?;
        Ok(gate.read_task(&task).await?.into())
    }
}

impl From<TaskSummary> for Summary {
    fn from(task: TaskSummary) -> Self {
        Self {
            id: task.id.to_string(),
            state: task.state.into(),
            created_at: task.created_at.0,
            updated_at: task.status_at.0,
            request: task.request,
            status: task.status,
            artifacts: task.artifacts,
        }
    }
}

impl From<Read> for EarlierTask {
    fn from(task: Read) -> Self {
        Self {
            summary: task.summary.into(),
            status: parts(task.status),
            messages: task.messages.into_iter().map(Utterance::from).collect(),
            artifacts: task.artifacts.into_iter().map(Artifact::from).collect(),
            complete: task.complete,
        }
    }
}

impl From<Said> for Utterance {
    fn from(said: Said) -> Self {
        Self {
            author: match said.by_agent {
                true => Author::Agent,
                false => Author::User,
            },
            parts: parts(said.parts),
        }
    }
}

impl From<ArtifactView> for Artifact {
    fn from(artifact: ArtifactView) -> Self {
        let ArtifactView { spec, parts: of } = artifact;
        Self {
            id: spec.id,
            name: spec.name,
            description: spec.description,
            metadata: spec.metadata,
            parts: parts(of),
        }
    }
}

impl From<State> for TaskState {
    fn from(state: State) -> Self {
        match state {
            State::Submitted => Self::Submitted,
            State::Working => Self::Working,
            State::InputRequired => Self::InputRequired,
            State::AuthRequired => Self::AuthRequired,
            State::Completed => Self::Completed,
            State::Failed => Self::Failed,
            State::Canceled => Self::Canceled,
            State::Rejected => Self::Rejected,
        }
    }
}

fn parts(parts: Vec<taskyard_task::Part>) -> Vec<Part> {
    parts.into_iter().map(part_to_worker).collect()
}

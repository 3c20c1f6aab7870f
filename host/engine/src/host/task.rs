//! `taskyard:worker/task`: the task that the worker runs.

use taskyard_task::{AgentName, Event, Header, Submission, Ticket};

use super::Ctx;
use super::content::{parts_from_worker, to_worker};
use crate::bindings::taskyard::worker::task::{Host, Identity, InputKind};
use crate::bindings::taskyard::worker::types::{Message, Part};
use crate::replay::{CallError, Refusal};

const MOST_PERCENT: u8 = 100;

/// Who and what the task is. Nothing in it ever changes.
pub(super) fn identity(header: &Header, submission: &Submission) -> Identity {
    Identity {
        task_id: header.id.to_string(),
        context_id: header.context_id.clone(),
        tenant: header.tenant.to_string(),
        agent: header.agent.to_string(),
        plugin_digest: submission.digest.to_string(),
        accepted_output_modes: submission.accepted_output_modes.clone(),
        parent_task: submission.parent.map(|parent| parent.task.to_string()),
    }
}

/// The agents above the task, and its own.
pub(super) fn lineage(submission: &Submission) -> Vec<AgentName> {
    let mut lineage = submission.lineage.clone();
    lineage.push(submission.agent.clone());
    lineage
}

impl Host for Ctx {
    fn get_identity(&mut self) -> wasmtime::Result<Identity> {
        let task = self.derived("taskyard:worker/task.get-identity")?;
        Ok(task.identity.clone())
    }

    async fn progress(
        &mut self,
        percent: Option<u8>,
        text: Option<String>,
    ) -> Result<(), CallError> {
        let report = |_: &_| {
            if percent.is_some_and(|percent| percent > MOST_PERCENT) {
                let problem = "percent is more than 100".to_owned();
                return Err(Refusal::Invalid(problem));
            }
            Ok(Event::Progress { percent, text })
        };
        self.effect("taskyard:worker/task.progress", report).await?;
        Ok(())
    }

    async fn say(&mut self, parts: Vec<Part>) -> Result<(), CallError> {
        let say = |_: &_| {
            let parts = parts_from_worker(parts)?;
            Ok(Event::Said { parts })
        };
        self.effect("taskyard:worker/task.say", say).await?;
        Ok(())
    }

    async fn ask(&mut self, kind: InputKind, prompt: Vec<Part>) -> Result<Message, CallError> {
        let gate = self.journaled("taskyard:worker/task.ask")?;
        let prompt = parts_from_worker(prompt)?;
        let question = gate.ask(kind.into(), prompt).await?;
        let answer = gate.take_answer(question).await?;
        Ok(to_worker(answer))
    }

    async fn ask_start(&mut self, kind: InputKind, prompt: Vec<Part>) -> Result<u64, CallError> {
        let gate = self.journaled("taskyard:worker/task.ask-start")?;
        let prompt = parts_from_worker(prompt)?;
        let question = gate.ask(kind.into(), prompt).await?;
        Ok(question.0)
    }

    async fn ask_take(&mut self, question: u64) -> Result<Message, CallError> {
        let gate = self.journaled("taskyard:worker/task.ask-take")?;
        let answer = gate.take_answer(Ticket(question)).await?;
        Ok(to_worker(answer))
    }

    fn messages(&mut self) -> wasmtime::Result<u64> {
        let task = self.derived("taskyard:worker/task.messages")?;
        Ok(task.gate.messages().0)
    }

    fn should_continue_as_new(&mut self) -> wasmtime::Result<bool> {
        let task = self.derived("taskyard:worker/task.should-continue-as-new")?;
        Ok(task.gate.budget().is_nearly_used_up())
    }

    async fn next_message(&mut self) -> Result<Option<Message>, CallError> {
        let gate = self.journaled("taskyard:worker/task.next-message")?;
        let message = gate.next_message().await?;
        Ok(message.map(to_worker))
    }

    async fn cancel_requested(&mut self) -> wasmtime::Result<bool> {
        let gate = self.journaled("taskyard:worker/task.cancel-requested")?;
        Ok(gate.cancel_requested().await?)
    }
}

impl From<InputKind> for taskyard_task::InputKind {
    fn from(kind: InputKind) -> Self {
        match kind {
            InputKind::InputRequired => Self::Input,
            InputKind::AuthRequired => Self::Auth,
        }
    }
}

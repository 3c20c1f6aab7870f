//! Earlier tasks of the conversation, as the script has them.

use serde::{Deserialize, Serialize};

use super::attempt::Attempt;
use super::entry::What;
use super::wait::invalid;
use crate::OpError;
use crate::context::{EarlierTask, Summary};

/// The most tasks that one call gives.
const MAX_LISTED: u32 = 100;

/// What a worker wants to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum ContextCall {
    List(u32),
    Read(String),
}

/// What it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum ContextResult {
    Tasks(Vec<Summary>),
    Task(Option<Box<EarlierTask>>),
}

impl Attempt {
    pub(super) fn earlier_tasks(&mut self, limit: u32) -> Result<Vec<Summary>, OpError> {
        if !(1..=MAX_LISTED).contains(&limit) {
            return invalid("a limit is between 1 and 100");
        }
        match self.context(ContextCall::List(limit)) {
            ContextResult::Tasks(tasks) => Ok(tasks),
            ContextResult::Task(_) => Ok(Vec::new()),
        }
    }

    pub(super) fn read_task(&mut self, task: &str) -> Result<EarlierTask, OpError> {
        match self.context(ContextCall::Read(task.to_owned())) {
            ContextResult::Task(Some(task)) => Ok(*task),
            ContextResult::Task(None) | ContextResult::Tasks(_) => Err(OpError::Denied(
                "there is no such task in this conversation, and the client referred to none"
                    .to_owned(),
            )),
        }
    }

    fn context(&mut self, call: ContextCall) -> ContextResult {
        let result = self.look_up(&call);
        match self.effect(What::ContextRead { call, result }) {
            What::ContextRead { result, .. } => result,
            _ => ContextResult::Task(None),
        }
    }

    fn look_up(&self, call: &ContextCall) -> ContextResult {
        let script = &self.script;
        match call {
            ContextCall::List(limit) => {
                let tasks = script.earlier.iter().take(*limit as usize);
                ContextResult::Tasks(tasks.map(|task| task.summary.clone()).collect())
            }
            ContextCall::Read(id) => {
                let mut tasks = script.earlier.iter().chain(&script.referred);
                let found = tasks.find(|task| task.summary.id == *id);
                ContextResult::Task(found.cloned().map(Box::new))
            }
        }
    }
}

//! Why a task that a command waits for does not get on: asked at the door for operators, where the command has
//! the token. Clients see that a task is parked, and nothing of its retries.

use taskyard_api::admin::TaskStatusView;
use taskyard_task::visible::in_line;

use super::task_show;
use crate::admin_client::{AdminClient, encode};

/// Asks the host of a task what keeps it.
#[derive(Debug)]
pub(super) struct Trouble {
    admin: AdminClient,
    /// The entry of the retry that was told last.
    told: Option<u64>,
}

impl Trouble {
    pub(super) fn new(admin: AdminClient) -> Self {
        Self { admin, told: None }
    }

    /// A line about the failure that the task is tried again after; nothing if there is none, or it was told.
    pub(super) async fn retry(&mut self, id: &str) -> Option<String> {
        let status = self.status(id).await?;
        let last = status.last_retry.as_ref()?;
        if status.task.phase != "delayed" || self.told.replace(last.seq) == Some(last.seq) {
            return None;
        }
        Some(in_line(&retried(&status, &last.what)))
    }

    /// Why the task is parked, and what an operator can do about it; nothing if nobody here can say.
    pub(super) async fn parked(&self, id: &str) -> Vec<String> {
        let status = self.status(id).await;
        let parked = status.as_ref().and_then(|status| status.parked.as_ref());
        let Some(parked) = parked else {
            return Vec::new();
        };
        let mut lines = vec![format!("reason: {}", parked.why.reason)];
        lines.extend(task_show::advice(parked));
        lines.iter().map(|line| in_line(line)).collect()
    }

    /// A host that does not answer here may have another door for operators: then only the protocol is left.
    async fn status(&self, id: &str) -> Option<TaskStatusView> {
        let path = format!("/v1/tasks/{}", encode(id));
        self.admin.get(&path).await.ok()
    }
}

fn retried(status: &TaskStatusView, what: &str) -> String {
    let times = match status.failures {
        0 | 1 => "the run failed".to_owned(),
        failures => format!("{failures} runs failed in a row"),
    };
    let again = match &status.waits_until {
        Some(until) => format!("tried again at {until}"),
        None => "tried again".to_owned(),
    };
    format!("{}: {times}, {again}: {what}", status.task.state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::task_show::tests::status;

    #[test]
    fn a_retry_is_told_with_its_reason() {
        let mut status = status("delayed", "working");
        status.failures = 2;
        status.waits_until = Some("t5".to_owned());
        assert_eq!(
            retried(&status, "busy: not now"),
            "working: 2 runs failed in a row, tried again at t5: busy: not now"
        );
    }
}

//! Exit codes: what a script learns without reading.

use std::io::{self, Write};
use std::process::ExitCode;

use taskyard_storage::OpenError;
use taskyard_task::visible::in_lines;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was told; a task that was waited for completed.
    Ok = 0,
    /// The host could not be reached, or refused, or cannot work.
    Error = 1,
    /// The task failed, was rejected or was canceled.
    TaskFailed = 3,
    /// The task waits for an answer or for credentials.
    TaskWaits = 4,
    /// There is no such task, agent or plugin.
    NotFound = 5,
    /// The task is parked.
    TaskParked = 6,
    /// The data folder is damaged.
    Damaged = 7,
}

/// What `--help` says about exit codes. Code 2 is clap's.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done; a task that was waited for completed
  1  the host could not be reached, or refused; `status`: it cannot write, and takes no work
  2  the command line is wrong
  3  the task failed, was rejected or was canceled
  4  the task waits for an answer or for credentials
  5  there is no such task, agent, plugin or key
  6  the task is parked: only the operator of its host can help it on
  7  the data folder is damaged: `serve` does not go on without being told to, and `doctor` says where";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// How a command ends that waited for a task which is now in `state`.
    pub(crate) fn of_task(state: &a2a::TaskState) -> Self {
        match state {
            a2a::TaskState::Failed | a2a::TaskState::Rejected | a2a::TaskState::Canceled => {
                Self::TaskFailed
            }
            a2a::TaskState::InputRequired | a2a::TaskState::AuthRequired => Self::TaskWaits,
            a2a::TaskState::Completed
            | a2a::TaskState::Submitted
            | a2a::TaskState::Working
            | a2a::TaskState::Unspecified => Self::Ok,
        }
    }
}

/// What was asked for does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotFound(pub(crate) String);

/// Tells the user what went wrong, and says how to exit.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    if is_broken_pipe(error) {
        // Whoever read our output has seen enough.
        return Exit::Ok;
    }
    // Nobody is left to tell if this fails.
    let _ = writeln!(
        io::stderr(),
        "taskyard: {}",
        in_lines(&format!("{error:#}"))
    );
    if let Some(OpenError::Damaged { .. }) = error.downcast_ref() {
        return Exit::Damaged;
    }
    match error.downcast_ref::<NotFound>() {
        Some(_) => Exit::NotFound,
        None => Exit::Error,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_decides_how_the_command_ends() {
        let codes = [
            a2a::TaskState::Completed,
            a2a::TaskState::Working,
            a2a::TaskState::Failed,
            a2a::TaskState::Rejected,
            a2a::TaskState::Canceled,
            a2a::TaskState::InputRequired,
            a2a::TaskState::AuthRequired,
        ]
        .map(|state| Exit::of_task(&state) as u8);
        assert_eq!(codes, [0, 0, 3, 3, 3, 4, 4]);
    }

    #[test]
    fn help_lists_every_code() {
        for exit in [
            Exit::Ok,
            Exit::Error,
            Exit::TaskFailed,
            Exit::TaskWaits,
            Exit::NotFound,
            Exit::TaskParked,
            Exit::Damaged,
        ] {
            assert!(HELP.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }

    #[test]
    fn errors_decide_too() {
        let missing = anyhow::Error::new(NotFound("no such task".to_owned()));
        assert_eq!(report(&missing), Exit::NotFound);
        assert_eq!(report(&missing.context("failed to look")), Exit::NotFound);
        assert_eq!(report(&anyhow::anyhow!("refused")), Exit::Error);
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(report(&pipe.into()), Exit::Ok);
    }
}

//! What the end of a run means for its task.

use taskyard_broker as broker;
use taskyard_task::decide::Outcome;
use taskyard_task::{Blame, Part};
use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

use crate::bindings::exports::taskyard::worker::handler::{self, Disposition, Failure};
use crate::diagnostics::cut;
use crate::host::{Ctx, parts_from_worker};
use crate::replay::Stop;
use crate::workers::LoadError;

/// Codes are words, not texts.
const MAX_CODE_BYTES: usize = 128;
/// What a client is told about a failure.
const MAX_REASON_BYTES: usize = 8 << 10;

/// How a run ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// With an outcome for the task.
    Settled(Outcome),
    /// With a question; the task waits.
    Suspended,
    /// For nothing: another run took over, or the task ended.
    Stale,
    /// In the middle, by no fault of the worker; the task has to be run again.
    Abandoned(String),
}

/// How the call of a worker came to an end.
pub(crate) enum Ended {
    /// By itself, well or not.
    Returned(wasmtime::Result<Result<handler::Outcome, Failure>>),
    /// It took longer than the pinned limit in milliseconds.
    WallLimit(u64),
    /// The task's deadline passed.
    Deadline,
    /// It went on after the client asked to cancel and the grace time passed.
    CancelGrace,
}

impl End {
    /// A word for metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Settled(Outcome::Completed { .. }) => "completed",
            Self::Settled(Outcome::Rejected { .. }) => "rejected",
            Self::Settled(Outcome::Replied { .. }) => "replied",
            Self::Settled(Outcome::Failed { .. }) => "failed",
            Self::Settled(Outcome::Transient { .. }) => "transient",
            Self::Settled(Outcome::Canceled) => "canceled",
            Self::Suspended => "suspended",
            Self::Stale => "stale",
            Self::Abandoned(_) => "abandoned",
        }
    }

    fn failed(blame: Blame, code: &str, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        Self::Settled(Outcome::Failed {
            blame,
            code: code.to_owned(),
            reason,
        })
    }

    /// The host itself broke.
    pub(crate) fn internal_error() -> Self {
        Self::failed(Blame::Host, "internal-error", "internal error")
    }
}

/// What the end of a worker's call means. `ctx` is what is left of the instance.
pub(crate) fn judge(ended: Ended, ctx: &Ctx) -> End {
    match ended {
        Ended::Returned(Ok(returned)) => match ctx.gate().map(|gate| gate.end()) {
            Some(Err(stop)) => End::from(&stop),
            Some(Ok(())) | None => of_return(returned, ctx),
        },
        Ended::Returned(Err(error)) => of_break(&error, ctx),
        Ended::WallLimit(limit_ms) => {
            let reason = format!("exceeded the wall time limit of {limit_ms} ms");
            End::failed(Blame::Host, "wall-limit", reason)
        }
        Ended::Deadline => {
            let reason = "the task did not end before its deadline";
            End::failed(Blame::Host, "deadline-exceeded", reason)
        }
        Ended::CancelGrace => End::Settled(Outcome::Canceled),
    }
}

fn of_return(returned: Result<handler::Outcome, Failure>, ctx: &Ctx) -> End {
    let outcome = match returned {
        Ok(outcome) => of_outcome(outcome, ctx),
        Err(failure) => Ok(of_failure(failure)),
    };
    match outcome {
        Ok(outcome) => End::Settled(outcome),
        Err(problem) => {
            let reason = format!("the worker ended with a bad outcome: {problem}");
            End::failed(Blame::Worker, "bad-outcome", reason)
        }
    }
}

fn of_outcome(outcome: handler::Outcome, ctx: &Ctx) -> Result<Outcome, String> {
    match outcome {
        handler::Outcome::Completed(parts) if parts.is_empty() => Ok(Outcome::Completed {
            message: Vec::new(),
        }),
        handler::Outcome::Completed(parts) => {
            let message = checked(parts, ctx)?;
            Ok(Outcome::Completed { message })
        }
        handler::Outcome::Reply(parts) => {
            let parts = checked(parts, ctx)?;
            Ok(Outcome::Replied { parts })
        }
        handler::Outcome::Rejected(reason) => Ok(Outcome::Rejected {
            reason: cut(&reason, MAX_REASON_BYTES).to_owned(),
        }),
    }
}

fn checked(parts: Vec<handler::Part>, ctx: &Ctx) -> Result<Vec<Part>, String> {
    let parts = parts_from_worker(parts).map_err(|refusal| refusal.to_string())?;
    let limit = ctx
        .gate()
        .map_or(u64::MAX, |gate| gate.budget().limits().message_bytes);
    let size = taskyard_task::content::parts_size(&parts);
    if size as u64 > limit {
        return Err(format!(
            "its message has {size} bytes, the limit is {limit}"
        ));
    }
    Ok(parts)
}

fn of_failure(failure: Failure) -> Outcome {
    let code = cut(&failure.code, MAX_CODE_BYTES).to_owned();
    let reason = cut(&failure.message, MAX_REASON_BYTES).to_owned();
    let after_ms = match failure.disposition {
        Disposition::Permanent => {
            return Outcome::Failed {
                blame: Blame::Worker,
                code,
                reason,
            };
        }
        Disposition::Transient => None,
        Disposition::TransientAfter(millis) => Some(millis),
    };
    Outcome::Transient {
        code,
        reason,
        after_ms,
    }
}

/// The worker did not return.
fn of_break(error: &wasmtime::Error, ctx: &Ctx) -> End {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return End::from(stop);
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return End::Abandoned(format!("there is no room for one more instance: {error}"));
    }
    // The backtrace is for the operator alone.
    tracing::warn!(error = ?error, "the worker broke");
    let reason = explain(error, ctx);
    if ctx.limiter.exceeded().is_some() {
        return End::failed(Blame::Host, "memory-limit", reason);
    }
    let code = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "stack-overflow",
        _ => "trap",
    };
    End::failed(Blame::Worker, code, reason)
}

/// One line about why a worker broke, with the last that it said.
pub(crate) fn explain(error: &wasmtime::Error, ctx: &Ctx) -> String {
    let what = if let Some(stop) = error.downcast_ref::<Stop>() {
        stop.to_string()
    } else if let Some(limit) = ctx.limiter.exceeded() {
        format!("exceeded the memory limit of {limit} bytes")
    } else if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        format!("the worker left with exit code {code} instead of returning")
    } else {
        let cause = error.root_cause().to_string();
        let cause = cause.strip_prefix("wasm trap: ").unwrap_or(&cause);
        format!("the worker trapped: {cause}")
    };
    match ctx.diagnostics.last_words() {
        Some(words) => format!("{what}; last output: {words}"),
        None => what,
    }
}

impl From<&Stop> for End {
    fn from(stop: &Stop) -> Self {
        let host = |code| Self::failed(Blame::Host, code, stop.to_string());
        match stop {
            Stop::Suspended => Self::Suspended,
            Stop::Stale => Self::Stale,
            Stop::Unavailable(_) => Self::Abandoned(stop.to_string()),
            Stop::Mismatch(_) => host("replay-mismatch"),
            Stop::Incompatible(_) => host("incompatible"),
            Stop::CpuLimit { .. } => host("cpu-limit"),
            Stop::LogLimit { .. } => host("log-limit"),
            Stop::Early(_) => Self::failed(Blame::Worker, "trap", stop.to_string()),
        }
    }
}

impl From<LoadError> for End {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Broker(broker::Error::PluginNotFound) => {
                let reason = "the component that the task began with is gone";
                Self::failed(Blame::Host, "incompatible", reason)
            }
            LoadError::Broker(error) => Self::Abandoned(error.to_string()),
            LoadError::Unusable(problem) => {
                let reason = format!("the task's component does not run on this host: {problem}");
                Self::failed(Blame::Host, "incompatible", reason)
            }
        }
    }
}

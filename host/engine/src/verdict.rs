//! What the end of a run means for its task.

use taskyard_broker as broker;
use taskyard_task::decide::{Breakdown, Outcome};
use taskyard_task::{Blame, Part, Seq};
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::bindings::exports::taskyard::worker::handler::{self, Disposition, Failure};
use crate::diagnostics::cut;
use crate::host::{Ctx, parts_from_worker};
use crate::replay::{Gate, Stop};
use crate::workers::LoadError;

/// Codes are words, not texts.
const MAX_CODE_BYTES: usize = 128;
/// What an operator is told about where a worker broke.
const MAX_BACKTRACE_BYTES: usize = 8 << 10;
/// What a client is told about a failure.
const MAX_REASON_BYTES: usize = 8 << 10;

/// How a run ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// With an outcome for the task.
    Settled(Outcome),
    /// With a wait; the task goes on without an instance.
    Suspended,
    /// For nothing: another run took over, or the task ended.
    Stale,
    /// In the middle, by no fault of the worker; the task has to be run again.
    Abandoned(String),
}

/// How the call of a worker came to an end.
pub(crate) enum Ended {
    /// By itself, well or not.
    Returned(Result<handler::Outcome, Failure>),
    /// In the middle of its code, or of a call.
    Broke(wasmtime::Error),
    /// While the host ended what it left open.
    Stopped(Stop),
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
            Self::Settled(Outcome::Broke(_)) => "broke",
            Self::Settled(Outcome::Parked(_)) => "parked",
            Self::Settled(Outcome::ContinuedAsNew(_)) => "continued-as-new",
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
        Ended::Returned(returned) => match ctx.gate().map(Gate::end) {
            Some(Err(stop)) => End::of_stop(&stop, position(ctx)),
            Some(Ok(())) | None => of_return(returned, ctx),
        },
        Ended::Broke(error) => of_break(&error, ctx),
        Ended::Stopped(stop) => End::of_stop(&stop, position(ctx)),
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

/// Whether the task goes on after the worker returned this, so that its children do too.
pub(crate) fn goes_on(returned: &Result<handler::Outcome, Failure>) -> bool {
    match returned {
        Ok(handler::Outcome::ContinueAsNew(_)) => true,
        Ok(_) => false,
        Err(failure) => !matches!(failure.disposition, Disposition::Permanent),
    }
}

fn position(ctx: &Ctx) -> Seq {
    ctx.gate().map_or(Seq::ZERO, Gate::position)
}

fn of_return(returned: Result<handler::Outcome, Failure>, ctx: &Ctx) -> End {
    let outcome = match returned {
        Ok(outcome) => of_outcome(outcome, ctx),
        Err(failure) => Ok(of_failure(failure, position(ctx))),
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
        handler::Outcome::ContinueAsNew(state) => {
            let gate = ctx.gate().ok_or("there is no task")?;
            let continuation = gate.continuation(state);
            let continuation = continuation.map_err(|refusal| refusal.to_string())?;
            Ok(Outcome::ContinuedAsNew(Box::new(continuation)))
        }
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

fn of_failure(failure: Failure, position: Seq) -> Outcome {
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
        Disposition::Pause => {
            return Outcome::Parked(Breakdown {
                code,
                reason,
                position,
                backtrace: None,
            });
        }
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
        return End::of_stop(stop, position(ctx));
    }
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return End::Abandoned(format!("there is no room for one more instance: {error}"));
    }
    let reason = explain(error, ctx);
    if ctx.limiter.exceeded().is_some() {
        return End::failed(Blame::Host, "memory-limit", reason);
    }
    let code = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "stack-overflow",
        _ => "trap",
    };
    // The backtrace is for the operator alone.
    let backtrace = error.downcast_ref::<WasmBacktrace>().map(|frames| {
        let text = frames.to_string();
        cut(&text, MAX_BACKTRACE_BYTES).to_owned()
    });
    End::Settled(Outcome::Broke(Breakdown {
        code: code.to_owned(),
        reason: cut(&reason, MAX_REASON_BYTES).to_owned(),
        position: position(ctx),
        backtrace,
    }))
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

impl End {
    /// What it means that a run was stopped in the middle of a call. `position` is the last entry that
    /// the worker reached.
    pub(crate) fn of_stop(stop: &Stop, position: Seq) -> Self {
        let host = |code| Self::failed(Blame::Host, code, stop.to_string());
        match stop {
            Stop::Suspended => Self::Suspended,
            Stop::Stale => Self::Stale,
            Stop::Unavailable(_) => Self::Abandoned(stop.to_string()),
            Stop::EndOfLog => Self::Abandoned(stop.to_string()),
            Stop::Mismatch(_) => Self::parked("replay-mismatch", stop.to_string(), position),
            Stop::Incompatible(_) => Self::parked("incompatible", stop.to_string(), position),
            Stop::CpuLimit { .. } => host("cpu-limit"),
            Stop::LogLimit { .. } => host("log-limit"),
            Stop::TicketLimit { .. } => host("ticket-limit"),
            Stop::NothingToWaitFor => {
                Self::failed(Blame::Worker, "nothing-to-wait-for", stop.to_string())
            }
            Stop::Early(_) => Self::failed(Blame::Worker, "trap", stop.to_string()),
        }
    }

    fn parked(code: &str, reason: String, position: Seq) -> Self {
        Self::Settled(Outcome::Parked(Breakdown {
            code: code.to_owned(),
            reason,
            position,
            backtrace: None,
        }))
    }
}

impl From<LoadError> for End {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Broker(broker::Error::PluginNotFound) => {
                let reason = "the component that the task began with is gone";
                Self::parked("incompatible", reason.to_owned(), Seq::ZERO)
            }
            LoadError::Broker(error) => Self::Abandoned(error.to_string()),
            LoadError::Unusable(problem) => {
                let reason = format!("the task's component does not run on this host: {problem}");
                Self::parked("incompatible", reason, Seq::ZERO)
            }
            // It was compiled when it was loaded, so perhaps it is next time.
            LoadError::GaveUp(problem) => Self::Settled(Outcome::Broke(Breakdown {
                code: "compile-limit".to_owned(),
                reason: format!("the task's component was not compiled: {problem}"),
                position: Seq::ZERO,
                backtrace: None,
            })),
        }
    }
}

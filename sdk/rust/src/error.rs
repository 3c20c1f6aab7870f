//! How a run fails, and what the host should do about it.

use std::any::Any;
use std::fmt::{self, Display};
use std::time::Duration;

use crate::OpError;

/// The result of a run, and of most things a worker calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the host does about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disposition {
    /// The task fails.
    Permanent,
    /// The run is tried again, with growing delays, up to the operator's number of attempts.
    Transient,
    /// Like `Transient`, but not before this span has passed. Counted in whole milliseconds.
    TransientAfter(Duration),
    /// The task is parked until an operator looks at it, and then goes on from its log.
    Pause,
}

/// Why a run failed.
///
/// `?` makes one from [`OpError`], I/O, JSON, UTF-8 and number errors and from text. Such a failure is
/// permanent unless [`ResultExt`] says otherwise; an `Error` that passes through `?` stays as it is.
///
/// ```
/// use std::time::Duration;
/// use taskyard_sdk::prelude::*;
/// use taskyard_sdk::Disposition;
///
/// fn fetch() -> Result<String> {
///     Err("upstream is busy").transient_after(Duration::from_secs(5))
/// }
/// fn work() -> Result<usize> {
///     let text = fetch()?;
///     Ok(text.trim().parse()?)
/// }
/// let error = work().unwrap_err();
/// assert_eq!(error.disposition(), Disposition::TransientAfter(Duration::from_secs(5)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) disposition: Disposition,
}

impl Error {
    /// A failure that no retry can mend. `code` is a short word for programs, such as `bad-input`.
    pub fn permanent(code: impl Into<String>, message: impl Display) -> Self {
        Self {
            code: code.into(),
            message: message.to_string(),
            disposition: Disposition::Permanent,
        }
    }

    /// A failure that may pass. `code` is a short word for programs, such as `upstream-busy`.
    pub fn transient(code: impl Into<String>, message: impl Display) -> Self {
        Self::permanent(code, message).with_disposition(Disposition::Transient)
    }

    /// A failure that an operator can mend: the task is parked, and nothing is lost. `code` is a short
    /// word for programs, such as `no-credit`.
    pub fn paused(code: impl Into<String>, message: impl Display) -> Self {
        Self::permanent(code, message).with_disposition(Disposition::Pause)
    }

    /// The same failure with another disposition.
    #[must_use]
    pub fn with_disposition(mut self, disposition: Disposition) -> Self {
        self.disposition = disposition;
        self
    }

    /// What failed, for programs.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What failed, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the host does about it.
    pub fn disposition(&self) -> Disposition {
        self.disposition
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

impl From<OpError> for Error {
    fn from(error: OpError) -> Self {
        Self::permanent(error.code(), error)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::permanent("failed", message)
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::permanent("failed", message)
    }
}

/// Lets `?` turn errors of the standard library and of serde into permanent failures.
macro_rules! permanent_with_code {
    ($($error:ty => $code:literal,)*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::permanent($code, error)
            }
        }
    )*};
}

permanent_with_code! {
    std::io::Error => "io",
    serde_json::Error => "json",
    std::str::Utf8Error => "utf-8",
    std::string::FromUtf8Error => "utf-8",
    std::num::ParseIntError => "number",
    std::num::ParseFloatError => "number",
    std::fmt::Error => "format",
}

/// Says about a failed step what would help.
///
/// A run that is tried again replays its log first: calls of the host that failed fail again. So this is
/// for what is not in the log. Failed requests are: give them a [`Retry`](crate::http::Retry).
pub trait ResultExt<T> {
    /// The failure may pass: try again with growing delays.
    fn transient(self) -> Result<T>;

    /// The failure may pass, but not before `delay` is over.
    fn transient_after(self, delay: Duration) -> Result<T>;

    /// Only an operator can help: park the task.
    fn pause(self) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for std::result::Result<T, E> {
    fn transient(self) -> Result<T> {
        self.map_err(|error| error.into().with_disposition(Disposition::Transient))
    }

    fn transient_after(self, delay: Duration) -> Result<T> {
        let disposition = Disposition::TransientAfter(delay);
        self.map_err(|error| error.into().with_disposition(disposition))
    }

    fn pause(self) -> Result<T> {
        self.map_err(|error| error.into().with_disposition(Disposition::Pause))
    }
}

/// Gives a failed step a code and a message of the worker's own.
///
/// ```
/// use taskyard_sdk::prelude::*;
///
/// fn first_line(text: &str) -> Result<&str> {
///     text.lines().next().or_fail("empty-input", "there is no first line")
/// }
/// assert_eq!(first_line("").unwrap_err().code(), "empty-input");
///
/// // Any error that can be shown will do; its text follows the message.
/// let error = "x".parse::<u8>().or_fail("bad-size", "the size is no number").unwrap_err();
/// assert_eq!(error.message(), "the size is no number: invalid digit found in string");
/// ```
pub trait OrFail<T> {
    /// Fails with `code` and `message`. Permanent, unless the error was an [`Error`] with another
    /// disposition; `.transient()` may follow.
    fn or_fail(self, code: &str, message: &str) -> Result<T>;
}

impl<T> OrFail<T> for Option<T> {
    fn or_fail(self, code: &str, message: &str) -> Result<T> {
        self.ok_or_else(|| Error::permanent(code, message))
    }
}

impl<T, E: Display + 'static> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self, code: &str, message: &str) -> Result<T> {
        self.map_err(|cause| {
            let failure = Error::permanent(code, format_args!("{message}: {cause}"));
            match (&cause as &dyn Any).downcast_ref::<Error>() {
                Some(error) => failure.with_disposition(error.disposition),
                None => failure,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_call_is_permanent_and_keeps_its_code() {
        let text = || "x".to_owned();
        for (refusal, code) in [
            (OpError::Canceled, "canceled"),
            (OpError::TimedOut, "timed-out"),
            (OpError::Denied(text()), "denied"),
            (OpError::LimitExceeded(text()), "limit-exceeded"),
            (OpError::Invalid(text()), "invalid-call"),
            (OpError::Failed(text()), "failed"),
            (OpError::Interrupted(text()), "interrupted"),
        ] {
            let error = Error::from(refusal);
            assert_eq!(error.code(), code);
            assert_eq!(error.disposition(), Disposition::Permanent);
        }
    }

    #[test]
    fn whatever_an_operator_can_mend_parks_the_task() {
        let paused: Result<()> = Err(OpError::Denied("a.example".to_owned())).pause();
        assert_eq!(paused.unwrap_err().disposition(), Disposition::Pause);
        let paused = Error::paused("no-credit", "the account is empty");
        assert_eq!(paused.disposition(), Disposition::Pause);
    }

    #[test]
    fn a_new_code_keeps_the_disposition() {
        let busy: Result<()> = Err("busy").transient();
        let error = busy.or_fail("fetch", "no answer").unwrap_err();
        assert_eq!(error.disposition(), Disposition::Transient);
        assert_eq!(error.to_string(), "fetch: no answer: failed: busy");
    }

    #[test]
    fn nothing_can_be_made_transient() {
        let error = None::<()>.or_fail("gone", "not there yet").transient();
        assert_eq!(error.unwrap_err().disposition(), Disposition::Transient);
    }
}

//! Why a remote agent did not do what it was asked for, and what follows from that.

use a2a::{A2AError, error_code};
use taskyard_task::HttpError;

/// How much of a remote agent's words is passed on.
const MAX_WORDS: usize = 1_000;

// The official client knows only the protocol's errors. These numbers, which no agent can send, take the
// rest through it.
const DENIED: i32 = i32::MIN;
const UNCLEAR: i32 = i32::MIN + 1;
const TOO_LARGE: i32 = i32::MIN + 2;
const NOT_THERE: i32 = i32::MIN + 3;
const OWN: [i32; 4] = [DENIED, UNCLEAR, TOO_LARGE, NOT_THERE];

/// Why a remote agent did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// This host did not send it, and will not: the operator does not allow it, or it makes no sense.
    Denied(String),
    /// The agent will not do it.
    Refused {
        /// The protocol's number for the reason.
        code: i32,
        /// For people.
        reason: String,
    },
    /// The answer is larger than the operator allows.
    TooLarge(String),
    /// There was no answer, or one that another attempt may better. It may have been done all the same.
    Unclear(String),
}

impl Problem {
    /// For the operator and the worker.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Denied(text)
            | Self::Refused { reason: text, .. }
            | Self::TooLarge(text)
            | Self::Unclear(text) => text,
        }
    }

    /// The same problem, with more to say about it.
    pub(crate) fn with(mut self, more: &str) -> Self {
        let (Self::Denied(text)
        | Self::Refused { reason: text, .. }
        | Self::TooLarge(text)
        | Self::Unclear(text)) = &mut self;
        *text = format!("{text}, {more}");
        self
    }

    /// Whether the agent says that it knows no such task.
    pub(crate) fn is_unknown_task(&self) -> bool {
        self.is_refusal(error_code::TASK_NOT_FOUND)
    }

    /// Whether the agent says so.
    pub(crate) fn is_refusal(&self, code: i32) -> bool {
        matches!(self, Self::Refused { code: found, .. } if *found == code)
    }
}

impl From<A2AError> for Problem {
    fn from(error: A2AError) -> Self {
        let text = error.message;
        match error.code {
            DENIED => Self::Denied(text),
            TOO_LARGE => Self::TooLarge(text),
            // An agent that broke may be whole again the next time.
            UNCLEAR | error_code::INTERNAL_ERROR => Self::Unclear(text),
            code => Self::Refused { code, reason: text },
        }
    }
}

/// Why there is no client for an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectError {
    /// Somebody answers there, and says that there is nothing.
    NoAgent(String),
    /// There is a card, and it cannot be used, or the address makes no sense.
    Unusable(String),
    /// Nobody answers, or not now.
    Unreachable(String),
}

impl From<Problem> for ConnectError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Refused {
                code: NOT_THERE,
                reason,
            } => Self::NoAgent(reason),
            Problem::Refused { reason: text, .. }
            | Problem::Denied(text)
            | Problem::TooLarge(text) => Self::Unusable(text),
            Problem::Unclear(text) => Self::Unreachable(text),
        }
    }
}

/// Nothing came back, or too much.
pub(crate) fn of_request(error: HttpError) -> A2AError {
    let code = match error {
        HttpError::Denied(_) | HttpError::Invalid(_) => DENIED,
        HttpError::TooLarge { .. } => TOO_LARGE,
        HttpError::TimedOut | HttpError::Failed(_) | HttpError::Interrupted => UNCLEAR,
    };
    A2AError::new(code, error.to_string())
}

/// What came back is not what the protocol says.
pub(crate) fn of_status(status: u16, expected: &str) -> A2AError {
    let text = format!("it answered HTTP {status} instead of {expected}");
    let code = match status {
        408 | 425 | 429 | 500.. => UNCLEAR,
        200..300 => error_code::INVALID_AGENT_RESPONSE,
        404 | 410 => NOT_THERE,
        _ => error_code::INVALID_REQUEST,
    };
    A2AError::new(code, text)
}

/// What came back is an error of the protocol.
pub(crate) fn of_agent(code: i32, words: &str) -> A2AError {
    let code = if OWN.contains(&code) {
        error_code::INTERNAL_ERROR
    } else {
        code
    };
    A2AError::new(code, cut(words))
}

/// As much of a stranger's words as is passed on.
pub(crate) fn cut(words: &str) -> String {
    words.chars().take(MAX_WORDS).collect()
}

//! Why an attempt failed, and whether another one may go better.

use taskyard_task::HttpError;

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// There is no response, or not the whole of it.
    #[error(transparent)]
    Missing(HttpError),
    /// There is one, in a coding that this host cannot undo. The server has done what it was asked for, and
    /// would answer the same way again.
    #[error(transparent)]
    Unreadable(HttpError),
}

impl Failure {
    /// What the worker is told.
    pub(crate) fn into_error(self) -> HttpError {
        match self {
            Self::Missing(error) | Self::Unreadable(error) => error,
        }
    }

    /// A response that cannot be read.
    pub(crate) fn unreadable(problem: String) -> Self {
        Self::Unreadable(HttpError::Failed(problem))
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::Missing(error)
    }
}

//! What went wrong, in the words of `wasi:http`.

use taskyard_task::HttpError;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::StreamError;

use crate::host::Ctx;
use crate::replay::Refusal;
use crate::wasi::bindings::wasi::http::types::{ErrorCode, Host};

impl From<HttpError> for ErrorCode {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Denied(_) => Self::HttpRequestDenied,
            HttpError::TimedOut => Self::HttpResponseTimeout,
            HttpError::TooLarge { limit } => Self::HttpResponseBodySize(Some(limit)),
            HttpError::Interrupted => Self::ConnectionTerminated,
            HttpError::Invalid(problem) | HttpError::Failed(problem) => {
                Self::InternalError(Some(problem))
            }
        }
    }
}

impl From<Refusal> for ErrorCode {
    fn from(refusal: Refusal) -> Self {
        Self::InternalError(Some(refusal.to_string()))
    }
}

/// A stream that broke for a reason that the worker can ask for.
pub(super) fn broken(code: ErrorCode) -> StreamError {
    StreamError::LastOperationFailed(wasmtime::Error::new(code))
}

impl Host for Ctx {
    fn http_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(self.table.get(&error)?.downcast_ref().cloned())
    }
}

//! The operations of the protocol: read the request, ask the broker, put the answer (A2A 3).

pub(crate) mod card;
mod field;
mod idempotency;
pub(crate) mod list;
mod media;
pub(crate) mod push;
pub(crate) mod send;
pub(crate) mod subscribe;
pub(crate) mod task;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ApiError;
use crate::lenient::{self, Shape};

/// The request in `params`, whichever way the client spelled it.
fn request<T: DeserializeOwned>(shape: &Shape, params: Option<Value>) -> Result<T, ApiError> {
    let canonical = lenient::canonical(shape, params)?;
    Ok(lenient::typed(canonical)?)
}

//! The operations of the protocol: read the request, ask the broker, give the answer (A2A 3).
//!
//! Bindings hand over the operation and its request as ProtoJSON, and encode the [`Answer`]; so they
//! cannot differ in what they do.

mod answer;
mod card;
mod field;
mod idempotency;
mod kind;
mod list;
mod media;
mod pieces;
mod push;
mod send;
mod subscribe;
mod task;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::call::Call;
use crate::error::ApiError;
use crate::lenient::{self, Shape};

pub(crate) use answer::{Answer, ConfigPage, Plain};
pub(crate) use kind::{MAX_SMALL_BODY_BYTES, Operation, Permission};
pub(crate) use pieces::{Holes, held_by_whole};

/// Does what `call` asks for. One line per operation.
pub(crate) async fn serve(
    call: Call,
    operation: Operation,
    params: Option<Value>,
) -> Result<Answer, ApiError> {
    check_offered(&call, operation)?;
    let (door, tenant) = (Arc::clone(&call.door), call.caller.tenant.clone());
    let work = perform(call, operation, params);
    match operation {
        Operation::SendMessage | Operation::SendStreamingMessage => {
            door.turnstile.pass(&tenant, work).await?
        }
        // These make no work, and are how a tenant stops a flood of its own.
        _ => work.await,
    }
}

async fn perform(
    call: Call,
    operation: Operation,
    params: Option<Value>,
) -> Result<Answer, ApiError> {
    match operation {
        Operation::SendMessage => send::send(call, params).await,
        Operation::SendStreamingMessage => send::stream(call, params).await,
        Operation::GetTask => task::get(call, params).await,
        Operation::ListTasks => list::list(call, params).await,
        Operation::CancelTask => task::cancel(call, params).await,
        Operation::SubscribeToTask => subscribe::subscribe(call, params).await,
        Operation::CreatePushConfig => push::create(call, params).await,
        Operation::GetPushConfig => push::get(call, params).await,
        Operation::ListPushConfigs => push::list(call, params).await,
        Operation::DeletePushConfig => push::delete(call, params).await,
        Operation::GetExtendedAgentCard => card::extended(call, params).await,
    }
}

/// A2A 3.3.4: what the card does not offer must be refused, and by which error.
fn check_offered(call: &Call, operation: Operation) -> Result<(), ApiError> {
    let config = &call.door.config;
    if operation.is_streaming() && !config.streaming {
        let problem = "this host does not stream; poll with GetTask";
        return Err(ApiError::UnsupportedOperation(problem.to_owned()));
    }
    if operation.is_about_push() && !config.push_notifications {
        return Err(ApiError::PushNotificationNotSupported);
    }
    Ok(())
}

/// The request in `params`, whichever way the client spelled it.
fn request<T: DeserializeOwned>(shape: &Shape, params: Option<Value>) -> Result<T, ApiError> {
    let canonical = lenient::canonical(shape, params)?;
    Ok(lenient::typed(canonical)?)
}

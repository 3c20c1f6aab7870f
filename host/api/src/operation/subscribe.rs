//! `SubscribeToTask` (A2A 3.1.6).

use a2a::SubscribeToTaskRequest;
use serde_json::Value;
use taskyard_broker::{TaskSnapshot, Watch};
use taskyard_task::wire::Projection;

use super::{Answer, Holes, field, request};
use crate::call::Call;
use crate::error::ApiError;
use crate::extension::Extension;
use crate::follow::{Follow, Start, Until};
use crate::lenient::requests::SUBSCRIBE_TO_TASK;

/// Follows a task until it ends. Who reconnects with `Last-Event-ID` gets what it missed, and no
/// snapshot, even if the task ended meanwhile.
pub(crate) async fn subscribe(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let request: SubscribeToTaskRequest = request(&SUBSCRIBE_TO_TASK, params)?;
    let last_seen = field::last_event_id(&call.head.headers)?;
    let task = field::task_id(&request.id)?;
    let mut watch = call
        .broker()
        .watch(&call.caller, &call.agent.name, task)
        .await?;
    let start = match last_seen {
        None => Start::With(Box::new(unfinished(&mut watch).await?)),
        Some(seq) => field::resume(&watch, seq)?,
    };
    Ok(Answer::Stream(Box::new(Follow {
        watch,
        start,
        until: Until::Ended,
        projection: Projection::WHOLE,
        numbered: call.parameters.uses(Extension::StreamResume),
        holes: Holes::new(&call.door.ids),
    })))
}

async fn unfinished(watch: &mut Watch) -> Result<TaskSnapshot, ApiError> {
    let snapshot = watch.snapshot().await?;
    if snapshot.header.is_ended() {
        let problem = "the task has ended; get it instead of following it";
        return Err(ApiError::UnsupportedOperation(problem.to_owned()));
    }
    Ok(snapshot)
}

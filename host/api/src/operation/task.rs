//! `GetTask` and `CancelTask` (A2A 3.1.3, 3.1.5).

use a2a::{CancelTaskRequest, GetTaskRequest};
use serde_json::Value;
use taskyard_broker::TaskSnapshot;
use taskyard_task::wire::Projection;

use super::{Answer, Holes, Plain, field, request};
use crate::call::Call;
use crate::error::ApiError;
use crate::lenient::requests::{CANCEL_TASK, GET_TASK};

/// A task as it is, always with its artifacts.
pub(crate) async fn get(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let request: GetTaskRequest = request(&GET_TASK, params)?;
    let projection = Projection {
        history_length: field::history_length("historyLength", request.history_length)?,
        artifacts: true,
    };
    let task = field::task_id(&request.id)?;
    let snapshot = call
        .broker()
        .get_with_history(
            &call.caller,
            &call.agent.name,
            task,
            projection.history_length,
        )
        .await?;
    Ok(shown(&call, snapshot, projection))
}

/// Cancels a task, and answers with what became of it.
pub(crate) async fn cancel(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let request: CancelTaskRequest = request(&CANCEL_TASK, params)?;
    let task = field::task_id(&request.id)?;
    let canceled = call.broker().cancel(&call.caller, &call.agent.name, task);
    let snapshot = call.unless_stopping(canceled).await?;
    Ok(shown(&call, snapshot, Projection::WHOLE))
}

fn shown(call: &Call, snapshot: TaskSnapshot, projection: Projection) -> Answer {
    let mut holes = Holes::new(&call.door.ids);
    let task = holes.show(call.broker(), snapshot, projection);
    Answer::pieced(Plain::Task(Box::new(task)), holes)
}

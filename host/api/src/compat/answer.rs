//! Answers of 1.0 as answers of 0.3: the task or message alone, without an object around it.

use a2a::SendMessageResponse;
use serde::Serialize;
use serde_json::Value;
use taskyard_task::wire::v03::{Message, Task, push_config};

use super::card;
use super::method::Method;
use crate::error::ApiError;
use crate::operation::Plain;

/// What `method` is answered with.
///
/// # Errors
/// [`ApiError::TaskNotFound`] if there is no webhook to show.
pub(super) fn rewrite(method: Method, plain: &Plain) -> Result<Value, ApiError> {
    match plain {
        Plain::Sent(sent) => match &**sent {
            SendMessageResponse::Task(task) => written(&Task::from(task)),
            SendMessageResponse::Message(message) => written(&Message::from(message)),
        },
        Plain::Task(task) => written(&Task::from(&**task)),
        Plain::Config(config) => Ok(push_config(config)),
        Plain::Configs(page) if method == Method::GetPushConfig => {
            let first = page.configs.first().map(push_config);
            first.ok_or(ApiError::TaskNotFound)
        }
        Plain::Configs(page) => Ok(page.configs.iter().map(push_config).collect()),
        Plain::Card(card) => card::alone(card),
        Plain::Deleted {} => Ok(Value::Null),
        Plain::Tasks(_) => Err(ApiError::Internal("0.3 has no lists of tasks".to_owned())),
    }
}

pub(super) fn written(answer: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(answer).map_err(|error| ApiError::Internal(error.to_string()))
}

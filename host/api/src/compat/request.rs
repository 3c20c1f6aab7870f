//! Requests of 0.3 as requests of 1.0.

use serde_json::{Map, Value};
use taskyard_task::wire::v03::{DATA_VALUE, WRAPPED_DATA_KEY};

use super::method::Method;
use super::shape;
use crate::error::Violation;
use crate::lenient::{self, Shape};
use crate::operation::Operation;

pub(super) type Members = Map<String, Value>;

/// The id of a webhook that was registered without one: in 0.3, setting such a one again replaces it.
const UNNAMED: &str = "default";

/// What a client asks for, as 1.0 says it.
#[derive(Debug, PartialEq)]
pub(super) struct Rewritten {
    pub(super) operation: Operation,
    pub(super) params: Value,
}

/// The request for `method`.
///
/// # Errors
/// Names the first field of 0.3 that cannot be what it says.
pub(super) fn rewrite(method: Method, params: Option<Value>) -> Result<Rewritten, Violation> {
    let members = checked(shape_of(method), params)?;
    let (operation, members) = match method {
        Method::Send | Method::Stream => (method.operation(), send(members)),
        Method::Get => (method.operation(), get_task(members)),
        Method::Cancel | Method::Resubscribe | Method::GetExtendedCard => {
            (method.operation(), members)
        }
        Method::SetPushConfig => (method.operation(), set_push_config(members)),
        Method::GetPushConfig if !members.contains_key(CONFIG_ID) => {
            (Operation::ListPushConfigs, first_push_config(members))
        }
        Method::GetPushConfig | Method::ListPushConfigs | Method::DeletePushConfig => {
            (method.operation(), push_config(members))
        }
    };
    let params = Value::Object(members);
    Ok(Rewritten { operation, params })
}

const CONFIG_ID: &str = "pushNotificationConfigId";

/// The canonical members of `params`.
pub(super) fn checked(shape: &Shape, params: Option<Value>) -> Result<Members, Violation> {
    match lenient::canonical(shape, params)? {
        Value::Object(members) => Ok(members),
        _ => Err(Violation::new("params", "must be an object")),
    }
}

fn shape_of(method: Method) -> &'static Shape {
    match method {
        Method::Send | Method::Stream => &shape::SEND,
        Method::Get => &shape::GET_TASK,
        Method::Cancel | Method::Resubscribe => &shape::ONE_TASK,
        Method::SetPushConfig => &shape::SET_PUSH_CONFIG,
        Method::GetPushConfig => &shape::GET_PUSH_CONFIG,
        Method::ListPushConfigs => &shape::LIST_PUSH_CONFIGS,
        Method::DeletePushConfig => &shape::DELETE_PUSH_CONFIG,
        Method::GetExtendedCard => &shape::GET_CARD,
    }
}

fn send(mut request: Members) -> Members {
    with_object(&mut request, "message", message);
    with_object(&mut request, "configuration", configuration);
    request
}

fn message(mut message: Members) -> Members {
    // Whoever calls is a user; the shape has made sure of it.
    message.insert("role".to_owned(), "ROLE_USER".into());
    if let Some(Value::Array(parts)) = message.get_mut("parts") {
        parts.iter_mut().for_each(|part_| replace(part_, part));
    }
    message
}

fn part(mut part: Members) -> Members {
    if let Some(Value::Object(file)) = part.swap_remove("file") {
        part.extend(renamed(one_name(file), &FILE));
    }
    unwrap_data(&mut part);
    part
}

/// A file under the names of 0.3 where it has both kinds.
fn one_name(mut file: Members) -> Members {
    for (old, new) in [("mimeType", "mediaType"), ("name", "filename")] {
        if file.contains_key(old) {
            file.swap_remove(new);
        }
    }
    file
}

/// The members of a file, and where 1.0 has them.
const FILE: [(&str, &str); 6] = [
    ("bytes", "raw"),
    ("uri", "url"),
    ("fileWithBytes", "raw"),
    ("fileWithUri", "url"),
    ("mimeType", "mediaType"),
    ("name", "filename"),
];

/// Takes data out of the object that a client of 1.0 had to put it into.
pub(super) fn unwrap_data(part: &mut Members) {
    let is_wrapped = |metadata: &Value| metadata.get(WRAPPED_DATA_KEY) == Some(&Value::Bool(true));
    if !part.get("metadata").is_some_and(is_wrapped) {
        return;
    }
    let value = part
        .get_mut("data")
        .and_then(|data| data.get_mut(DATA_VALUE));
    let Some(value) = value.map(Value::take) else {
        return;
    };
    part.insert("data".to_owned(), value);
    if let Some(Value::Object(metadata)) = part.get_mut("metadata") {
        metadata.swap_remove(WRAPPED_DATA_KEY);
    }
}

fn configuration(mut configuration: Members) -> Members {
    if let Some(Value::Bool(blocking)) = configuration.swap_remove("blocking") {
        configuration.insert("returnImmediately".to_owned(), (!blocking).into());
    }
    drop_unlimited(&mut configuration);
    if let Some(Value::Object(config)) = configuration.swap_remove("pushNotificationConfig") {
        let config = Value::Object(webhook(config));
        configuration.insert("taskPushNotificationConfig".to_owned(), config);
    }
    configuration
}

fn get_task(mut request: Members) -> Members {
    drop_unlimited(&mut request);
    request
}

/// To 0.3, a history of no messages is one without a limit.
pub(super) fn drop_unlimited(members: &mut Members) {
    if members.get("historyLength").and_then(Value::as_i64) == Some(0) {
        members.swap_remove("historyLength");
    }
}

/// A webhook as 1.0 has it, without its task.
pub(super) fn webhook(mut config: Members) -> Members {
    config.entry("id").or_insert_with(|| UNNAMED.into());
    if let Some(Value::Object(authentication)) = config.swap_remove("authentication")
        && let Some(authentication) = one_scheme(authentication)
    {
        config.insert("authentication".to_owned(), Value::Object(authentication));
    }
    config
}

/// 1.0 has one scheme; 0.3 meant the first to be the preferred one. None: nothing to show.
fn one_scheme(mut authentication: Members) -> Option<Members> {
    let schemes = authentication.swap_remove("schemes");
    let first = schemes.as_ref().and_then(|schemes| schemes.get(0))?;
    authentication.insert("scheme".to_owned(), first.clone());
    Some(authentication)
}

fn set_push_config(mut request: Members) -> Members {
    if let Some(Value::Object(config)) = request.swap_remove("pushNotificationConfig") {
        request.extend(webhook(config));
    }
    request
}

fn push_config(request: Members) -> Members {
    renamed(request, &[("id", "taskId"), (CONFIG_ID, "id")])
}

/// Without an id, 0.3 gives the first configuration.
fn first_push_config(request: Members) -> Members {
    let mut request = push_config(request);
    request.insert("pageSize".to_owned(), 1.into());
    request
}

/// The members under their new names; those that have none keep theirs.
pub(super) fn renamed(members: Members, names: &[(&str, &str)]) -> Members {
    let new_name = |old: String| match names.iter().find(|(known, _)| *known == old) {
        Some((_, new)) => (*new).to_owned(),
        None => old,
    };
    let members = members.into_iter();
    members
        .map(|(name, value)| (new_name(name), value))
        .collect()
}

/// Rewrites the object that is the member `name`, if there is one.
pub(super) fn with_object(
    members: &mut Members,
    name: &str,
    rewrite: impl FnOnce(Members) -> Members,
) {
    if let Some(value) = members.get_mut(name) {
        replace(value, rewrite);
    }
}

/// Rewrites `value` if it is an object.
pub(super) fn replace(value: &mut Value, rewrite: impl FnOnce(Members) -> Members) {
    if let Value::Object(members) = value {
        *members = rewrite(std::mem::take(members));
    }
}

#[cfg(test)]
mod tests;

//! What is fuzzed here: the path, the query and the body of a request.

use axum::http::Uri;
use serde_json::{Map, Value};

use super::params;
use super::route::{Resource, Route};
use crate::definition;
use crate::lenient::requests;
use crate::operation::Operation;
use crate::rpc::fuzzing::check;

/// A request: its target on the first line, its body behind it.
///
/// # Panics
/// If what is canonical changes when it is made canonical again.
pub fn request(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let target = parts.next().unwrap_or_default();
    let Ok(uri) = Uri::try_from(target) else {
        return;
    };
    let Some(route) = Route::parse(uri.path()) else {
        return;
    };
    let body = parts
        .next()
        .and_then(|body| taskyard_json::from_slice(body).ok());
    for (_, operation) in route.resource.methods() {
        let query = uri.query().unwrap_or_default();
        read(&route.resource, *operation, query, body.as_ref());
    }
    // Whether it is taken does not matter.
    let _ = route.target(None);
}

fn read(resource: &Resource, operation: Operation, query: &str, body: Option<&Map<String, Value>>) {
    let Some(shape) = definition::input(operation) else {
        return;
    };
    let params = match body {
        Some(body) => Ok(body.clone()),
        None => params::of_query(&shape, query),
    };
    let Ok(mut params) = params else { return };
    for (name, text) in resource.fields() {
        if params::bind(&mut params, &shape, name, text).is_err() {
            return;
        }
    }
    for shape in [
        &requests::SEND_MESSAGE,
        &requests::LIST_TASKS,
        &requests::CREATE_PUSH_CONFIG,
    ] {
        check(shape, Some(Value::Object(params.clone())));
    }
}

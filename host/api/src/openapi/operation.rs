//! One operation on one path.

use prost_reflect::{FieldDescriptor, Kind};
use serde_json::{Map, Value, json};

use super::response;
use super::rule::Rule;
use super::schema::{Schemas, Side, is_required};
use crate::operation::{Operation, Permission};

/// What `rule` lets a client do.
pub(super) fn operation(rule: &Rule, schemas: &mut Schemas) -> Value {
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), json!(rule.id()));
    if let Some(text) = schemas.comments.at(rule.method.path()) {
        operation.insert("description".to_owned(), json!(text));
    }
    let mut parameters = path_parameters(rule);
    if rule.has_body() {
        operation.insert("requestBody".to_owned(), body(rule, schemas));
    } else {
        parameters.extend(query_parameters(rule, schemas));
    }
    parameters.extend(headers(rule));
    operation.insert("parameters".to_owned(), Value::Array(parameters));
    let (method, has_body) = (&rule.method, rule.has_body());
    let responses = response::of(rule.operation, method, has_body, schemas);
    operation.insert("responses".to_owned(), responses);
    Value::Object(operation)
}

fn path_parameters(rule: &Rule) -> Vec<Value> {
    let names = rule.variables.iter();
    names
        .map(|name| {
            let schema = match name.as_str() {
                "tenant" => json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}),
                _ => json!({"type": "string", "minLength": 1}),
            };
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect()
}

/// The fields that a query can have: no nested objects (A2A 11.5).
fn query_parameters(rule: &Rule, schemas: &mut Schemas) -> Vec<Value> {
    let is_flat = |field: &FieldDescriptor| match field.kind() {
        Kind::Message(message) => message.full_name() == "google.protobuf.Timestamp",
        _ => !field.is_map(),
    };
    let fields = rule.method.input().fields().collect::<Vec<_>>();
    let in_query = |field: &FieldDescriptor| {
        is_flat(field) && !rule.variables.iter().any(|v| v == field.json_name())
    };
    let fields = fields.into_iter().filter(in_query);
    fields
        .map(|field| {
            let schema = schemas.of_field(&field, Side::Request);
            let required = is_required(&field);
            json!({"name": field.json_name(), "in": "query", "required": required, "schema": schema})
        })
        .collect()
}

/// The headers that mean something to the operation; `components` describes them.
fn headers(rule: &Rule) -> Vec<Value> {
    let is_send = rule.has_body() && rule.operation.permission() == Permission::Write;
    let is_send = is_send && !rule.operation.is_about_a_task();
    let mut names = vec!["Version", "Extensions"];
    if is_send {
        names.push("IdempotencyKey");
    }
    if rule.operation.is_streaming() {
        names.push("LastEventId");
    }
    let references = names.into_iter();
    references
        .map(|name| json!({"$ref": format!("#/components/parameters/{name}")}))
        .collect()
}

fn body(rule: &Rule, schemas: &mut Schemas) -> Value {
    let input = rule.method.input();
    let schema = schemas.object(&input, Side::Request, &rule.variables);
    // These say everything in their path.
    let may_be_empty = matches!(
        rule.operation,
        Operation::CancelTask | Operation::SubscribeToTask
    );
    json!({"required": !may_be_empty, "content": response::content(&schema)})
}

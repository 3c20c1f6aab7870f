//! Lenient in: makes canonical ProtoJSON of whatever a client sent (A2A 5.7, ADR-001).
//!
//! Clients in the field send snake_case names, enum numbers, integers as texts, `null` for unset,
//! base64 of all sorts, and members that nobody knows. All of that is legal ProtoJSON, and most of it
//! is not what the typed parser takes. This pass also checks types and presence, because it knows
//! where it is: a violation names the field. Free-form values (`metadata`, `data`) are left alone.

#[cfg(test)]
mod defaults;
mod path;
mod read;
mod scalar;
mod shape;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Violation;

pub(crate) use shape::requests;
pub(crate) use shape::{Kind, Shape, TEXTS, choice, current_name, field, required};

/// The canonical form of a request's `params`; missing ones are an empty object.
///
/// # Errors
/// Names the first field that cannot be what it says.
pub(crate) fn canonical(shape: &Shape, params: Option<Value>) -> Result<Value, Violation> {
    let params = params.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    read::message(shape, params, path::Path::Root)
}

/// Reads canonical `params` as the protocol's type.
///
/// # Errors
/// If a value passes the checks of [`canonical`] and still is not of its type.
pub(crate) fn typed<T: DeserializeOwned>(canonical: Value) -> Result<T, Violation> {
    serde_json::from_value(canonical).map_err(|error| Violation::new("params", error.to_string()))
}

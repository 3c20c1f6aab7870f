//! Reading messages and lists: names, presence, nesting.

use serde_json::{Map, Value};

use super::path::Path;
use super::scalar;
use super::shape::{Field, Kind, Presence, Shape};
use crate::error::Violation;
use crate::single;

/// The canonical form of a message. Members that no field is named after are dropped (A2A 5.7).
pub(super) fn message(shape: &Shape, value: Value, path: Path<'_>) -> Result<Value, Violation> {
    let Value::Object(given) = value else {
        return path.refuse("must be an object");
    };
    let mut canonical = Map::with_capacity(given.len());
    for (name, value) in given {
        let Some(known) = shape.field(&name) else {
            continue;
        };
        let path = path.member(known.name);
        if let Some(value) = field(known, value, path)?
            && let Err(differs) = put(&mut canonical, known.name, value)
        {
            return path.refuse(differs);
        }
    }
    check_required(shape, &canonical, path)?;
    check_choice(shape, &mut canonical, path)?;
    Ok(Value::Object(canonical))
}

/// A field may be given under each of its names, with the same value.
fn put(canonical: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), &'static str> {
    let value = single::same(canonical.swap_remove(name), value)?;
    canonical.insert(name.to_owned(), value);
    Ok(())
}

/// The canonical value of a field; `None` if it is unset, or has the default of a field that cannot
/// tell its default from being unset.
fn field(field: &Field, given: Value, path: Path<'_>) -> Result<Option<Value>, Violation> {
    // In a field that holds any value, `null` is one.
    if given.is_null() && !matches!(field.kind, Kind::Value) {
        return Ok(None);
    }
    let value = value(field.kind, given, path)?;
    let unset = match field.presence {
        Presence::Choice => false,
        Presence::Implicit => is_default(field.kind, &value),
        Presence::Optional | Presence::Required => is_empty(field.kind, &value),
    };
    Ok((!unset).then_some(value))
}

fn value(kind: Kind, given: Value, path: Path<'_>) -> Result<Value, Violation> {
    match kind {
        Kind::Text => scalar::text(given, path),
        Kind::Bool => scalar::boolean(given, path),
        Kind::Int => scalar::int(&given, path),
        Kind::Bytes => scalar::bytes(given, path),
        Kind::Timestamp => scalar::timestamp(given, path),
        Kind::Enum(names) => scalar::name_of_enum(names, &given, path),
        Kind::Value => Ok(given),
        Kind::Struct if given.is_object() => Ok(given),
        Kind::Struct => path.refuse("must be an object"),
        Kind::Message(shape) => message(shape, given, path),
        Kind::List(kind) => list(*kind, given, path),
    }
}

fn list(kind: Kind, given: Value, path: Path<'_>) -> Result<Value, Violation> {
    let Value::Array(items) = given else {
        return path.refuse("must be an array");
    };
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| value(kind, item, path.item(index)))
        .collect()
}

/// Whether a value is the one that a field has which is not given.
fn is_default(kind: Kind, value: &Value) -> bool {
    match value {
        Value::Bool(given) => !given,
        Value::Number(number) => number.as_i64() == Some(0),
        other => is_empty(kind, other),
    }
}

/// Whether a value holds nothing. 0 and `false` say something where a field has presence.
fn is_empty(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Text, Value::String(text)) => text.is_empty(),
        (Kind::List(_), Value::Array(items)) => items.is_empty(),
        (Kind::Enum(names), Value::String(name)) => names.first() == Some(&name.as_str()),
        _ => false,
    }
}

fn check_required(
    shape: &Shape,
    canonical: &Map<String, Value>,
    path: Path<'_>,
) -> Result<(), Violation> {
    let required = shape.fields.iter();
    let missing = required
        .filter(|field| field.presence == Presence::Required)
        .find(|field| !canonical.contains_key(field.name));
    match missing {
        Some(field) => path
            .member(field.name)
            .refuse("is required and must not be empty"),
        None => Ok(()),
    }
}

fn check_choice(
    shape: &Shape,
    canonical: &mut Map<String, Value>,
    path: Path<'_>,
) -> Result<(), Violation> {
    if shape.choices().next().is_none() {
        return Ok(());
    }
    // Clients that write every field they know mean "unset" by a `null` beside another choice, and some by
    // an empty text.
    for says_nothing in [Value::is_null, is_empty_text] {
        if choices_in(shape, canonical) > 1 {
            let is_choice = |name: &str| shape.choices().any(|choice| choice == name);
            canonical.retain(|name, value| !(says_nothing(value) && is_choice(name)));
        }
    }
    match choices_in(shape, canonical) {
        1 => Ok(()),
        _ => {
            let names: Vec<_> = shape.choices().collect();
            path.refuse(format!("must have exactly one of {}", names.join(", ")))
        }
    }
}

fn is_empty_text(value: &Value) -> bool {
    value == ""
}

fn choices_in(shape: &Shape, canonical: &Map<String, Value>) -> usize {
    let given = shape.choices().filter(|name| canonical.contains_key(*name));
    given.count()
}

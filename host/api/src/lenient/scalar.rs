//! Reading single values, each in every form that ProtoJSON allows.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::DateTime;
use serde_json::Value;

use super::path::Path;
use crate::error::Violation;

/// The most negative and the largest integer that a `double` of a client can hold exactly as an
/// `int32`.
const INT_RANGE: std::ops::RangeInclusive<f64> = -2_147_483_648.0..=2_147_483_647.0;

/// Takes base64 with or without padding.
const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn text(given: Value, path: Path<'_>) -> Result<Value, Violation> {
    match given {
        Value::String(_) => Ok(given),
        _ => path.refuse("must be a string"),
    }
}

pub(super) fn boolean(given: Value, path: Path<'_>) -> Result<Value, Violation> {
    match given {
        Value::Bool(_) => Ok(given),
        _ => path.refuse("must be true or false"),
    }
}

/// An integer, as a number or as text; `5.0` is one.
pub(super) fn int(given: &Value, path: Path<'_>) -> Result<Value, Violation> {
    let number = match given {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    match number.filter(|n| n.fract() == 0.0 && INT_RANGE.contains(n)) {
        Some(number) => Ok(Value::from(number as i32)),
        None => path.refuse("must be a 32-bit integer"),
    }
}

/// Base64: standard or url-safe, padded or not, becomes standard and padded.
pub(super) fn bytes(given: Value, path: Path<'_>) -> Result<Value, Violation> {
    let Value::String(text) = given else {
        return path.refuse("must be a base64 string");
    };
    if STANDARD.decode(&text).is_ok() {
        return Ok(Value::String(text));
    }
    let standard = text.replace('-', "+").replace('_', "/");
    match ANY_PADDING.decode(standard) {
        Ok(bytes) => Ok(Value::String(STANDARD.encode(bytes))),
        Err(_) => path.refuse("must be a base64 string"),
    }
}

pub(super) fn timestamp(given: Value, path: Path<'_>) -> Result<Value, Violation> {
    match &given {
        Value::String(text) if DateTime::parse_from_rfc3339(text).is_ok() => Ok(given),
        _ => path.refuse("must be an RFC 3339 timestamp such as 2026-01-31T12:00:00Z"),
    }
}

/// The name of an enum's value, given by name or by number.
pub(super) fn name_of_enum(
    names: &[&str],
    given: &Value,
    path: Path<'_>,
) -> Result<Value, Violation> {
    let known = match given {
        Value::String(text) => names.iter().find(|name| *name == text),
        Value::Number(number) => number
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .and_then(|n| names.get(n)),
        _ => None,
    };
    match known {
        Some(name) => Ok(Value::from(*name)),
        // 0 means "unspecified", which is no answer to "which ones are there".
        None => path.refuse(format!(
            "must be one of {}",
            names.get(1..).unwrap_or_default().join(", ")
        )),
    }
}

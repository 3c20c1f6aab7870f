//! What the host refuses because the call itself is wrong.

use serde_json::Value;

use crate::host::Spec;
use crate::{OpError, Part};

pub(super) fn check_spec(spec: &Spec) -> Result<(), OpError> {
    let id_is_fine = (1..=128).contains(&spec.id.len());
    require(id_is_fine, "an artifact id has between 1 and 128 bytes")?;
    check_metadata(spec.metadata.as_deref())
}

pub(super) fn check_parts(parts: &[Part]) -> Result<(), OpError> {
    require(!parts.is_empty(), "there must be at least one part")?;
    parts
        .iter()
        .try_for_each(|part| check_metadata(part.metadata.as_deref()))
}

pub(super) fn check_metadata(metadata: Option<&str>) -> Result<(), OpError> {
    let is_object = |json| serde_json::from_str(json).is_ok_and(|value: Value| value.is_object());
    require(
        metadata.is_none_or(is_object),
        "metadata must be a JSON object",
    )
}

pub(super) fn require(condition: bool, otherwise: &str) -> Result<(), OpError> {
    match condition {
        true => Ok(()),
        false => Err(OpError::Invalid(otherwise.to_owned())),
    }
}

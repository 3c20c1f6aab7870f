//! What a send says under the URI of an extension (A2A 4.6): one object, and one field in it.

use serde_json::{Map, Value};

use super::Extension;
use crate::error::Violation;
use crate::parameters::Parameters;

/// The object under an extension's URI.
#[derive(Debug)]
pub(super) struct Given<'a> {
    /// Where it is in the request.
    path: String,
    members: &'a Map<String, Value>,
}

/// A field of that object.
#[derive(Debug)]
pub(super) struct Field<'a> {
    path: String,
    pub(super) value: &'a Value,
}

/// What the canonical `params` of a send give for `extension`: in their metadata, or else in the message's.
///
/// # Errors
/// If something is given without activating the extension, or is no object.
pub(super) fn given<'a>(
    params: &'a Value,
    parameters: &Parameters,
    extension: Extension,
) -> Result<Option<Given<'a>>, Violation> {
    let request = ("metadata", params.get("metadata"));
    let message = ("message.metadata", params.pointer("/message/metadata"));
    for (place, metadata) in [request, message] {
        let Some(value) = metadata.and_then(|metadata| metadata.get(extension.uri())) else {
            continue;
        };
        let path = format!("{place}.{}", extension.uri());
        if !parameters.uses(extension) {
            return Err(Violation::new(path, INACTIVE));
        }
        let Some(members) = value.as_object() else {
            return Err(Violation::new(path, "must be an object"));
        };
        return Ok(Some(Given { path, members }));
    }
    Ok(None)
}

/// A client must not believe that it was understood where it was not.
const INACTIVE: &str = "belongs to an extension that the request does not activate: \
     name its URI in the header A2A-Extensions or in message.extensions";

impl<'a> Given<'a> {
    /// The one field of the extension.
    ///
    /// # Errors
    /// If it is missing, or not alone.
    pub(super) fn field(&self, name: &str) -> Result<Field<'a>, Violation> {
        let path = |name: &str| format!("{}.{name}", self.path);
        if let Some(other) = self.members.keys().find(|member| *member != name) {
            return Err(Violation::new(
                path(other),
                "is not a field of the extension",
            ));
        }
        let value = self.members.get(name);
        let value = value.ok_or_else(|| Violation::new(path(name), "is required"))?;
        let path = path(name);
        Ok(Field { path, value })
    }

    /// It must not be here.
    pub(super) fn refuse(&self, problem: &str) -> Violation {
        Violation::new(self.path.clone(), problem)
    }
}

impl Field<'_> {
    /// It is not as it must be.
    pub(super) fn refuse(&self, problem: impl Into<String>) -> Violation {
        Violation::new(self.path.clone(), problem)
    }
}

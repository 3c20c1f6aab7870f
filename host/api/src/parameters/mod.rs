//! The service parameters of a request (A2A 3.2.6): which version of the protocol, which extensions.
//!
//! They are HTTP headers, or gRPC metadata, which is the same.

mod version;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::error::ApiError;
use crate::extension::Extension;

pub(crate) use version::{AskedVersion, Version, asked_version};

const EXTENSIONS: HeaderName = HeaderName::from_static("a2a-extensions");
/// Its name in 0.3.
const EXTENSIONS_V03: HeaderName = HeaderName::from_static("x-a2a-extensions");

/// Which version and extensions a request uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// The version of the protocol that the request is written in.
    pub(crate) version: Version,
    active: Vec<Extension>,
}

impl Parameters {
    /// What a request of `version` says: its head, and the message in its `params`, which may name in its
    /// member `extensions` what it uses. Extensions that this host does not know are ignored (A2A 3.2.6).
    pub(crate) fn read(head: &Parts, version: Version, params: Option<&Value>) -> Self {
        let mut parameters = Self {
            version,
            active: Vec::new(),
        };
        let names = [EXTENSIONS, EXTENSIONS_V03];
        let values = names.iter().flat_map(|name| head.headers.get_all(name));
        for uri in values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
        {
            parameters.activate(uri.trim());
        }
        let extensions = params.and_then(|params| params.get("message")?.get("extensions"));
        let uris = extensions.and_then(Value::as_array).into_iter().flatten();
        for uri in uris.filter_map(Value::as_str) {
            parameters.activate(uri);
        }
        parameters
    }

    fn activate(&mut self, uri: &str) {
        if let Some(extension) = Extension::parse(uri)
            && !self.active.contains(&extension)
        {
            self.active.push(extension);
        }
    }

    /// Whether the request uses `extension`.
    pub(crate) fn uses(&self, extension: Extension) -> bool {
        self.active.contains(&extension)
    }

    /// Refuses a request that does not use all of `required` (A2A 3.3.4).
    pub(crate) fn check_required(&self, required: &[Extension]) -> Result<(), ApiError> {
        let missing = required.iter().find(|extension| !self.uses(**extension));
        match missing {
            Some(extension) => Err(ApiError::ExtensionSupportRequired {
                uri: extension.uri(),
            }),
            None => Ok(()),
        }
    }

    /// Says in an answer which extensions are active, under the names that the client's version has.
    pub(crate) fn echo(&self, headers: &mut HeaderMap) {
        let uris: Vec<_> = self
            .active
            .iter()
            .map(|extension| extension.uri())
            .collect();
        if uris.is_empty() {
            return;
        }
        let name = match self.version {
            Version::V1 => EXTENSIONS,
            Version::V03 => EXTENSIONS_V03,
        };
        // URIs of ours are plain ASCII.
        if let Ok(value) = HeaderValue::from_str(&uris.join(", ")) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn read(names: &[(&str, &str)]) -> Parameters {
        let mut request = Request::builder();
        for (name, value) in names {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Parameters::read(&head, Version::V1, None)
    }

    #[test]
    fn known_extensions_are_active_and_echoed() {
        let (a, b) = (Extension::Priority.uri(), Extension::Deadline.uri());
        let used = read(&[
            ("a2a-extensions", &format!("urn:other:1, {a}")),
            ("A2A-Extensions", b),
            ("x-a2a-extensions", a),
        ]);
        assert!(used.uses(Extension::Priority) && used.uses(Extension::Deadline));
        assert!(!used.uses(Extension::StreamResume));
        let mut headers = HeaderMap::new();
        used.echo(&mut headers);
        assert_eq!(headers["a2a-extensions"], format!("{a}, {b}"));
        let mut none = HeaderMap::new();
        read(&[]).echo(&mut none);
        assert!(none.is_empty());
    }

    #[test]
    fn required_extensions_must_be_used() {
        let required = [Extension::IdempotencyKey];
        assert!(read(&[]).check_required(&required).is_err());
        let uri = Extension::IdempotencyKey.uri();
        assert!(
            read(&[("a2a-extensions", uri)])
                .check_required(&required)
                .is_ok()
        );
    }

    #[test]
    fn a_message_can_say_what_it_uses() {
        let uri = Extension::NotBefore.uri();
        let params = serde_json::json!({"message": {"extensions": [uri, 7]}});
        let (head, ()) = Request::new(()).into_parts();
        let parameters = Parameters::read(&head, Version::V1, Some(&params));
        assert!(parameters.uses(Extension::NotBefore));
    }
}

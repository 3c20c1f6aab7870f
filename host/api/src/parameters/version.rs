//! Which version of the protocol a request speaks (A2A 3.6).

use axum::http::request::Parts;
use taskyard_task::WireVersion;

use crate::error::{ApiError, Violation};
use crate::single;

/// A version that this host speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// 1.0.
    V1,
    /// 0.3, for clients that did not move yet.
    V03,
}

/// The version that what a request leaves behind is written in.
impl From<Version> for WireVersion {
    fn from(version: Version) -> Self {
        match version {
            Version::V1 => Self::V1,
            Version::V03 => Self::V03,
        }
    }
}

/// What a request says about its version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskedVersion {
    #[error("the protocol version {0:?} is not served for this request")]
    Named(String),
    /// A2A 3.6.2: a request that names no version is a 0.3 one.
    #[error("the request names no protocol version, which means 0.3")]
    Absent,
    /// Nobody can know which version is meant.
    #[error("{0}")]
    Unclear(Violation),
}

/// What the request says: the header, or else the query parameter, or else what the operator assumes. An
/// empty one counts as absent (A2A 3.6.2).
pub(crate) fn asked_version(request: &Parts, assumed: Option<&str>) -> AskedVersion {
    match named(request) {
        Ok(named) => named
            .or_else(|| assumed.map(str::to_owned))
            .map_or(AskedVersion::Absent, AskedVersion::Named),
        Err(unclear) => AskedVersion::Unclear(unclear),
    }
}

fn named(request: &Parts) -> Result<Option<String>, Violation> {
    let header = single::header(&request.headers, a2a::SVC_PARAM_VERSION)?;
    match (header, request.uri.query()) {
        (Some(header), _) => Ok(Some(header.to_owned())),
        (None, Some(query)) => single::parameter(query, &[a2a::SVC_PARAM_VERSION]),
        (None, None) => Ok(None),
    }
}

impl AskedVersion {
    /// The version that is meant, if this host could speak it.
    pub(crate) fn version(&self) -> Option<Version> {
        match self {
            Self::Unclear(_) => None,
            Self::Absent => Some(Version::V03),
            Self::Named(text) if is_of(text, a2a::VERSION) => Some(Version::V1),
            Self::Named(text) if is_of(text, "0.3") => Some(Version::V03),
            Self::Named(_) => None,
        }
    }

    /// For what exists in 1.0 alone. `advice` says what fits the request that was sent.
    ///
    /// # Errors
    /// [`ApiError::VersionNotSupported`] if another version is meant.
    pub(crate) fn require_v1(self, advice: impl FnOnce() -> String) -> Result<Version, ApiError> {
        match self.version() {
            Some(Version::V1) => Ok(Version::V1),
            Some(Version::V03) | None => Err(self.refused(advice())),
        }
    }

    /// The refusal of this version; `advice` says what fits the request that was sent.
    pub(crate) fn refused(self, advice: String) -> ApiError {
        ApiError::VersionNotSupported {
            asked: self,
            advice,
        }
    }
}

/// Only major and minor count (A2A 3.6): a patch does not change the wire.
fn is_of(version: &str, line: &str) -> bool {
    match version.strip_prefix(line) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('.').is_some_and(is_number),
        None => false,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn asked(header: Option<&str>, uri: &str, assumed: Option<&str>) -> AskedVersion {
        let mut request = Request::builder().uri(uri);
        if let Some(version) = header {
            request = request.header("a2a-version", version);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        asked_version(&parts, assumed)
    }

    fn version(header: &str) -> Option<Version> {
        asked(Some(header), "/", None).version()
    }

    #[test]
    fn only_major_and_minor_count() {
        for spoken in ["1.0", "1.0.1", "1.0.23", " 1.0 "] {
            assert_eq!(version(spoken), Some(Version::V1), "{spoken}");
        }
        for old in ["0.3", "0.3.0"] {
            assert_eq!(version(old), Some(Version::V03), "{old}");
        }
        for other in ["1", "1.1", "1.00", "1.0.", "1.0.x", "2.0", "one", "0.2"] {
            assert_eq!(version(other), None, "{other}");
        }
    }

    #[test]
    fn the_query_parameter_counts_where_there_is_no_header() {
        let named = |text: &str| AskedVersion::Named(text.to_owned());
        assert_eq!(asked(None, "/?A2A-Version=1.0", None), named("1.0"));
        assert_eq!(asked(Some(""), "/?A2A-Version=1.0", None), named("1.0"));
        assert_eq!(asked(Some("0.3"), "/?A2A-Version=1.0", None), named("0.3"));
    }

    #[test]
    fn equal_copies_are_one_version_and_different_ones_are_none() {
        let one = "/?A2A-Version=1.0&A2A-Version=1.0";
        for (header, uri) in [(Some("1.0, 1.0"), "/"), (None, one), (Some(","), one)] {
            let version = asked(header, uri, None).version();
            assert_eq!(version, Some(Version::V1), "{header:?} {uri}");
        }
        for (header, uri) in [
            (Some("1.0, 0.3"), "/"),
            (Some("1.0,0.3"), one),
            (None, "/?A2A-Version=1.0&A2A-Version=0.3"),
        ] {
            let unclear = asked(header, uri, Some("1.0"));
            assert_eq!(unclear.version(), None, "{header:?} {uri}");
            let refused = unclear.require_v1(String::new).unwrap_err().to_string();
            assert!(refused.contains("with different values"), "{refused}");
        }
    }

    #[test]
    fn no_version_means_what_the_operator_says_and_else_the_oldest() {
        for empty in [None, Some("")] {
            for uri in ["/", "/?A2A-Version="] {
                let absent = asked(empty, uri, None);
                assert_eq!(absent, AskedVersion::Absent);
                assert_eq!(absent.version(), Some(Version::V03));
                assert!(absent.require_v1(String::new).is_err());
            }
            let assumed = asked(empty, "/", Some("1.0"));
            assert_eq!(assumed.require_v1(String::new), Ok(Version::V1));
        }
    }
}

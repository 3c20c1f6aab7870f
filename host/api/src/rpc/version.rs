//! Which version of the protocol a request speaks (A2A 3.6).
//!
//! The other service parameter, `A2A-Extensions`, names extensions that the client would like to use.
//! This host has none, and unknown ones are to be ignored, so it is not read (A2A 3.2.6). An extension
//! that comes one day is activated here and named in the answer's header of the same name.

use axum::extract::Query;
use axum::http::request::Parts;
use serde::Deserialize;

use crate::error::{ApiError, AskedVersion};

#[derive(Debug, Deserialize)]
struct Parameters {
    #[serde(rename = "A2A-Version")]
    version: Option<String>,
}

/// Refuses versions that this host does not speak. `assumed` stands for a version that is not named.
pub(super) fn check(request: &Parts, assumed: Option<&str>) -> Result<(), ApiError> {
    let asked = asked(request).or_else(|| assumed.map(str::to_owned));
    match asked {
        Some(version) if is_spoken(&version) => Ok(()),
        Some(version) => Err(ApiError::VersionNotSupported {
            asked: AskedVersion::Named(version),
        }),
        None => Err(ApiError::VersionNotSupported {
            asked: AskedVersion::Absent,
        }),
    }
}

/// The header, or else the query parameter. An empty one counts as absent (A2A 3.6.2).
fn asked(request: &Parts) -> Option<String> {
    let header = request.headers.get(a2a::SVC_PARAM_VERSION);
    let header = header.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    let query = || {
        let parameters = Query::<Parameters>::try_from_uri(&request.uri).ok()?;
        parameters.0.version
    };
    header.or_else(query).filter(|version| !version.is_empty())
}

/// Only major and minor count (A2A 3.6): a patch does not change the wire.
fn is_spoken(version: &str) -> bool {
    match version.strip_prefix(a2a::VERSION) {
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

    fn check_with(
        header: Option<&str>,
        uri: &str,
        assumed: Option<&str>,
    ) -> Result<(), AskedVersion> {
        let mut request = Request::builder().uri(uri);
        if let Some(version) = header {
            request = request.header("a2a-version", version);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, assumed).map_err(|error| match error {
            ApiError::VersionNotSupported { asked } => asked,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn only_major_and_minor_count() {
        for spoken in ["1.0", "1.0.1", "1.0.23", " 1.0 "] {
            assert_eq!(check_with(Some(spoken), "/", None), Ok(()), "{spoken}");
        }
        for other in ["0.3", "1", "1.1", "1.00", "1.0.", "1.0.x", "2.0", "one"] {
            let named = AskedVersion::Named(other.to_owned());
            assert_eq!(check_with(Some(other), "/", None), Err(named), "{other}");
        }
    }

    #[test]
    fn the_query_parameter_counts_where_there_is_no_header() {
        assert_eq!(check_with(None, "/?A2A-Version=1.0", None), Ok(()));
        let named = AskedVersion::Named("0.3".to_owned());
        assert_eq!(
            check_with(Some("0.3"), "/?A2A-Version=1.0", None),
            Err(named)
        );
    }

    #[test]
    fn no_version_means_what_the_operator_says_and_else_the_oldest() {
        for empty in [None, Some("")] {
            assert_eq!(check_with(empty, "/", None), Err(AskedVersion::Absent));
            assert_eq!(
                check_with(empty, "/?A2A-Version=", None),
                Err(AskedVersion::Absent)
            );
            assert_eq!(check_with(empty, "/", Some("1.0")), Ok(()));
        }
    }
}

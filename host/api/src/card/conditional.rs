//! Whether a client's copy is still right (RFC 9110 13).

use std::time::{Duration, SystemTime};

use axum::http::{HeaderMap, HeaderName, header};
use taskyard_task::Timestamp;

/// What tells versions of an answer apart.
#[derive(Debug, Clone)]
pub(super) struct Validators {
    /// With its quotes.
    pub(super) tag: String,
    /// When the content changed last, if that is known.
    pub(super) modified: Option<Timestamp>,
}

impl Validators {
    /// Whether the client has this version. A tag that it names decides alone (RFC 9110 13.2.2).
    pub(super) fn match_copy(&self, request: &HeaderMap) -> bool {
        let text = |name| request.get(name)?.to_str().ok();
        if let Some(known) = text(header::IF_NONE_MATCH) {
            return known
                .split(',')
                .map(|known| known.trim().trim_start_matches("W/"))
                .any(|known| known == "*" || known == self.tag);
        }
        let since = text(header::IF_MODIFIED_SINCE);
        let since = since.and_then(|since| httpdate::parse_http_date(since).ok());
        match (since, self.modified) {
            // Dates of HTTP have no parts of a second.
            (Some(since), Some(modified)) => moment(whole_seconds(modified)) <= since,
            _ => false,
        }
    }

    /// The headers that tell the client which version it has.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, String)> {
        let tag = (header::ETAG, self.tag.clone());
        let modified = self.modified.map(|at| {
            let date = httpdate::fmt_http_date(moment(whole_seconds(at)));
            (header::LAST_MODIFIED, date)
        });
        std::iter::once(tag).chain(modified)
    }
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp(at.0 - at.0 % 1_000)
}

fn moment(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_millis(at.0))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const SAME: &str = "Sat, 21 Nov 2026 13:00:00 GMT";
    const BEFORE: &str = "Sat, 21 Nov 2026 12:59:59 GMT";

    #[track_caller]
    fn check(known: &[(HeaderName, &'static str)], matches: bool) {
        let validators = Validators {
            tag: "\"abc\"".to_owned(),
            modified: Some(Timestamp(1_795_266_000_123)),
        };
        let headers = known.iter().cloned();
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        assert_eq!(
            validators.match_copy(&headers.collect()),
            matches,
            "{known:?}"
        );
    }

    #[test]
    fn a_copy_is_known_by_its_tag() {
        for same in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            check(&[(header::IF_NONE_MATCH, same)], true);
        }
        for other in ["\"abd\"", "abc", ""] {
            check(&[(header::IF_NONE_MATCH, other)], false);
        }
        check(&[], false);
    }

    #[test]
    fn a_copy_is_known_by_its_date_unless_it_names_a_tag() {
        check(&[(header::IF_MODIFIED_SINCE, SAME)], true);
        check(&[(header::IF_MODIFIED_SINCE, BEFORE)], false);
        check(&[(header::IF_MODIFIED_SINCE, "yesterday")], false);
        let other = (header::IF_NONE_MATCH, "\"abd\"");
        check(&[other, (header::IF_MODIFIED_SINCE, SAME)], false);
        let tag = (header::IF_NONE_MATCH, "\"abc\"");
        check(&[tag, (header::IF_MODIFIED_SINCE, BEFORE)], true);
    }

    #[test]
    fn the_date_is_told_in_whole_seconds() {
        let modified = Some(Timestamp(1_795_266_000_999));
        let tag = String::new();
        let headers: Vec<_> = Validators { tag, modified }.headers().collect();
        assert_eq!(headers[1], (header::LAST_MODIFIED, SAME.to_owned()));
    }
}

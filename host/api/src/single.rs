//! What has one value: a header, which gRPC calls metadata, or a parameter of a query.
//!
//! Clients and proxies send such a thing twice, on two lines or joined with a comma on one. Equal copies
//! are one. Of different ones nobody knows which is meant, so the request is refused. An empty one counts as
//! absent.

use std::borrow::Cow;

use axum::http::HeaderMap;
use url::form_urlencoded;

use crate::error::Violation;

const DIFFERS: &str = "is given more than once, with different values";
const NOT_TEXT: &str = "must be visible ASCII characters";

/// The one value of the header `name`, if it has one.
///
/// # Errors
/// If it has several that differ, or one that is no text.
pub(crate) fn header<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a str>, Violation> {
    header_of(headers, name, |line| values(line).collect())
}

/// The same for a header whose values may have commas; `split` tells those on one line apart.
pub(crate) fn header_of<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
    split: fn(&'a str) -> Vec<&'a str>,
) -> Result<Option<&'a str>, Violation> {
    let mut found = None;
    for line in headers.get_all(name) {
        let line = line.to_str().map_err(|_| Violation::new(name, NOT_TEXT))?;
        let values = split(line).into_iter();
        found = one(found, values).map_err(|differs| Violation::new(name, differs))?;
    }
    Ok(found)
}

/// The one value of a parameter that goes by any of `names`; a violation has the first of them.
///
/// # Errors
/// If it has several that differ.
pub(crate) fn parameter(query: &str, names: &[&'static str]) -> Result<Option<String>, Violation> {
    let given: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| names.iter().any(|known| known == name))
        .collect();
    let name = names.first().copied().unwrap_or_default();
    let found = one(None, given.iter().flat_map(|(_, text)| values(text)));
    match found {
        Ok(found) => Ok(found.map(str::to_owned)),
        Err(differs) => Err(Violation::new(name, differs)),
    }
}

/// A query in which each parameter is there once. Empty ones stay: they are the operators', to whom an empty
/// variable in a script must not mean the default.
///
/// # Errors
/// If a parameter has several values that differ.
pub(crate) fn query(query: &str) -> Result<String, Violation> {
    let mut found: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        match found.iter().find(|(known, _)| *known == name) {
            Some((_, before)) if *before == text => {}
            Some(_) => return Err(Violation::new(name, DIFFERS)),
            None => found.push((name, text)),
        }
    }
    let mut rewritten = form_urlencoded::Serializer::new(String::new());
    Ok(rewritten.extend_pairs(found).finish())
}

/// `text` as one value, if all of those that are joined in it are the same.
pub(crate) fn unjoined(text: &str) -> Option<&str> {
    one(None, values(text)).ok().flatten()
}

/// `given` beside what was given `before`, if that can be.
pub(crate) fn same<T: PartialEq>(before: Option<T>, given: T) -> Result<T, &'static str> {
    match before {
        Some(before) if before != given => Err(DIFFERS),
        _ => Ok(given),
    }
}

fn one<'a>(
    before: Option<&'a str>,
    values: impl Iterator<Item = &'a str>,
) -> Result<Option<&'a str>, &'static str> {
    let mut found = before;
    for value in values {
        found = Some(same(found, value)?);
    }
    Ok(found)
}

/// The values on one line: between commas, unless these are within quotes (RFC 9110 5.6.1).
fn values(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let separates = move |c: char| {
        let separates = c == ',' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        separates
    };
    let values = line.split(separates).map(str::trim);
    values.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: Result<Option<&str>, &str>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_bytes(line.as_bytes()).unwrap();
            headers.append(HeaderName::from_static("x-one"), value);
        }
        let found = header(&headers, "X-One").map_err(|violation| violation.to_string());
        let expected = expected.map_err(|problem| format!("X-One {problem}"));
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn equal_copies_are_one_on_two_lines_as_on_one() {
        for lines in [
            &["a"][..],
            &[" a "],
            &["a", "a"],
            &["a, a"],
            &["a,a", "a"],
            &["a,"],
            &["", "a", ","],
        ] {
            check(lines, Ok(Some("a")));
        }
    }

    #[test]
    fn different_ones_are_refused_alike() {
        for lines in [&["a", "b"][..], &["a, b"], &["a,b"], &["a", "a, A"]] {
            check(lines, Err(DIFFERS));
        }
    }

    #[test]
    fn an_empty_one_is_absent() {
        for lines in [&[][..], &[""], &["  "], &["", ""], &[", ,"]] {
            check(lines, Ok(None));
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        check(&["\u{e9}"], Err(NOT_TEXT));
        check(&["a", "\u{e9}"], Err(NOT_TEXT));
    }

    #[test]
    fn commas_within_quotes_belong_to_the_value() {
        let quoted = r#"text/x; a="b,\",c""#;
        check(&[quoted], Ok(Some(quoted)));
        check(&[&format!("{quoted},{quoted}")], Ok(Some(quoted)));
        check(&[&format!("{quoted}, x")], Err(DIFFERS));
    }

    #[test]
    fn a_whole_query_is_rewritten() {
        let twice = query("a=1&b=x%26y&a=1&c=").unwrap();
        assert_eq!(twice, "a=1&b=x%26y&c=");
        assert_eq!(
            query("a=1&a=2").unwrap_err().to_string(),
            format!("a {DIFFERS}")
        );
    }

    #[test]
    fn parameters_are_read_by_all_of_their_names() {
        let names = ["pageSize", "page_size"];
        for (query, expected) in [
            ("", Ok(None)),
            ("x=1", Ok(None)),
            ("pageSize=", Ok(None)),
            ("pageSize=5", Ok(Some("5"))),
            ("page_size=5&pageSize=5&pageSize=", Ok(Some("5"))),
            ("pageSize=5,5", Ok(Some("5"))),
            ("pageSize=5&page_size=6", Err("pageSize")),
            ("pageSize=5%2C6", Err("pageSize")),
        ] {
            let found = parameter(query, &names).map_err(|violation| violation.field);
            let expected = expected.map(|found| found.map(str::to_owned));
            assert_eq!(found, expected.map_err(str::to_owned), "{query}");
        }
    }
}

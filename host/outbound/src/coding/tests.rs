//! Which codings are found in headers.

use http::header::HeaderValue;

use super::*;

fn headers(name: &http::HeaderName, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn of(values: &[&str], asked: &[&str]) -> Result<Vec<Coding>, HttpError> {
    let (asked, found) = (
        headers(&ACCEPT_ENCODING, asked),
        headers(&CONTENT_ENCODING, values),
    );
    codings(&Method::GET, &asked, StatusCode::OK, &found)
}

#[test]
fn codings_are_read_as_servers_write_them() {
    use Coding::{Brotli, Deflate, Gzip, Zstd};
    for (values, expected) in [
        (&[][..], vec![]),
        (&[""], vec![]),
        (&["identity"], vec![]),
        (&["utf-8"], vec![]),
        (&["none, aws-chunked"], vec![]),
        (&["gzip"], vec![Gzip]),
        (&["X-GZIP"], vec![Gzip]),
        (&[" deflate ;q=1"], vec![Deflate]),
        (&["gzip, br"], vec![Gzip, Brotli]),
        (&["gzip", "zstd"], vec![Gzip, Zstd]),
        (&["gzip,,identity, gzip"], vec![Gzip, Gzip]),
    ] {
        assert_eq!(of(values, &[]), Ok(expected), "{values:?}");
    }
    let many = ["gzip"; MAX_CODINGS + 1].join(", ");
    let refused = of(&[&many], &[]).unwrap_err().to_string();
    assert!(refused.contains("5 content codings"), "{refused}");
}

#[test]
fn an_unknown_coding_is_for_workers_that_ask_for_it() {
    for unknown in ["compress", "dcb", "gzip, exi"] {
        let refused = of(&[unknown], &["gzip, br;q=0.5"]).unwrap_err().to_string();
        assert!(refused.contains("cannot undo"), "{refused}");
    }
    assert_eq!(of(&["gzip, dcb"], &["gzip", "DCB;q=1"]), Ok(vec![]));
    assert_eq!(of(&["gzip"], &["gzip"]), Ok(vec![Coding::Gzip]));
}

#[test]
fn responses_without_content_are_left_alone() {
    let found = headers(&CONTENT_ENCODING, &["gzip"]);
    let of = |method, status| {
        let status = StatusCode::from_u16(status).unwrap();
        codings(&method, &HeaderMap::new(), status, &found).unwrap()
    };
    for (method, status) in [
        (Method::HEAD, 200),
        (Method::GET, 204),
        (Method::GET, 205),
        (Method::GET, 206),
        (Method::GET, 304),
    ] {
        assert_eq!(of(method, status), []);
    }
    assert_eq!(of(Method::GET, 404), [Coding::Gzip]);
}

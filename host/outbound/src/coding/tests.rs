//! Which codings are found in headers, and what may lie between them.

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use futures::stream::iter;
use http::header::HeaderValue;
use tokio::io::AsyncReadExt;

use super::*;

fn headers(name: &http::HeaderName, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn of(values: &[&str], asked: &[&str]) -> Result<Vec<Coding>, Failure> {
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
    assert!(refused.contains("3 content codings"), "{refused}");
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

/// `text` in one member of `coding`.
async fn member(coding: Coding, text: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    let read = match coding {
        Coding::Gzip => GzipEncoder::new(text).read_to_end(&mut coded).await,
        Coding::Zstd => ZstdEncoder::new(text).read_to_end(&mut coded).await,
        other => panic!("{other:?}"),
    };
    read.unwrap();
    coded
}

/// The content of `coded`, which comes in pieces of `size` bytes.
async fn content(
    codings: &[Coding],
    coded: Vec<u8>,
    size: usize,
    limit: u64,
) -> Result<Vec<u8>, Failure> {
    let pieces: Vec<_> = coded.chunks(size).map(Bytes::copy_from_slice).collect();
    let content = undo(codings, iter(pieces.into_iter().map(Ok)).boxed(), limit);
    let pieces: Vec<Bytes> = content.try_collect().await?;
    Ok(pieces.concat())
}

const LIMIT: u64 = 64 << 10;

fn too_large() -> Result<Vec<u8>, Failure> {
    Err(HttpError::TooLarge { limit: LIMIT }.into())
}

#[tokio::test]
async fn what_lies_between_codings_has_the_limit_too() {
    for inner in [Coding::Gzip, Coding::Zstd] {
        let empty = member(inner, b"").await.repeat(100_000);
        for outer in [Coding::Gzip, Coding::Zstd] {
            let two = member(outer, &empty).await;
            assert!((two.len() as u64) < LIMIT, "{inner:?} in {outer:?}");
            let three = member(Coding::Zstd, &two).await;
            let refused = content(&[inner, outer], two, 1 << 14, LIMIT).await;
            assert_eq!(refused, too_large(), "{inner:?} in {outer:?}");
            let codings = [inner, outer, Coding::Zstd];
            let refused = content(&codings, three, 1 << 14, LIMIT).await;
            assert_eq!(refused, too_large(), "{inner:?} in {outer:?}");
        }
    }
}

#[tokio::test]
async fn members_without_content_count() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let empty = member(coding, b"").await;
        let few = content(&[coding], empty.repeat(200), 1_000, LIMIT).await;
        assert_eq!(few, Ok(Vec::new()));
        let many = content(&[coding], empty.repeat(2_000), 1_000, LIMIT).await;
        assert_eq!(many, too_large(), "{coding:?}");
    }
}

#[tokio::test]
async fn decoding_lets_others_run_where_there_is_no_content() {
    let empty = member(Coding::Gzip, b"").await.repeat(1_000);
    let pieces: Vec<_> = empty.chunks(100).map(Bytes::copy_from_slice).collect();
    let count = pieces.len();
    let coded = iter(pieces.into_iter().map(Ok)).boxed();
    let mut content = undo(&[Coding::Gzip], coded, 1 << 20);
    let mut pauses = 0;
    let end = loop {
        match futures::poll!(content.next()) {
            std::task::Poll::Ready(end) => break end,
            std::task::Poll::Pending => pauses += 1,
        }
        yield_now().await;
    };
    assert_eq!((end, pauses), (None, count));
}

#[tokio::test]
async fn what_follows_the_last_member_is_no_content() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let one = member(coding, b"hello").await;
        for padding in [&b"\0"[..], b"\0\0\0\0", b"\r\n", b"\n", b"<!-- cached -->"] {
            let padded = [one.as_slice(), padding].concat();
            for size in [1, 7, 1_000] {
                let read = content(&[coding], padded.clone(), size, LIMIT).await;
                assert_eq!(read, Ok(b"hello".to_vec()), "{coding:?} {padding:?}");
            }
        }
        let two = one.repeat(2);
        for size in [1, 7, 1_000] {
            let read = content(&[coding], two.clone(), size, LIMIT).await;
            assert_eq!(read, Ok(b"hellohello".to_vec()), "{coding:?}");
            // A member that has begun has to end.
            let cut = two[..two.len() - 1].to_vec();
            let read = content(&[coding], cut, size, LIMIT).await;
            let problem = read.unwrap_err().to_string();
            assert!(problem.contains("ends too early"), "{problem}");
        }
    }
}

#[tokio::test]
async fn brotli_has_no_large_windows() {
    // A window of 2^30 bytes, and no content.
    let large = content(&[Coding::Brotli], vec![0x11, 0xde], 1, LIMIT).await;
    let problem = large.unwrap_err().to_string();
    assert!(problem.contains("its window is larger"), "{problem}");
    // The smallest window, and the largest one of the web.
    for small in [0x21, 0x0f] {
        let read = content(&[Coding::Brotli], vec![small, 0x03], 1, LIMIT).await;
        assert!(
            !read.is_err_and(|error| error.to_string().contains("window")),
            "{small:x}"
        );
    }
}

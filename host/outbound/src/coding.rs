//! The content codings of a response (RFC 9110 8.4), undone as its bytes come in.
//!
//! A coding is a matter between this host and the server, like the connection: workers, and the log, get
//! the content. So every coding that is known is undone, whether or not the worker asked for it, and the
//! headers that describe the coded bytes are removed. A coding that is not known is an error: nobody
//! could tell its bytes from content. A worker that can read it says so in its own `Accept-Encoding`, and gets
//! the bytes and the headers as they are.

use std::io;

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use bytes::Bytes;
use futures::future::ready;
use futures::stream::{BoxStream, StreamExt, TryStreamExt, once};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use http::{Method, StatusCode};
use taskyard_task::HttpError;
use tokio::io::AsyncRead;
use tokio::task::yield_now;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::failure::Failure;
use members::members;

mod members;

/// The bytes of a response, or why there are no more.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, Failure>>;

/// What a decoder reads.
type Reader = StreamReader<BoxStream<'static, io::Result<Bytes>>, Bytes>;

/// Codings one on top of the other. Nobody needs more than two, and each holds a window in memory.
const MAX_CODINGS: usize = 2;
/// The largest piece that a decoder gives at once: what comes in small events is not held back for it.
const PIECE_BYTES: usize = 16 << 10;

/// A coding that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        match name {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// What servers write in place of a coding when there is none: `identity` as the protocol has it, and
/// what is found in the wild, such as a charset. All of it has always been ignored by browsers.
fn is_no_coding(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "identity",
        "none",
        "utf-8",
        "utf8",
        "7bit",
        "8bit",
        "binary",
        "aws-chunked",
    ];
    NAMES.contains(&name)
}

/// The codings of a response, in the order in which they were applied. Empty if its bytes are its content,
/// or what the worker asked for by name.
///
/// # Errors
/// If there is one that is not known, or there are too many.
pub(crate) fn codings(
    method: &Method,
    asked: &HeaderMap,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Vec<Coding>, Failure> {
    if !has_content(method, status) {
        return Ok(Vec::new());
    }
    let named = tokens(headers, &CONTENT_ENCODING);
    let mut codings = Vec::new();
    for name in named.iter().filter(|name| !is_no_coding(name)) {
        match Coding::named(name) {
            Some(coding) => codings.push(coding),
            // What lies below it cannot be reached.
            None if accepts(asked, name) => return Ok(Vec::new()),
            None => return Err(unknown(name)),
        }
    }
    match codings.len() {
        0..=MAX_CODINGS => Ok(codings),
        found => Err(Failure::unreadable(format!(
            "the response has {found} content codings, and at most {MAX_CODINGS} are undone"
        ))),
    }
}

/// Whether the headers describe content that comes with this response. Those of `HEAD` and 304 describe that of
/// another one, and a part of coded bytes (206) cannot be decoded by itself.
fn has_content(method: &Method, status: StatusCode) -> bool {
    let has_none = matches!(
        status,
        StatusCode::NO_CONTENT
            | StatusCode::RESET_CONTENT
            | StatusCode::PARTIAL_CONTENT
            | StatusCode::NOT_MODIFIED
    );
    *method != Method::HEAD && !has_none
}

/// Each element of a header that is a list, in lower case, without parameters.
fn tokens(headers: &HeaderMap, name: &http::HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let elements = texts.flat_map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = elements.filter_map(|element| {
        let name = element.split(';').next().unwrap_or_default().trim();
        (!name.is_empty()).then(|| name.to_owned())
    });
    names.collect()
}

/// Whether the worker asked for a coding by its name.
fn accepts(asked: &HeaderMap, name: &str) -> bool {
    tokens(asked, &ACCEPT_ENCODING)
        .iter()
        .any(|asked| asked == name)
}

fn unknown(name: &str) -> Failure {
    let name: String = name.chars().take(40).collect();
    Failure::unreadable(format!(
        "the response has the content coding {name:?}, which the host cannot undo; a worker that can \
         sends `accept-encoding: {name}` and gets the bytes as they are"
    ))
}

/// Removes what describes the coded bytes.
pub(crate) fn adjust(headers: &mut HeaderMap, codings: &[Coding]) {
    if !codings.is_empty() {
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
    }
}

/// The content of coded bytes, at most `limit` bytes of it, and of what lies between two codings: a few bytes
/// may be very many once they are decoded, and those may be no content at all in the end.
pub(crate) fn undo(codings: &[Coding], coded: Pieces, limit: u64) -> Pieces {
    let outermost_first = codings.iter().rev();
    outermost_first.fold(coded, |coded, coding| {
        let content = once(undo_one(*coding, fair(coded), limit)).flatten();
        limited(content.boxed(), limit)
    })
}

/// The pieces up to `limit` bytes, and an error after that.
pub(crate) fn limited(pieces: Pieces, limit: u64) -> Pieces {
    let mut read = 0_u64;
    let count = move |piece: Bytes| {
        read = read.saturating_add(piece.len() as u64);
        ready(match read > limit {
            true => Err(HttpError::TooLarge { limit }.into()),
            false => Ok(piece),
        })
    };
    pieces.and_then(count).boxed()
}

/// Lets others run before each piece. A decoder reads on until it has content, and where there is none it would
/// hold its thread, and the time limit of its request would not be looked at.
fn fair(pieces: Pieces) -> Pieces {
    let wait = |piece| async move {
        yield_now().await;
        Ok(piece)
    };
    pieces.and_then(wait).boxed()
}

/// Waits for the first byte: no bytes at all are no content, whatever the headers say.
async fn undo_one(coding: Coding, coded: Pieces, limit: u64) -> Pieces {
    let coded = coded.try_filter(|piece| ready(!piece.is_empty()));
    let mut coded = Box::pin(coded.peekable());
    let first = match coded.as_mut().peek().await {
        Some(Ok(piece)) => piece.first().copied(),
        Some(Err(_)) | None => None,
    };
    let Some(first) = first else {
        return coded.boxed();
    };
    let reader = StreamReader::new(coded.map_err(io::Error::other).boxed());
    let content = match coding {
        Coding::Gzip => members::<GzipDecoder<Reader>>(reader, limit),
        Coding::Deflate if is_zlib(first) => pieces_of(ZlibDecoder::new(reader)),
        Coding::Deflate => pieces_of(DeflateDecoder::new(reader)),
        Coding::Brotli if has_large_window(first) => {
            let refused = broken(coding, "its window is larger than the web allows");
            return once(ready(Err(refused))).boxed();
        }
        Coding::Brotli => pieces_of(BrotliDecoder::new(reader)),
        Coding::Zstd => members::<ZstdDecoder<Reader>>(reader, limit),
    };
    let content = content.map_err(move |error| undecodable(coding, error));
    content.boxed()
}

/// Whether `deflate` means what the protocol says, a zlib stream, or what many servers send, the bare
/// compressed data. No bare data begins with the byte of a zlib header: its first block would be a
/// stored one with bits set that encoders leave zero.
fn is_zlib(first: u8) -> bool {
    first & 0x8f == 0x08
}

/// Whether a stream of brotli is of the variant with windows of up to 1 GiB, which is not what `br` means (RFC
/// 7932 9.1). The decoder knows it all the same.
fn has_large_window(first: u8) -> bool {
    first & 0x7f == 0x11
}

fn pieces_of(decoder: impl AsyncRead + Send + 'static) -> BoxStream<'static, io::Result<Bytes>> {
    ReaderStream::with_capacity(decoder, PIECE_BYTES).boxed()
}

/// What went wrong below the decoder, or in it.
fn undecodable(coding: Coding, error: io::Error) -> Failure {
    match error.downcast::<Failure>() {
        Ok(error) => error,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            broken(coding, "it ends too early")
        }
        Err(error) => broken(coding, &error.to_string()),
    }
}

fn broken(coding: Coding, problem: &str) -> Failure {
    let coding = coding.name();
    Failure::unreadable(format!(
        "the response cannot be decoded as {coding}: {problem}"
    ))
}

#[cfg(test)]
mod tests;

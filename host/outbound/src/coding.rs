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
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures::future::ready;
use futures::stream::{BoxStream, StreamExt, TryStreamExt, once};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use http::{Method, StatusCode};
use taskyard_task::HttpError;
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

/// The bytes of a response, or why there are no more.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, HttpError>>;

/// Codings one on top of the other. Nobody needs more than two, and each holds a window in memory.
const MAX_CODINGS: usize = 4;
/// The largest window of zstd, 8 MiB: what RFC 9659 allows on the web. Its own limit is 128 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
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
) -> Result<Vec<Coding>, HttpError> {
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
        found => Err(HttpError::Failed(format!(
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

fn unknown(name: &str) -> HttpError {
    let name: String = name.chars().take(40).collect();
    HttpError::Failed(format!(
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

/// The content of coded bytes.
pub(crate) fn undo(codings: &[Coding], coded: Pieces) -> Pieces {
    let outermost_first = codings.iter().rev();
    outermost_first.fold(coded, |coded, coding| {
        once(undo_one(*coding, coded)).flatten().boxed()
    })
}

/// Waits for the first byte: no bytes at all are no content, whatever the headers say.
async fn undo_one(coding: Coding, coded: Pieces) -> Pieces {
    let coded = coded.try_filter(|piece| ready(!piece.is_empty()));
    let mut coded = Box::pin(coded.peekable());
    let first = match coded.as_mut().peek().await {
        Some(Ok(piece)) => piece.first().copied(),
        Some(Err(_)) | None => None,
    };
    let Some(first) = first else {
        return coded.boxed();
    };
    let reader = StreamReader::new(coded.map_err(io::Error::other));
    match coding {
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(reader);
            decoder.multiple_members(true);
            content(coding, decoder)
        }
        Coding::Deflate if is_zlib(first) => content(coding, ZlibDecoder::new(reader)),
        Coding::Deflate => content(coding, DeflateDecoder::new(reader)),
        Coding::Brotli => content(coding, BrotliDecoder::new(reader)),
        Coding::Zstd => {
            let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
            let mut decoder = ZstdDecoder::with_params(reader, &[window]);
            decoder.multiple_members(true);
            content(coding, decoder)
        }
    }
}

/// Whether `deflate` means what the protocol says, a zlib stream, or what many servers send, the bare
/// compressed data. No bare data begins with the byte of a zlib header: its first block would be a
/// stored one with bits set that encoders leave zero.
fn is_zlib(first: u8) -> bool {
    first & 0x8f == 0x08
}

fn content(coding: Coding, decoder: impl AsyncRead + Send + 'static) -> Pieces {
    let pieces = ReaderStream::with_capacity(decoder, PIECE_BYTES);
    pieces
        .map_err(move |error| undecodable(coding, error))
        .boxed()
}

/// What went wrong below the decoder, or in it.
fn undecodable(coding: Coding, error: io::Error) -> HttpError {
    let broken = |error: String| {
        let coding = coding.name();
        HttpError::Failed(format!(
            "the response cannot be decoded as {coding}: {error}"
        ))
    };
    match error.downcast::<HttpError>() {
        Ok(error) => error,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            broken("it ends too early".to_owned())
        }
        Err(error) => broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests;

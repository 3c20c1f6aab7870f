//! Messages in bodies: each behind a byte that says whether it is compressed, and four with its length.

use std::future::{Future, ready};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut as _, BytesMut};
use http_body_util::BodyExt as _;
use prost::Message;
use tonic::Status;

use crate::body::{Incoming, Unread};
use crate::error::{ApiError, Violation};

const CONTENT_TYPE: &str = "application/grpc";
/// A flag and a length.
const PREFIX_BYTES: usize = 5;

/// Reads the one message of a request, if the body has at most `limit` bytes.
pub(super) async fn read(body: &mut Incoming, limit: usize) -> Result<Bytes, ApiError> {
    let framed = match body.whole(limit).await {
        Ok(framed) => framed,
        Err(Unread::Broken(problem)) => return Err(Violation::new("request", problem).into()),
        Err(unread) => return Err(unread.into()),
    };
    message_in(&framed).map_err(|problem| Violation::new("request", problem).into())
}

fn message_in(framed: &Bytes) -> Result<Bytes, &'static str> {
    let Some(([compressed, a, b, c, d], message)) = framed.split_first_chunk::<PREFIX_BYTES>()
    else {
        return Err("has no message");
    };
    if *compressed != 0 {
        return Err("is compressed without saying how");
    }
    let announced = u32::from_be_bytes([*a, *b, *c, *d]);
    if usize::try_from(announced) != Ok(message.len()) {
        return Err("must be exactly one whole message");
    }
    Ok(framed.slice(PREFIX_BYTES..))
}

/// Writes a message behind what is in `buffer`.
///
/// # Errors
/// If it is too long for gRPC; nothing is written then.
pub(super) fn write(buffer: &mut BytesMut, message: &impl Message) -> Result<(), ApiError> {
    let length = u32::try_from(message.encoded_len());
    let length = length.map_err(|error| ApiError::Internal(error.to_string()))?;
    buffer.put_u8(0);
    buffer.put_u32(length);
    // A buffer that grows has room for everything.
    message
        .encode(buffer)
        .map_err(|error| ApiError::Internal(error.to_string()))
}

/// The answer that is one message.
pub(super) fn respond(message: &impl Message) -> Result<Response, ApiError> {
    let mut buffer = BytesMut::with_capacity(PREFIX_BYTES + message.encoded_len());
    write(&mut buffer, message)?;
    let body = Body::from(buffer.freeze());
    Ok(respond_with(body, ready(Status::ok(""))))
}

/// The answer with these messages, and what `end` says behind them.
pub(super) fn respond_with(
    messages: Body,
    end: impl Future<Output = Status> + Send + 'static,
) -> Response {
    let trailers = async move { Some(Ok(trailers(&end.await))) };
    let body = Body::new(messages.with_trailers(trailers));
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    match status.add_header(&mut trailers) {
        Ok(()) => trailers,
        Err(why) => trailers_without_details(why.code()),
    }
}

/// What no text can make impossible.
fn trailers_without_details(code: tonic::Code) -> HeaderMap {
    HeaderMap::from_iter([(
        header::HeaderName::from_static("grpc-status"),
        header::HeaderValue::from(i32::from(code)),
    )])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        message_in(&Bytes::copy_from_slice(bytes)).map(|message| message.to_vec())
    }

    #[test]
    fn a_body_is_exactly_one_message() {
        assert_eq!(read_bytes(&[0, 0, 0, 0, 0]), Ok(vec![]));
        assert_eq!(read_bytes(&[0, 0, 0, 0, 2, 7, 8]), Ok(vec![7, 8]));
        for wrong in [
            &[][..],
            &[0, 0, 0, 0],
            &[1, 0, 0, 0, 0],
            &[0, 0, 0, 0, 1],
            &[0, 0, 0, 0, 0, 9],
            &[0, 255, 255, 255, 255, 9],
        ] {
            assert!(read_bytes(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in ".*") {
            let mut buffer = BytesMut::new();
            write(&mut buffer, &text).unwrap();
            let message = message_in(&buffer.freeze()).unwrap();
            prop_assert_eq!(String::decode(message).unwrap(), text);
        }

        #[test]
        fn nothing_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_bytes(&bytes);
        }
    }
}

//! Codings whose content may come in several members, one after the other (RFC 1952 2.2, RFC 8878 3).

use std::io;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt, try_unfold};
use taskyard_task::HttpError;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt};

use super::{PIECE_BYTES, Reader};
use crate::failure::Failure;

/// The largest window of zstd, 8 MiB: what RFC 9659 allows on the web. Its own limit is 128 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;
/// What each further member counts for besides its content, so that there cannot be very many empty ones.
const MEMBER_OVERHEAD: u64 = 256;

/// A decoder of one member.
pub(super) trait Member: AsyncRead + Unpin + Send + Sized + 'static {
    /// Whether a member begins like this. `bytes` are as many of the next ones as have come.
    fn begins(bytes: &[u8]) -> bool;

    /// Decodes what `reader` reads next.
    fn of(reader: Reader) -> Self;

    /// What comes after the member.
    fn rest(self) -> Reader;
}

impl Member for GzipDecoder<Reader> {
    fn begins(bytes: &[u8]) -> bool {
        matches!(bytes, [0x1f] | [0x1f, 0x8b, ..])
    }

    fn of(reader: Reader) -> Self {
        Self::new(reader)
    }

    fn rest(self) -> Reader {
        self.into_inner()
    }
}

impl Member for ZstdDecoder<Reader> {
    /// With content, or to be skipped.
    fn begins(bytes: &[u8]) -> bool {
        matches!(
            bytes,
            [0x28 | 0x50..=0x5f] | [0x28, 0xb5, ..] | [0x50..=0x5f, 0x2a, ..]
        )
    }

    fn of(reader: Reader) -> Self {
        Self::with_params(reader, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)])
    }

    fn rest(self) -> Reader {
        self.into_inner()
    }
}

/// The content of all members. It ends where what comes next is none: some servers fill up a body with zeros
/// or an end of line, and that is no reason to lose what was complete.
pub(super) fn members<M: Member>(
    reader: Reader,
    limit: u64,
) -> BoxStream<'static, io::Result<Bytes>> {
    let first = Sequence {
        member: M::of(reader),
        buffer: BytesMut::new(),
        allowed: limit / MEMBER_OVERHEAD,
    };
    try_unfold(first, move |sequence| sequence.next(limit)).boxed()
}

struct Sequence<M> {
    member: M,
    buffer: BytesMut,
    /// How many more members there may be.
    allowed: u64,
}

impl<M: Member> Sequence<M> {
    /// The next piece of content.
    async fn next(mut self, limit: u64) -> io::Result<Option<(Bytes, Self)>> {
        loop {
            if self.buffer.capacity() == 0 {
                self.buffer.reserve(PIECE_BYTES);
            }
            if self.member.read_buf(&mut self.buffer).await? > 0 {
                return Ok(Some((self.buffer.split().freeze(), self)));
            }
            let mut rest = self.member.rest();
            if !M::begins(rest.fill_buf().await?) {
                return Ok(None);
            }
            let allowed = self.allowed.checked_sub(1);
            self.allowed = allowed
                .ok_or_else(|| io::Error::other(Failure::from(HttpError::TooLarge { limit })))?;
            self.member = M::of(rest);
        }
    }
}

//! Standard output and standard error. Class: ephemeral.

use std::sync::Arc;

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bytes::Bytes;

use crate::diagnostics::{Diagnostics, Stream};

/// How much may be written at once. Always the same, so that a replay writes in the same pieces.
const ROOM_BYTES: usize = 64 << 10;

/// A stream that always has room: whether a worker may write must not depend on who reads.
#[derive(Debug, Clone)]
pub(super) struct Output {
    stream: Stream,
    diagnostics: Arc<Diagnostics>,
}

impl Output {
    pub(super) fn new(stream: Stream, diagnostics: Arc<Diagnostics>) -> Self {
        Self {
            stream,
            diagnostics,
        }
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.diagnostics.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(ROOM_BYTES)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// For WASI 0.3, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

//! The bodies of requests: collected until they are complete.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamResult};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::bytes::Bytes;

use super::exchange::Shared;
use super::{Fields, error};
use crate::host::Ctx;
use crate::wasi::bindings::wasi::http::types::{ErrorCode, HostOutgoingBody};

/// How much of a body may be written at once. Always the same, so that a replay writes in the same pieces.
const ROOM_BYTES: usize = 64 << 10;

/// The body of a request.
#[derive(Debug)]
pub struct OutgoingBody {
    exchange: Shared,
    /// How long the headers say that it is.
    announced: Option<u64>,
    has_stream: bool,
}

/// Where a body is written.
struct Writer(Shared);

impl OutgoingBody {
    /// A body of so many bytes, if the headers announced it.
    pub(super) fn new(exchange: Shared, announced: Option<u64>) -> Self {
        Self {
            exchange,
            announced,
            has_stream: false,
        }
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.lock().write(&bytes).map_err(error::broken)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(ROOM_BYTES)
    }
}

impl HostOutgoingBody for Ctx {
    fn write(
        &mut self,
        body: Resource<OutgoingBody>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let outgoing = self.table.get_mut(&body)?;
        if std::mem::replace(&mut outgoing.has_stream, true) {
            return Ok(Err(()));
        }
        let stream: DynOutputStream = Box::new(Writer(outgoing.exchange.clone()));
        Ok(Ok(self.table.push_child(stream, &body)?))
    }

    /// Class: effect, if the request waits for its body.
    async fn finish(
        &mut self,
        body: Resource<OutgoingBody>,
        trailers: Option<Resource<Fields>>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let OutgoingBody {
            exchange,
            announced,
            ..
        } = self.table.delete(body)?;
        if let Some(trailers) = trailers {
            self.table.delete(trailers)?;
            let problem = "trailers are not supported".to_owned();
            return Ok(refuse(&exchange, ErrorCode::InternalError(Some(problem))));
        }
        let written = exchange.lock().written();
        if announced.is_some_and(|announced| announced != written) {
            let code = ErrorCode::HttpRequestBodySize(Some(written));
            return Ok(refuse(&exchange, code));
        }
        exchange.lock().complete();
        if let Some(gate) = self.gate_mut() {
            exchange.send_if_complete(gate).await?;
        }
        Ok(Ok(()))
    }

    fn drop(&mut self, body: Resource<OutgoingBody>) -> wasmtime::Result<()> {
        let body = self.table.delete(body)?;
        // What is not finished is not what was meant.
        body.exchange.lock().fail(ErrorCode::HttpProtocolError);
        Ok(())
    }
}

fn refuse(exchange: &Shared, code: ErrorCode) -> Result<(), ErrorCode> {
    exchange.lock().fail(code.clone());
    Err(code)
}

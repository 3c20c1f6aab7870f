//! `wasi:io/streams`: bodies of responses are read as the log knows them. Class: journaled (waits),
//! derived (the rest).
//!
//! Everything else is as wasmtime-wasi has it: output always has room, and input is at its end.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult};
use wasmtime_wasi_io::bindings::wasi::io::streams as stock;
use wasmtime_wasi_io::bytes::Bytes;

use super::bindings::wasi::io::streams::{
    self, HostInputStream, HostOutputStream, StreamError as ToWorker,
};
use super::poll::Awaited;
use crate::host::Ctx;

impl Ctx {
    /// Reads what is there.
    fn read_now(&mut self, stream: Resource<DynInputStream>, most: u64) -> StreamResult<Bytes> {
        if self.is_download(stream.rep()) {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            return self.read_download(stream.rep(), most);
        }
        stock::HostInputStream::read(&mut self.table, stream, most).map(Bytes::from)
    }

    /// Reads what is there. A worker that finds nothing time and again waits a little.
    async fn read_some(
        &mut self,
        stream: Resource<DynInputStream>,
        most: u64,
    ) -> StreamResult<Bytes> {
        if !self.has_bytes(stream.rep()) {
            self.idle().await.map_err(trap)?;
        }
        self.read_now(stream, most)
    }

    /// Reads as soon as there is something.
    async fn read_later(
        &mut self,
        stream: Resource<DynInputStream>,
        most: u64,
    ) -> StreamResult<Bytes> {
        self.wait_for_bytes(stream.rep())
            .await
            .map_err(StreamError::Trap)?;
        self.read_now(stream, most)
    }

    /// How much may be passed on to `to` at once.
    fn room(&mut self, to: &Resource<DynOutputStream>, most: u64) -> StreamResult<u64> {
        let to = Resource::new_borrow(to.rep());
        let room = stock::HostOutputStream::check_write(&mut self.table, to)?;
        Ok(room.min(most))
    }

    fn pass_on(&mut self, to: Resource<DynOutputStream>, bytes: Bytes) -> StreamResult<u64> {
        let passed = bytes.len() as u64;
        if passed > 0 {
            self.table.get_mut(&to)?.write(bytes)?;
        }
        Ok(passed)
    }
}

fn trap(error: impl Into<wasmtime::Error>) -> StreamError {
    StreamError::Trap(error.into())
}

impl streams::Host for Ctx {
    fn convert_stream_error(&mut self, error: StreamError) -> wasmtime::Result<ToWorker> {
        match error {
            StreamError::Closed => Ok(ToWorker::Closed),
            StreamError::LastOperationFailed(error) => {
                Ok(ToWorker::LastOperationFailed(self.table.push(error)?))
            }
            StreamError::Trap(error) => Err(error),
        }
    }
}

impl HostInputStream for Ctx {
    async fn read(&mut self, stream: Resource<DynInputStream>, most: u64) -> StreamResult<Vec<u8>> {
        Ok(self.read_some(stream, most).await?.into())
    }

    async fn blocking_read(
        &mut self,
        stream: Resource<DynInputStream>,
        most: u64,
    ) -> StreamResult<Vec<u8>> {
        Ok(self.read_later(stream, most).await?.into())
    }

    async fn skip(&mut self, stream: Resource<DynInputStream>, most: u64) -> StreamResult<u64> {
        Ok(self.read_some(stream, most).await?.len() as u64)
    }

    async fn blocking_skip(
        &mut self,
        stream: Resource<DynInputStream>,
        most: u64,
    ) -> StreamResult<u64> {
        Ok(self.read_later(stream, most).await?.len() as u64)
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynInputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let number = stream.rep();
        self.pollable(stream, Awaited::Bytes(number))
    }

    async fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        let number = stream.rep();
        stock::HostInputStream::drop(&mut self.table, stream).await?;
        self.close_download(number);
        Ok(())
    }
}

impl HostOutputStream for Ctx {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        stock::HostOutputStream::check_write(&mut self.table, stream)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        stock::HostOutputStream::write(&mut self.table, stream, bytes)
    }

    async fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        stock::HostOutputStream::blocking_write_and_flush(&mut self.table, stream, bytes).await
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        stock::HostOutputStream::flush(&mut self.table, stream)
    }

    async fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        stock::HostOutputStream::blocking_flush(&mut self.table, stream).await
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynOutputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        stock::HostOutputStream::subscribe(&mut self.table, stream)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, count: u64) -> StreamResult<()> {
        stock::HostOutputStream::write_zeroes(&mut self.table, stream, count)
    }

    async fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        count: u64,
    ) -> StreamResult<()> {
        stock::HostOutputStream::blocking_write_zeroes_and_flush(&mut self.table, stream, count)
            .await
    }

    async fn splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        most: u64,
    ) -> StreamResult<u64> {
        let room = self.room(&to, most)?;
        let bytes = self.read_some(from, room).await?;
        self.pass_on(to, bytes)
    }

    async fn blocking_splice(
        &mut self,
        to: Resource<DynOutputStream>,
        from: Resource<DynInputStream>,
        most: u64,
    ) -> StreamResult<u64> {
        let room = self.room(&to, most)?;
        let bytes = self.read_later(from, room).await?;
        self.pass_on(to, bytes)
    }

    async fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        stock::HostOutputStream::drop(&mut self.table, stream).await
    }
}

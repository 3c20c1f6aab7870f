//! Responses as workers read them: status, headers, body.

use bytes::Bytes;
use taskyard_task::http::HttpHead;
use taskyard_task::{HttpError, Ticket};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{
    DynInputStream, DynPollable, InputStream, Pollable, StreamError, StreamResult, subscribe,
};
use wasmtime_wasi_io::async_trait;

use super::room::{Held, Room};
use super::{Fields, error};
use crate::host::Ctx;
use crate::wasi::bindings::wasi::http::types::{
    ErrorCode, HostFutureTrailers, HostIncomingBody, HostIncomingResponse,
};

/// A response.
#[derive(Debug)]
pub struct IncomingResponse {
    status: u16,
    headers: Fields,
    body: Option<Download>,
}

/// The body of a response.
#[derive(Debug)]
pub struct IncomingBody {
    /// Until there is a stream of it.
    download: Option<Download>,
    /// What brings it, if it comes piece by piece.
    ticket: Option<Ticket>,
}

/// What is read of a body.
#[derive(Debug)]
pub(super) struct Download {
    /// What was not read yet of what is there.
    piece: Bytes,
    /// Names what brings more.
    more: Option<Ticket>,
    /// Room for a body that is there.
    _held: Option<Held>,
}

/// The trailers of a response: none.
#[derive(Debug, Default)]
pub struct NoTrailers {
    is_taken: bool,
}

/// Stands for a [`Download`] in the table.
struct Body;

impl Download {
    /// A body that is there.
    pub(super) fn whole(body: Vec<u8>, held: Held) -> Self {
        Self {
            piece: body.into(),
            more: None,
            _held: Some(held),
        }
    }

    /// A body that comes piece by piece.
    pub(super) fn pieces(ticket: Ticket) -> Self {
        Self {
            piece: Bytes::new(),
            more: Some(ticket),
            _held: None,
        }
    }
}

impl IncomingResponse {
    /// A response that begins like this.
    pub(super) fn new(room: &Room, head: HttpHead, body: Download) -> wasmtime::Result<Self> {
        Ok(Self {
            status: head.status,
            headers: Fields::of_response(room, head.headers)?,
            body: Some(body),
        })
    }
}

#[async_trait]
impl Pollable for Body {
    /// Never asked for: readiness is looked up in `Pollables`.
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for Body {
    /// Never asked for: what is there is looked up in `Http`.
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}

#[async_trait]
impl Pollable for NoTrailers {
    async fn ready(&mut self) {}
}

/// What a look at a piece of a body found.
enum Next {
    Piece(Bytes),
    NotYet,
    End,
    Failed(HttpError),
}

impl Ctx {
    /// Whether the stream of that number is the body of a response.
    pub(in crate::wasi) fn is_download(&self, stream: u32) -> bool {
        self.http.downloads.contains_key(&stream)
    }

    /// Whether there is something to read, or the end.
    pub(in crate::wasi) fn has_bytes(&mut self, stream: u32) -> bool {
        let Some(download) = self.http.downloads.get(&stream) else {
            return true;
        };
        let (is_empty, more) = (download.piece.is_empty(), download.more);
        match more {
            Some(ticket) if is_empty => {
                let request = self.gate_mut().and_then(|gate| gate.request(ticket));
                request.is_none_or(|request| request.has_piece())
            }
            _ => true,
        }
    }

    /// Reads what is there of the body of a response, at most `most` bytes. Derived.
    pub(in crate::wasi) fn read_download(
        &mut self,
        stream: u32,
        most: usize,
    ) -> StreamResult<Bytes> {
        self.refill(stream)?;
        match self.http.downloads.get_mut(&stream) {
            Some(Download { piece, .. }) if !piece.is_empty() => {
                Ok(piece.split_to(most.min(piece.len())))
            }
            Some(Download { more: Some(_), .. }) => Ok(Bytes::new()),
            Some(_) | None => Err(StreamError::Closed),
        }
    }

    /// Nobody reads that stream any more.
    pub(in crate::wasi) fn close_download(&mut self, stream: u32) {
        self.http.downloads.remove(&stream);
    }

    /// Takes the next piece if the last one is used up.
    fn refill(&mut self, stream: u32) -> StreamResult<()> {
        let download = self.http.downloads.get(&stream);
        let Some(ticket) = download.and_then(|download| match download.more {
            Some(ticket) if download.piece.is_empty() => Some(ticket),
            _ => None,
        }) else {
            return Ok(());
        };
        let next = self.next_piece(ticket);
        let is_over = matches!(next, Next::End | Next::Failed(_));
        if is_over && let Some(gate) = self.gate_mut() {
            gate.forget_request(ticket);
        }
        if let Some(download) = self.http.downloads.get_mut(&stream) {
            match next {
                Next::Piece(piece) => download.piece = piece,
                Next::NotYet => {}
                Next::End => download.more = None,
                Next::Failed(failure) => {
                    download.more = None;
                    return Err(error::broken(failure.into()));
                }
            }
        }
        Ok(())
    }

    fn next_piece(&mut self, ticket: Ticket) -> Next {
        match self.gate_mut().and_then(|gate| gate.request(ticket)) {
            Some(request) if request.has_piece() => match request.take_piece() {
                Ok(Some(piece)) => Next::Piece(piece),
                Ok(None) => Next::End,
                Err(error) => Next::Failed(error),
            },
            Some(_) => Next::NotYet,
            None => Next::Failed(HttpError::Interrupted),
        }
    }

    /// Breaks off what nobody will read.
    fn give_up(&mut self, ticket: Option<Ticket>) {
        if let (Some(ticket), Some(gate)) = (ticket, self.gate_mut()) {
            gate.forget_request(ticket);
        }
    }
}

impl HostIncomingResponse for Ctx {
    fn status(&mut self, response: Resource<IncomingResponse>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&response)?.status)
    }

    fn headers(
        &mut self,
        response: Resource<IncomingResponse>,
    ) -> wasmtime::Result<Resource<Fields>> {
        let response = self.table.get(&response)?;
        let headers = response.headers.copy(&self.http.room)?.fixed();
        Ok(self.table.push(headers)?)
    }

    fn consume(
        &mut self,
        response: Resource<IncomingResponse>,
    ) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        let Some(download) = self.table.get_mut(&response)?.body.take() else {
            return Ok(Err(()));
        };
        let body = IncomingBody {
            ticket: download.more,
            download: Some(download),
        };
        Ok(Ok(self.table.push(body)?))
    }

    fn drop(&mut self, response: Resource<IncomingResponse>) -> wasmtime::Result<()> {
        let response = self.table.delete(response)?;
        self.give_up(response.body.and_then(|body| body.more));
        Ok(())
    }
}

impl HostIncomingBody for Ctx {
    fn stream(
        &mut self,
        body: Resource<IncomingBody>,
    ) -> wasmtime::Result<Result<Resource<DynInputStream>, ()>> {
        let Some(download) = self.table.get_mut(&body)?.download.take() else {
            return Ok(Err(()));
        };
        let stream: DynInputStream = Box::new(Body);
        let stream = self.table.push_child(stream, &body)?;
        self.http.downloads.insert(stream.rep(), download);
        Ok(Ok(stream))
    }

    fn finish(&mut self, body: Resource<IncomingBody>) -> wasmtime::Result<Resource<NoTrailers>> {
        let body = self.table.delete(body)?;
        self.give_up(body.ticket);
        Ok(self.table.push(NoTrailers::default())?)
    }

    fn drop(&mut self, body: Resource<IncomingBody>) -> wasmtime::Result<()> {
        let body = self.table.delete(body)?;
        self.give_up(body.ticket);
        Ok(())
    }
}

type Trailers = Result<Option<Resource<Fields>>, ErrorCode>;

impl HostFutureTrailers for Ctx {
    fn subscribe(
        &mut self,
        trailers: Resource<NoTrailers>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, trailers)
    }

    fn get(
        &mut self,
        trailers: Resource<NoTrailers>,
    ) -> wasmtime::Result<Option<Result<Trailers, ()>>> {
        let trailers = self.table.get_mut(&trailers)?;
        let was_taken = std::mem::replace(&mut trailers.is_taken, true);
        Ok(Some(if was_taken { Err(()) } else { Ok(Ok(None)) }))
    }

    fn drop(&mut self, trailers: Resource<NoTrailers>) -> wasmtime::Result<()> {
        self.table.delete(trailers)?;
        Ok(())
    }
}

//! Sending requests and getting responses.

use std::sync::Arc;

use taskyard_task::Ticket;
use taskyard_task::http::{HttpError, HttpHead};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable};
use wasmtime_wasi_io::async_trait;

use super::exchange::{Shared, Taken};
use super::response::Download;
use super::{IncomingResponse, OutgoingRequest, RequestOptions};
use crate::host::Ctx;
use crate::replay::Stop;
use crate::wasi::bindings::wasi::http::outgoing_handler;
use crate::wasi::bindings::wasi::http::types::{ErrorCode, HostFutureIncomingResponse};
use crate::wasi::poll::Awaited;

/// A response that may be there some day.
#[derive(Debug)]
pub struct FutureResponse {
    exchange: Shared,
    /// Counts it as one whose response was not taken.
    untaken: Option<Arc<()>>,
}

#[async_trait]
impl Pollable for FutureResponse {
    /// Never asked for: readiness is looked up in `Pollables`.
    async fn ready(&mut self) {}
}

impl outgoing_handler::Host for Ctx {
    /// Class: effect, if the body is complete.
    async fn handle(
        &mut self,
        request: Resource<OutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Resource<FutureResponse>, ErrorCode>> {
        let request = self.table.delete(request)?;
        let options = match options {
            Some(options) => Some(self.table.delete(options)?),
            None => None,
        };
        let untaken = Arc::clone(&self.http.untaken);
        let Some(gate) = self.gate_mut() else {
            return Err(Stop::Early("wasi:http/outgoing-handler.handle").into());
        };
        // One is the instance's own, one is that of this request.
        let others = Arc::strong_count(&untaken).saturating_sub(2) as u64;
        if others >= gate.budget().limits().requests {
            return Ok(Err(ErrorCode::ConnectionLimitReached));
        }
        let draft = match request.draft(options.as_ref()) {
            Ok(draft) => draft,
            Err(code) => return Ok(Err(code)),
        };
        let exchange = request.into_exchange();
        exchange.lock().submit(draft);
        exchange.send_if_complete(gate).await?;
        let future = FutureResponse {
            exchange,
            untaken: Some(untaken),
        };
        Ok(Ok(self.table.push(future)?))
    }
}

type Response = Result<Resource<IncomingResponse>, ErrorCode>;

impl HostFutureIncomingResponse for Ctx {
    fn subscribe(
        &mut self,
        future: Resource<FutureResponse>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let exchange = self.table.get(&future)?.exchange.clone();
        self.pollable(future, Awaited::Response(exchange))
    }

    async fn get(
        &mut self,
        future: Resource<FutureResponse>,
    ) -> wasmtime::Result<Option<Result<Response, ()>>> {
        let exchange = self.table.get(&future)?.exchange.clone();
        if !self.has_response(&exchange) {
            self.idle().await?;
            if !self.has_response(&exchange) {
                return Ok(None);
            }
        }
        self.table.get_mut(&future)?.untaken = None;
        let taken = exchange.lock().take();
        Ok(Some(match taken {
            Taken::Sent(ticket) => Ok(self.take_response(ticket)?),
            Taken::Failed(code) => Ok(Err(code)),
            Taken::Nothing => Err(()),
        }))
    }

    fn drop(&mut self, future: Resource<FutureResponse>) -> wasmtime::Result<()> {
        let future = self.table.delete(future)?;
        let taken = future.exchange.lock().take();
        if let (Taken::Sent(ticket), Some(gate)) = (taken, self.gate_mut()) {
            gate.forget_request(ticket);
        }
        Ok(())
    }
}

impl Ctx {
    /// Takes a response that is there, or has begun.
    fn take_response(&mut self, ticket: Ticket) -> wasmtime::Result<Response> {
        let Some(gate) = self.gate_mut() else {
            return Ok(Err(ErrorCode::ConnectionTerminated));
        };
        let (head, download) = match gate.take_response(ticket) {
            Some(Ok(response)) => match self.http.room.hold(response.body.len()) {
                Ok(held) => (response.head, Download::whole(response.body, held)),
                Err(_) => return Ok(Err(ErrorCode::HttpResponseBodySize(None))),
            },
            Some(Err(error)) => return Ok(Err(self.told(error))),
            None => match begun(gate.request(ticket).and_then(|request| request.head())) {
                Ok(head) => (head, Download::pieces(ticket)),
                Err(error) => {
                    gate.forget_request(ticket);
                    return Ok(Err(self.told(error)));
                }
            },
        };
        let response = IncomingResponse::new(&self.http.room, head, download)?;
        Ok(Ok(self.table.push(response)?))
    }

    /// The error as the worker gets it. What it has no words for, the operator gets to see.
    fn told(&self, error: HttpError) -> ErrorCode {
        if self.diagnostics.admit_line() {
            tracing::warn!(target: "taskyard_worker", "no response: {error}");
        }
        error.into()
    }
}

fn begun(head: Option<Result<&HttpHead, &HttpError>>) -> Result<HttpHead, HttpError> {
    match head {
        Some(Ok(head)) => Ok(head.clone()),
        Some(Err(error)) => Err(error.clone()),
        None => Err(HttpError::Interrupted),
    }
}

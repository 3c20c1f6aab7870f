//! One request, from its making to the taking of its response.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use taskyard_task::Ticket;

use super::room::{Held, Room};
use crate::host::Ctx;
use crate::replay::{CallError, Gate, Sending};
use crate::wasi::bindings::wasi::http::types::ErrorCode;

/// One request, from its making to the taking of its response.
#[derive(Debug)]
pub(crate) struct Exchange {
    stage: Stage,
    /// The body, until it is sent.
    body: Vec<u8>,
    /// How many bytes were written.
    written: usize,
    /// The largest body, in bytes.
    limit: usize,
    /// Room for the body, for as long as it may have to be sent again.
    held: Held,
    is_complete: bool,
    /// The request without its body, from `handle` until it is sent.
    draft: Option<Box<Sending>>,
}

#[derive(Debug)]
enum Stage {
    /// Not sent yet.
    Open,
    /// Sent; the response has that ticket.
    Sent(Ticket),
    /// Not sent, or not as it was meant.
    Failed(ErrorCode),
    /// Nobody waits for it.
    Over,
}

/// How far an exchange is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Progress {
    /// Nothing can be there yet.
    Open,
    /// Look at what this ticket names.
    Sent(Ticket),
    /// There is an error, or nothing more to come.
    Ended,
}

/// What there is instead of a response.
#[derive(Debug)]
pub(super) enum Taken {
    /// What this ticket names.
    Sent(Ticket),
    /// An error.
    Failed(ErrorCode),
    /// It was taken before.
    Nothing,
}

/// An exchange, shared by the resources that it consists of.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<Exchange>>);

impl Shared {
    /// A request with a body of at most `limit` bytes.
    pub(super) fn new(room: &Room, limit: usize) -> wasmtime::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Exchange {
            stage: Stage::Open,
            body: Vec::new(),
            written: 0,
            limit,
            held: room.hold(0)?,
            is_complete: false,
            draft: None,
        }))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the request if it is complete.
    ///
    /// # Errors
    /// Only if the run is over; what is wrong with the request is told in place of the response.
    pub(super) async fn send_if_complete(&self, gate: &mut Gate) -> wasmtime::Result<()> {
        let Some(sending) = self.lock().take_complete() else {
            return Ok(());
        };
        let stage = match gate.send_request(sending).await {
            Ok(ticket) => Stage::Sent(ticket),
            Err(CallError::Refused(refusal)) => Stage::Failed(refusal.into()),
            Err(CallError::Stopped(stop)) => return Err(stop.into()),
        };
        self.lock().stage = stage;
        Ok(())
    }
}

impl Exchange {
    /// More of the body.
    ///
    /// # Errors
    /// If it is too large, which is also told in place of the response.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        if let Stage::Failed(code) = &self.stage {
            return Err(code.clone());
        }
        let written = self.written.saturating_add(bytes.len());
        if written > self.limit || self.held.grow(bytes.len()).is_err() {
            let code = ErrorCode::HttpRequestBodySize(Some(self.limit as u64));
            self.fail(code.clone());
            return Err(code);
        }
        self.written = written;
        self.body.extend_from_slice(bytes);
        Ok(())
    }

    /// How many bytes were written.
    pub(super) fn written(&self) -> u64 {
        self.written as u64
    }

    /// The body is complete.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// This is to be sent as soon as the body is complete.
    pub(super) fn submit(&mut self, draft: Sending) {
        self.draft = Some(Box::new(draft));
    }

    /// The request will not be sent, and this is the reason.
    pub(super) fn fail(&mut self, code: ErrorCode) {
        if matches!(self.stage, Stage::Open) {
            self.stage = Stage::Failed(code);
            self.body = Vec::new();
        }
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        match self.stage {
            Stage::Open => Progress::Open,
            Stage::Sent(ticket) => Progress::Sent(ticket),
            Stage::Failed(_) | Stage::Over => Progress::Ended,
        }
    }

    /// Takes what there is. Nothing is sent afterwards.
    pub(super) fn take(&mut self) -> Taken {
        self.draft = None;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Sent(ticket) => Taken::Sent(ticket),
            Stage::Failed(code) => Taken::Failed(code),
            Stage::Open | Stage::Over => Taken::Nothing,
        }
    }

    fn take_complete(&mut self) -> Option<Sending> {
        if !self.is_complete || !matches!(self.stage, Stage::Open) {
            return None;
        }
        let mut sending = *self.draft.take()?;
        sending.request.body = Bytes::from(std::mem::take(&mut self.body));
        Some(sending)
    }
}

impl Ctx {
    /// Whether there is a response, or the beginning of one, or an error.
    pub(in crate::wasi) fn has_response(&mut self, exchange: &Shared) -> bool {
        let progress = exchange.lock().progress();
        match progress {
            Progress::Open => false,
            Progress::Ended => true,
            Progress::Sent(ticket) => {
                let request = self.gate_mut().and_then(|gate| gate.request(ticket));
                request.is_none_or(|request| request.is_over() || request.head().is_some())
            }
        }
    }
}

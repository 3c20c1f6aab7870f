//! `taskyard:worker/http`: requests to the outside.

use std::time::Duration;

use taskyard_outbound as outbound;
use taskyard_task::Ticket;
use taskyard_task::http::{HttpHead, HttpHeader};

use super::Ctx;
use crate::bindings::taskyard::worker::http::{Delivery, Host, Request, Response};
use crate::replay::{CallError, Gate, Reading, Refusal, Sending};

/// Methods that change nothing, so that sending them twice needs no key.
const SAFE_METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];
/// How many attempts a request may have in all.
const MOST_ATTEMPTS: u32 = 20;

impl Host for Ctx {
    async fn fetch(&mut self, request: Request) -> Result<Response, CallError> {
        let gate = self.journaled("taskyard:worker/http.fetch")?;
        let ticket = gate.send_request(sending(request, Reading::Whole)?).await?;
        take(gate, ticket).await
    }

    async fn start(&mut self, request: Request) -> Result<u64, CallError> {
        let gate = self.journaled("taskyard:worker/http.start")?;
        let ticket = gate.send_request(sending(request, Reading::Whole)?).await?;
        Ok(ticket.0)
    }

    async fn take(&mut self, request: u64) -> Result<Response, CallError> {
        let gate = self.journaled("taskyard:worker/http.take")?;
        take(gate, Ticket(request)).await
    }

    async fn start_stream(&mut self, request: Request) -> Result<u64, CallError> {
        let gate = self.journaled("taskyard:worker/http.start-stream")?;
        let ticket = gate
            .send_request(sending(request, Reading::Pieces)?)
            .await?;
        Ok(ticket.0)
    }

    async fn next_piece(&mut self, stream: u64) -> Result<Option<Vec<u8>>, CallError> {
        let gate = self.journaled("taskyard:worker/http.next-piece")?;
        let piece = gate.next_piece(Ticket(stream)).await?;
        Ok(piece.map(Vec::from))
    }
}

async fn take(gate: &mut Gate, ticket: Ticket) -> Result<Response, CallError> {
    gate.response_begun(ticket).await?;
    let Some(state) = gate.request(ticket) else {
        return Err(Refusal::invalid("the ticket names no request").into());
    };
    if let Some(result) = state.take_result() {
        let response = result.map_err(Refusal::from)?;
        return Ok(to_worker(&response.head, response.body));
    }
    match state.head() {
        Some(Ok(head)) => Ok(to_worker(head, Vec::new())),
        Some(Err(error)) => Err(Refusal::from(error.clone()).into()),
        None => Err(Refusal::invalid("the response was taken before, or given up").into()),
    }
}

fn to_worker(head: &HttpHead, body: Vec<u8>) -> Response {
    let text = |header: &HttpHeader| {
        let value = String::from_utf8_lossy(&header.value).into_owned();
        (header.name.clone(), value)
    };
    Response {
        status: head.status,
        headers: head.headers.iter().map(text).collect(),
        body,
    }
}

fn sending(request: Request, reading: Reading) -> Result<Sending, Refusal> {
    let retry = request.retry.map(|policy| outbound::Retry {
        max_attempts: policy.max_attempts,
        initial: Duration::from_millis(policy.initial),
        max_delay: Duration::from_millis(policy.max_delay),
    });
    if retry.is_some_and(|retry| !(1..=MOST_ATTEMPTS).contains(&retry.max_attempts)) {
        let problem = format!("a request has between 1 and {MOST_ATTEMPTS} attempts");
        return Err(Refusal::Invalid(problem));
    }
    let headers = request.headers.into_iter();
    let headers = headers.map(|(name, value)| HttpHeader {
        name,
        value: value.into_bytes(),
    });
    let is_safe = SAFE_METHODS.contains(&request.method.as_str());
    Ok(Sending {
        wants_key: request.idempotency_key.is_none() && !is_safe,
        resend: matches!(request.delivery, Delivery::AtLeastOnce),
        reading,
        request: outbound::Request {
            method: request.method,
            url: request.url,
            headers: headers.collect(),
            body: request.body.into(),
            timeout: request.timeout.map(Duration::from_millis),
            retry,
            idempotency_key: request.idempotency_key,
            max_response_bytes: request.max_response_bytes,
        },
    })
}

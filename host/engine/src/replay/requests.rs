//! Requests of the worker: what it has got of their responses, and what is still under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use taskyard_outbound::Request;
use taskyard_task::http::{HttpError, HttpHead, HttpHeader, HttpResponse};
use taskyard_task::{Digest, Event, HttpCall, Piece, Ticket};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::gate::Gate;
use super::log::{Body, Network};
use super::stop::{CallError, Refusal, Stop};
use super::tickets::{Completed, Thing};

/// Pieces of responses that wait to be logged. Beyond it, connections are not read.
const MAX_ARRIVALS: usize = 64;
/// The most that one entry holds of a response that is read piece by piece.
const MAX_PIECE_BYTES: usize = 256 << 10;
/// The media type of a response that is meant to be read piece by piece.
const EVENT_STREAM: &[u8] = b"text/event-stream";
/// How long a URL may be.
const MAX_URL_BYTES: usize = 8 << 10;

/// A request that a worker wants to send.
#[derive(Debug)]
pub(crate) struct Sending {
    /// What is sent.
    pub(crate) request: Request,
    /// Whether it may be sent again after a crash.
    pub(crate) resend: bool,
    /// How the response is read.
    pub(crate) reading: Reading,
    /// Whether the host makes up an idempotency key.
    pub(crate) wants_key: bool,
}

/// How a response is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As one, which is one entry.
    Whole,
    /// Piece by piece.
    Pieces,
    /// Piece by piece if the response says that it is a stream of events, else as one.
    AsItComes,
}

/// What the worker has got of a response.
#[derive(Debug, Default)]
pub(crate) struct RequestState {
    streamed: bool,
    result: Option<Result<HttpResponse, HttpError>>,
    head: Option<HttpHead>,
    pieces: VecDeque<Bytes>,
    /// How a stream ended.
    end: Option<Result<(), HttpError>>,
    completed: Option<Completed>,
    given_up: bool,
    /// Whether the worker has taken the whole response.
    taken: bool,
}

impl RequestState {
    fn new(streamed: bool) -> Self {
        Self {
            streamed,
            ..Self::default()
        }
    }

    /// Whether nothing more can come.
    pub(crate) fn is_over(&self) -> bool {
        self.given_up || self.taken || self.result.is_some() || self.end.is_some()
    }

    /// Whether it counts against the limit: something may come, or is kept for the worker.
    pub(super) fn is_open(&self) -> bool {
        let is_kept = self.result.is_some() || !self.pieces.is_empty();
        !self.is_over() || (is_kept && !self.given_up)
    }

    /// Since when there is something to take.
    pub(super) fn completed(&self) -> Option<Completed> {
        self.completed
    }

    /// Takes the whole response, once it is there, and once.
    pub(crate) fn take_result(&mut self) -> Option<Result<HttpResponse, HttpError>> {
        let result = self.result.take()?;
        self.taken = true;
        Some(result)
    }

    /// How the response to a stream begins; the error, if it never began.
    pub(crate) fn head(&self) -> Option<Result<&HttpHead, &HttpError>> {
        match (&self.head, &self.end) {
            (Some(head), _) => Some(Ok(head)),
            (None, Some(Err(error))) => Some(Err(error)),
            (None, _) => None,
        }
    }

    /// Whether there is a piece, or the end.
    pub(crate) fn has_piece(&self) -> bool {
        !self.pieces.is_empty() || self.end.is_some()
    }

    /// The next piece of a stream; nothing at its end.
    pub(crate) fn take_piece(&mut self) -> Result<Option<Bytes>, HttpError> {
        let piece = self.pieces.pop_front();
        if self.pieces.is_empty() && self.end.is_none() {
            self.completed = None;
        }
        match (piece, &self.end) {
            (Some(piece), _) => Ok(Some(piece)),
            (None, Some(Err(error))) => Err(error.clone()),
            (None, _) => Ok(None),
        }
    }
}

/// Requests whose response is not in the log yet, and the connections that bring it.
pub(super) struct Flights {
    network: Arc<dyn Network>,
    /// What would have to be sent: everything without a whole response.
    waiting: BTreeMap<Ticket, Waiting>,
    sender: mpsc::Sender<(Ticket, Arrival)>,
    arrivals: mpsc::Receiver<(Ticket, Arrival)>,
    /// What arrived behind a batch of pieces.
    held_back: Option<(Ticket, Arrival)>,
    connections: JoinSet<()>,
}

struct Waiting {
    request: Option<Request>,
    call: HttpCall,
    reading: Reading,
    /// Once it is under way.
    connection: Option<AbortHandle>,
    /// Whether an earlier run may have sent it.
    was_logged: bool,
    /// Whether pieces of its response are in the log.
    has_begun: bool,
}

/// What a connection brings.
#[derive(Debug)]
pub(super) enum Arrival {
    Whole(Result<HttpResponse, HttpError>),
    Piece(Piece),
}

impl Flights {
    /// Whether requests to `url` may be sent.
    pub(super) fn permits(&self, url: &str) -> Result<(), HttpError> {
        self.network.permits(url)
    }

    pub(super) fn new(network: Arc<dyn Network>) -> Self {
        let (sender, arrivals) = mpsc::channel(MAX_ARRIVALS);
        Self {
            network,
            waiting: BTreeMap::new(),
            sender,
            arrivals,
            held_back: None,
            connections: JoinSet::new(),
        }
    }

    /// Whether a response may still arrive.
    pub(super) fn any(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn remember(&mut self, ticket: Ticket, waiting: Waiting) {
        self.waiting.insert(ticket, waiting);
    }

    fn begun(&mut self, ticket: Ticket) {
        if let Some(waiting) = self.waiting.get_mut(&ticket) {
            waiting.has_begun = true;
        }
    }

    fn over(&mut self, ticket: Ticket) {
        let over = self.waiting.remove(&ticket);
        if let Some(connection) = over.and_then(|waiting| waiting.connection) {
            connection.abort();
        }
    }

    /// The next thing that arrives. Pieces of one response that are there already come as one.
    pub(super) async fn next(&mut self) -> Option<(Ticket, Arrival)> {
        let first = loop {
            let arrived = match self.held_back.take() {
                Some(held_back) => held_back,
                None => self.arrivals.recv().await?,
            };
            // What was given up meanwhile is of no interest.
            if self.waiting.contains_key(&arrived.0) {
                break arrived;
            }
        };
        let (ticket, Arrival::Piece(Piece::Data(mut data))) = first else {
            return Some(first);
        };
        while data.len() < MAX_PIECE_BYTES {
            match self.arrivals.try_recv() {
                Ok((next, Arrival::Piece(Piece::Data(more)))) if next == ticket => {
                    data.extend_from_slice(&more);
                }
                Ok(other) => {
                    self.held_back = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        Some((ticket, Arrival::Piece(Piece::Data(data))))
    }

    fn send(&mut self, ticket: Ticket, request: Request, durable: Durable) {
        // Those that are over.
        while self.connections.try_join_next().is_some() {}
        let Some(waiting) = self.waiting.get_mut(&ticket) else {
            return;
        };
        let sender = self.sender.clone();
        let tell = move |arrival| {
            let sender = sender.clone();
            // The run is over if nobody listens.
            async move { sender.send((ticket, arrival)).await }
        };
        // IMPORTANT: a connection holds the future of its response, and not the network: that would hold the run, which
        // can end only when nobody else has it, and a connection outlives its abort by a moment.
        let reading = waiting.reading;
        let connection = match reading {
            Reading::Whole => {
                let response = self.network.fetch(request);
                let told = async move { tell(Arrival::Whole(response.await)).await };
                self.connections.spawn(once(durable, told))
            }
            Reading::Pieces => {
                let response = self.network.stream(request);
                self.connections
                    .spawn(once(durable, pieces(response, tell)))
            }
            Reading::AsItComes => {
                let response = self.network.stream(request);
                self.connections
                    .spawn(once(durable, as_it_comes(response, tell)))
            }
        };
        waiting.connection = Some(connection);
    }
}

type Durable = BoxFuture<'static, Result<(), taskyard_broker::Error>>;
type Response = BoxFuture<'static, Result<(HttpHead, Body), HttpError>>;
/// Whether somebody listens.
type Told = Result<(), mpsc::error::SendError<(Ticket, Arrival)>>;

/// Sends a request and tells of its response.
async fn once(durable: Durable, told: impl Future<Output = Told>) {
    // IMPORTANT: nothing leaves before the intent is on the disk.
    if durable.await.is_ok() {
        let _ = told.await;
    }
}

/// Reads a response piece by piece.
async fn pieces<F: Future<Output = Told>>(response: Response, tell: impl Fn(Arrival) -> F) -> Told {
    match response.await {
        Ok((head, body)) => rest(head, body, tell).await,
        Err(error) => tell(Arrival::Piece(Piece::Failed(error))).await,
    }
}

/// Reads a response piece by piece if it is a stream of events, else as one.
async fn as_it_comes<F: Future<Output = Told>>(
    response: Response,
    tell: impl Fn(Arrival) -> F,
) -> Told {
    match response.await {
        Ok((head, body)) if is_event_stream(&head) => rest(head, body, tell).await,
        Ok((head, body)) => {
            let body = body.map_ok(Vec::from).try_concat().await;
            tell(Arrival::Whole(body.map(|body| HttpResponse { head, body }))).await
        }
        Err(error) => tell(Arrival::Whole(Err(error))).await,
    }
}

/// Tells of a response that has begun.
async fn rest<F: Future<Output = Told>>(
    head: HttpHead,
    mut body: Body,
    tell: impl Fn(Arrival) -> F,
) -> Told {
    tell(Arrival::Piece(Piece::Head(head))).await?;
    while let Some(next) = body.next().await {
        let piece = match next {
            Ok(data) if data.is_empty() => continue,
            Ok(data) => Piece::Data(data.into()),
            Err(error) => Piece::Failed(error),
        };
        let last = piece.is_last();
        tell(Arrival::Piece(piece)).await?;
        if last {
            return Ok(());
        }
    }
    tell(Arrival::Piece(Piece::End)).await
}

fn is_event_stream(head: &HttpHead) -> bool {
    let is_type = |header: &&HttpHeader| header.name.eq_ignore_ascii_case("content-type");
    head.headers.iter().find(is_type).is_some_and(|header| {
        let media_type = header.value.split(|byte| *byte == b';').next();
        media_type.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(EVENT_STREAM))
    })
}

impl Gate {
    /// Sends a request.
    ///
    /// # Errors
    /// Refused at a limit; stopped if the log says otherwise or is not to be had.
    pub(crate) async fn send_request(&mut self, sending: Sending) -> Result<Ticket, CallError> {
        self.admit_request(&sending)?;
        let Sending {
            mut request,
            resend,
            reading,
            wants_key,
        } = sending;
        let streamed = reading != Reading::Whole;
        let ticket = self.tickets.upcoming();
        let call = HttpCall {
            method: request.method.clone(),
            url: request.url.clone(),
            body_bytes: request.body.len() as u64,
            fingerprint: fingerprint(&request, resend),
            key: None,
            resend,
            streamed,
        };
        let mut did = Event::Requested {
            ticket,
            call: Box::new(call.clone()),
        };
        let was_logged = match self.meet(&did).await? {
            Some((_, Event::Requested { call: logged, .. })) => {
                request.idempotency_key = logged.key.or(request.idempotency_key);
                true
            }
            _ => {
                let key = wants_key.then(|| self.flights.network.new_key());
                if let Event::Requested { call, .. } = &mut did {
                    call.key.clone_from(&key);
                }
                request.idempotency_key = key.or(request.idempotency_key);
                self.append(did).await?;
                false
            }
        };
        let state = RequestState::new(streamed);
        self.tickets.add(Thing::Request(Box::new(state)));
        let waiting = Waiting {
            request: Some(request),
            call,
            reading,
            connection: None,
            was_logged,
            has_begun: false,
        };
        self.flights.remember(ticket, waiting);
        if !was_logged {
            self.launch();
        }
        Ok(ticket)
    }

    /// What the worker has got of a response.
    pub(crate) fn request(&mut self, ticket: Ticket) -> Option<&mut RequestState> {
        match self.tickets.get_mut(ticket) {
            Some(Thing::Request(state)) => Some(state),
            _ => None,
        }
    }

    /// Waits until the response to a request is there; for a stream, until it begins.
    ///
    /// # Errors
    /// Refused if there is no such request, or after a cancel, once.
    pub(crate) async fn response_begun(&mut self, ticket: Ticket) -> Result<(), CallError> {
        loop {
            match self.request(ticket) {
                None => return Err(Refusal::invalid("the ticket names no request").into()),
                Some(state) if state.is_over() || state.head.is_some() => return Ok(()),
                Some(_) => self.wait_for_request(ticket).await?,
            }
        }
    }

    /// Waits for the next piece of a stream and takes it; nothing at its end.
    ///
    /// # Errors
    /// Refused if there is no such stream, it broke off, or after a cancel, once.
    pub(crate) async fn next_piece(&mut self, stream: Ticket) -> Result<Option<Bytes>, CallError> {
        loop {
            match self.request(stream) {
                Some(state) if state.streamed => {
                    if state.has_piece() || state.is_over() {
                        return Ok(state.take_piece().map_err(Refusal::from)?);
                    }
                }
                _ => return Err(Refusal::invalid("the ticket names no stream").into()),
            }
            self.wait_for_request(stream).await?;
        }
    }

    fn admit_request(&mut self, sending: &Sending) -> Result<(), Refusal> {
        self.budget.admit_entry()?;
        let limits = self.budget.limits();
        let refuse = |limit: String| Err(Refusal::Limit(limit));
        if sending.request.body.len() as u64 > limits.message_bytes {
            return refuse(format!("message bytes: {}", limits.message_bytes));
        }
        if sending.request.url.len() > MAX_URL_BYTES {
            return refuse(format!("bytes of a URL: {MAX_URL_BYTES}"));
        }
        if self.tickets.open_requests() as u64 >= limits.requests {
            return refuse(format!("requests at once: {}", limits.requests));
        }
        Ok(())
    }

    /// Sends what is not under way yet. Only while live.
    pub(super) fn launch(&mut self) {
        let mut ready = Vec::new();
        for (ticket, waiting) in &mut self.flights.waiting {
            if let Some(request) = waiting.request.take() {
                let lost = waiting.was_logged && (!waiting.call.resend || waiting.has_begun);
                ready.push((*ticket, request, waiting.call.streamed, lost));
            }
        }
        for (ticket, request, streamed, lost) in ready {
            if lost {
                self.lost.push_back((ticket, streamed));
            } else {
                let durable = self.log.durable();
                self.flights.send(ticket, request, durable);
            }
        }
    }

    /// What is known about a request that must not be sent again.
    pub(super) fn take_lost(&mut self) -> Option<(Ticket, Arrival)> {
        let (ticket, streamed) = loop {
            let lost = self.lost.pop_front()?;
            // It may have been given up meanwhile.
            if self.flights.waiting.contains_key(&lost.0) {
                break lost;
            }
        };
        let arrival = if streamed {
            Arrival::Piece(Piece::Failed(HttpError::Interrupted))
        } else {
            Arrival::Whole(Err(HttpError::Interrupted))
        };
        Some((ticket, arrival))
    }

    /// Applies the response to a request.
    pub(super) fn apply_response(
        &mut self,
        ticket: Ticket,
        result: Result<HttpResponse, HttpError>,
    ) -> Result<(), Stop> {
        self.flights.over(ticket);
        let completed = self.tickets.complete(self.time.now_ns());
        let state = self.request_of_entry(ticket)?;
        state.result = Some(result);
        state.completed = Some(completed);
        Ok(())
    }

    /// Applies a piece of the response to a request.
    pub(super) fn apply_piece(&mut self, ticket: Ticket, piece: Piece) -> Result<(), Stop> {
        if piece.is_last() {
            self.flights.over(ticket);
        } else {
            self.flights.begun(ticket);
        }
        let completed = self.tickets.complete(self.time.now_ns());
        let state = self.request_of_entry(ticket)?;
        match piece {
            // There is nothing to take yet.
            Piece::Head(head) => {
                state.head = Some(head);
                return Ok(());
            }
            Piece::Data(data) => state.pieces.push_back(data.into()),
            Piece::End => state.end = Some(Ok(())),
            Piece::Failed(error) => state.end = Some(Err(error)),
        }
        state.completed.get_or_insert(completed);
        Ok(())
    }

    /// Takes the whole response to a request, whose ticket then names nothing any more; nothing if it is
    /// not there.
    pub(crate) fn take_response(
        &mut self,
        ticket: Ticket,
    ) -> Option<Result<HttpResponse, HttpError>> {
        let result = self.request(ticket)?.result.take()?;
        self.tickets.remove(ticket);
        Some(result)
    }

    /// Gives a request up; its ticket then names nothing any more.
    pub(crate) fn forget_request(&mut self, ticket: Ticket) {
        self.break_off(ticket);
        self.tickets.remove(ticket);
    }

    /// Breaks a request off.
    pub(super) fn break_off(&mut self, ticket: Ticket) {
        self.flights.over(ticket);
        if let Some(state) = self.request(ticket) {
            state.given_up = true;
        }
    }

    fn request_of_entry(&mut self, ticket: Ticket) -> Result<&mut RequestState, Stop> {
        match self.tickets.get_mut(ticket) {
            Some(Thing::Request(state)) => Ok(state),
            _ => Err(Stop::Incompatible(format!(
                "the log has a response to {ticket}, which is no request"
            ))),
        }
    }
}

/// Tells requests apart that go to the same place.
fn fingerprint(request: &Request, resend: bool) -> Digest {
    let mut text = Vec::with_capacity(request.body.len() + 256);
    for header in &request.headers {
        text.extend_from_slice(header.name.as_bytes());
        text.push(0);
        text.extend_from_slice(&header.value);
        text.push(0);
    }
    text.push(u8::from(resend));
    text.extend_from_slice(&request.body);
    Digest::of(&text)
}

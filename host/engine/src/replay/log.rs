//! Where the gate meets the broker and the network, and what a test puts in their place.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use taskyard_broker::{Error, Run};
use taskyard_outbound::{Outbound, Request};
use taskyard_task::http::{HttpError, HttpHead, HttpResponse};
use taskyard_task::{
    AgentName, ChildCall, ContextCall, ContextResult, Entry, Event, InputKind, Seq, StateCall,
    StateResult, TaskId, Ticket, Timestamp,
};

/// A page of a log.
pub(crate) type Page = Vec<(Seq, Entry)>;

/// The log of the task that is run.
pub(crate) trait TaskLog: Send + Sync {
    /// At most `most` entries behind `after`, as of the beginning of the run.
    fn journal(&self, after: Seq, most: usize) -> BoxFuture<'_, Result<Page, Error>>;

    /// One entry, also of after the beginning of the run.
    fn entry(&self, seq: Seq) -> BoxFuture<'_, Result<Option<Entry>, Error>>;

    /// Appends an entry.
    fn record(&self, event: Event) -> BoxFuture<'_, Result<(Seq, Timestamp), Error>>;

    /// Starts a child together with the entry that says so. `lineage` are the agents above it.
    fn start_child(
        &self,
        ticket: Ticket,
        call: ChildCall,
        lineage: Vec<AgentName>,
    ) -> BoxFuture<'_, Result<ChildBegun, Error>>;

    /// Reads or writes state together with the entry that says so.
    fn state(&self, call: StateCall)
    -> BoxFuture<'_, Result<(Seq, Timestamp, StateResult), Error>>;

    /// Reads of earlier tasks together with the entry that says so. `referred`: the client referred to the
    /// task that is to be read.
    fn context(
        &self,
        call: ContextCall,
        referred: bool,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp, ContextResult), Error>>;

    /// Appends that `ticket` is given up; `asking` is what clients are still asked for.
    fn withdraw(
        &self,
        ticket: Ticket,
        asking: Option<InputKind>,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp), Error>>;

    /// Resolves once everything appended so far is durable.
    fn durable(&self) -> BoxFuture<'static, Result<(), Error>>;

    /// Shows clients the chunk that is held back, if one is.
    fn show_chunk(&self) -> BoxFuture<'_, Result<(), Error>> {
        std::future::ready(Ok(())).boxed()
    }

    /// Whether the client asked to cancel.
    fn cancel_requested(&self) -> bool;

    /// The oldest entry from outside behind `seq`. Costs next to nothing when there is none.
    fn outside_after(&self, seq: Seq) -> BoxFuture<'_, Result<Option<(Seq, Entry)>, Error>>;

    /// Resolves once there may be an entry from outside behind `seq`.
    fn outside_grew(&self, seq: Seq) -> BoxFuture<'_, ()>;

    /// Gives the task up until something happens.
    fn suspend(
        &self,
        until: Option<Timestamp>,
        seen: Seq,
        asking: Option<InputKind>,
        told: u64,
    ) -> BoxFuture<'_, Result<(), Error>>;

    /// Whether other tasks wait for this one's place.
    fn is_wanted(&self) -> bool;

    /// Waits in the real world.
    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()>;
}

/// The entry about a child, when it was decided, and the child's task, if it has one; or why there is none.
pub(crate) type ChildBegun = (Seq, Timestamp, Result<Option<TaskId>, String>);

/// The body of a response, piece by piece.
pub(crate) type Body = BoxStream<'static, Result<bytes::Bytes, HttpError>>;

/// The network, under the rules of one agent.
pub(crate) trait Network: Send + Sync {
    /// Sends a request and gives the whole response.
    fn fetch(&self, request: Request) -> BoxFuture<'static, Result<HttpResponse, HttpError>>;

    /// Sends a request and gives the beginning of the response.
    fn stream(&self, request: Request) -> BoxFuture<'static, Result<(HttpHead, Body), HttpError>>;

    /// Whether requests to `url` may be sent.
    fn permits(&self, _url: &str) -> Result<(), HttpError> {
        Ok(())
    }

    /// A key that nobody had before.
    fn new_key(&self) -> String;
}

/// The real log, and the real network.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) run: Arc<Run>,
    pub(crate) outbound: Outbound,
}

impl TaskLog for Live {
    fn journal(&self, after: Seq, most: usize) -> BoxFuture<'_, Result<Page, Error>> {
        self.run.journal(after, most).boxed()
    }

    fn entry(&self, seq: Seq) -> BoxFuture<'_, Result<Option<Entry>, Error>> {
        self.run.entry(seq).boxed()
    }

    fn record(&self, event: Event) -> BoxFuture<'_, Result<(Seq, Timestamp), Error>> {
        self.run.record(event).boxed()
    }

    fn start_child(
        &self,
        ticket: Ticket,
        call: ChildCall,
        lineage: Vec<AgentName>,
    ) -> BoxFuture<'_, Result<ChildBegun, Error>> {
        self.run.start_child(ticket, call, lineage).boxed()
    }

    fn state(
        &self,
        call: StateCall,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp, StateResult), Error>> {
        self.run.state(call).boxed()
    }

    fn context(
        &self,
        call: ContextCall,
        referred: bool,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp, ContextResult), Error>> {
        self.run.context(call, referred).boxed()
    }

    fn withdraw(
        &self,
        ticket: Ticket,
        asking: Option<InputKind>,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp), Error>> {
        self.run.withdraw(ticket, asking).boxed()
    }

    fn durable(&self) -> BoxFuture<'static, Result<(), Error>> {
        self.run.durable().boxed()
    }

    fn show_chunk(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.run.show_chunk().boxed()
    }

    fn cancel_requested(&self) -> bool {
        self.run.cancel_requested()
    }

    fn outside_after(&self, seq: Seq) -> BoxFuture<'_, Result<Option<(Seq, Entry)>, Error>> {
        self.run.outside_after(seq).boxed()
    }

    fn outside_grew(&self, seq: Seq) -> BoxFuture<'_, ()> {
        self.run.outside_grew(seq).boxed()
    }

    fn suspend(
        &self,
        until: Option<Timestamp>,
        seen: Seq,
        asking: Option<InputKind>,
        told: u64,
    ) -> BoxFuture<'_, Result<(), Error>> {
        self.run.suspend(until, seen, asking, told).boxed()
    }

    fn is_wanted(&self) -> bool {
        self.run.is_wanted()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        tokio::time::sleep(span).boxed()
    }
}

impl Network for Live {
    fn fetch(&self, request: Request) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
        let (outbound, policy) = (self.outbound.clone(), self.run.egress());
        async move { outbound.fetch(&policy, request).await }.boxed()
    }

    fn stream(&self, request: Request) -> BoxFuture<'static, Result<(HttpHead, Body), HttpError>> {
        let (outbound, policy) = (self.outbound.clone(), self.run.egress());
        async move {
            let (head, body) = outbound.stream(&policy, request).await?;
            Ok((head, Box::pin(body) as Body))
        }
        .boxed()
    }

    fn permits(&self, url: &str) -> Result<(), HttpError> {
        self.outbound.permits(&self.run.egress(), url)
    }

    fn new_key(&self) -> String {
        self.run.new_key()
    }
}

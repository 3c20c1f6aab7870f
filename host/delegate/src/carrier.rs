//! How requests to remote agents leave this process.

use futures::future::BoxFuture;
use taskyard_outbound::{BodyStream, Direct, Outbound, Request};
use taskyard_task::{EgressPolicy, HttpError, HttpHead, HttpResponse};

/// Takes requests to remote agents out, and their answers in.
pub trait Carrier: Clone + Send + Sync + 'static {
    /// The largest event of a stream that is read.
    const MAX_EVENT_BYTES: usize;

    /// Sends a request, and waits for the whole answer.
    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<HttpResponse, HttpError>>;

    /// Sends a request, and waits until its answer begins.
    fn stream(&self, request: Request) -> BoxFuture<'_, Result<(HttpHead, BodyStream), HttpError>>;
}

/// Under the rules of an agent, as everything that workers cause.
#[derive(Debug, Clone)]
pub(crate) struct Governed {
    pub(crate) outbound: Outbound,
    pub(crate) policy: EgressPolicy,
}

impl Carrier for Governed {
    /// All that matters of larger ones is that something happened.
    const MAX_EVENT_BYTES: usize = 1 << 20;

    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(self.outbound.fetch(&self.policy, request))
    }

    fn stream(&self, request: Request) -> BoxFuture<'_, Result<(HttpHead, BodyStream), HttpError>> {
        Box::pin(self.outbound.stream(&self.policy, request))
    }
}

impl Carrier for Direct {
    /// Whole artifacts come as one event, and are shown to the user.
    const MAX_EVENT_BYTES: usize = 256 << 20;

    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(self.fetch(request))
    }

    fn stream(&self, request: Request) -> BoxFuture<'_, Result<(HttpHead, BodyStream), HttpError>> {
        Box::pin(self.stream(request))
    }
}

//! Sends workers' requests: one attempt after the other, each within its limits.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response};
use taskyard_clock::{Clock, Instant};
use taskyard_task::{EgressPolicy, HttpError, HttpHead, HttpResponse};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::debug;

use crate::body::{Begun, BodyStream};
use crate::call::{self, Call};
use crate::client::{client, describe};
use crate::config::{Config, Error};
use crate::failure::Failure;
use crate::guard::{Guard, Refused};
use crate::metric;
use crate::request::Request;
use crate::secrets::Secrets;

/// The way out for workers' requests. Cheap to clone; clones share connections and limits.
#[derive(Debug, Clone)]
pub struct Outbound(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    guard: Guard,
    secrets: Secrets,
    config: Config,
    slots: Arc<Semaphore>,
    clock: Clock,
}

impl Outbound {
    /// A way out with the operator's limits and exceptions.
    ///
    /// # Errors
    /// If the configuration makes no sense, or no HTTP client can be made.
    pub fn new(config: &Config, secrets: Secrets, clock: Clock) -> Result<Self, Error> {
        config.check()?;
        let guard = config.guard()?;
        let slots = config.max_concurrent.min(Semaphore::MAX_PERMITS);
        Ok(Self(Arc::new(Shared {
            client: client(&guard, None, config.keep_idle).map_err(Error::Client)?,
            guard,
            secrets,
            config: config.clone(),
            slots: Arc::new(Semaphore::new(slots)),
            clock,
        })))
    }

    /// How many requests may be under way at once.
    #[must_use]
    pub fn most_requests(&self) -> usize {
        self.0.config.max_concurrent
    }

    /// Whether `policy` allows requests to `url`. What a name stands for is judged when it is connected to.
    ///
    /// # Errors
    /// [`HttpError::Invalid`] if there can be none, [`HttpError::Denied`] if there may be none.
    pub fn permits(&self, policy: &EgressPolicy, url: &str) -> Result<(), HttpError> {
        call::check(url, policy, &self.0.guard)
    }

    /// Sends a request if `policy` allows it, and waits for the whole response. Redirects are responses
    /// like others.
    ///
    /// # Errors
    /// Why there is none: [`HttpError`] says whose fault it is. Never [`HttpError::Interrupted`].
    pub async fn fetch(
        &self,
        policy: &EgressPolicy,
        request: Request,
    ) -> Result<HttpResponse, HttpError> {
        let result = async {
            let call = self.0.call(policy, request)?;
            let attempt = || self.0.fetch_once(&call);
            self.0
                .tried(&call, attempt, |response| &response.head)
                .await
        };
        let result = result.await;
        metric::request(&result);
        result
    }

    /// Sends a request if `policy` allows it, and waits until its response begins. What comes after that
    /// is not tried again.
    ///
    /// # Errors
    /// As those of [`Outbound::fetch`], and so are those of the stream.
    pub async fn stream(
        &self,
        policy: &EgressPolicy,
        request: Request,
    ) -> Result<(HttpHead, BodyStream), HttpError> {
        let result = async {
            let call = self.0.call(policy, request)?;
            let attempt = || self.0.stream_once(&call);
            self.0.tried(&call, attempt, |(head, _)| head).await
        };
        let result = result.await;
        metric::request(&result);
        result
    }
}

impl Shared {
    fn call(&self, policy: &EgressPolicy, request: Request) -> Result<Call, HttpError> {
        Call::new(request, policy, &self.guard, &self.secrets, &self.config)
    }

    /// Repeats `attempt` as long as the request says.
    async fn tried<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        call: &Call,
        attempt: impl Fn() -> F,
        head: impl Fn(&T) -> &HttpHead,
    ) -> Result<T, HttpError> {
        let mut made = 0;
        loop {
            let result = attempt().await;
            made += 1;
            let last = result.as_ref().map(&head);
            let delay = call
                .retry
                .and_then(|retry| retry.delay(made, last, self.clock.now()));
            let Some(delay) = delay else {
                return result.map_err(Failure::into_error);
            };
            // While it waits, it holds neither a connection nor a place among those under way.
            drop(result);
            tokio::time::sleep(delay).await;
        }
    }

    async fn fetch_once(&self, call: &Call) -> Result<HttpResponse, Failure> {
        let _slot = self.slot().await?;
        let began = self.clock.instant();
        let exchange = async {
            let begun = Begun::new(call, self.send(call).await?)?;
            let (head, body) = begun.whole().await?;
            Ok(HttpResponse { head, body })
        };
        let result = within(call.timeout, exchange).await;
        log(call, began, result.as_ref().map(|response| &response.head));
        result
    }

    async fn stream_once(&self, call: &Call) -> Result<(HttpHead, BodyStream), Failure> {
        let slot = self.slot().await?;
        let began = self.clock.instant();
        let beginning = async { Begun::new(call, self.send(call).await?) };
        let result = within(call.timeout, beginning).await;
        log(call, began, result.as_ref().map(|begun| &begun.head));
        let Begun { head, content, .. } = result?;
        Ok((head, BodyStream::new(content, call.timeout, slot)))
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, HttpError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        slot.map_err(|error| HttpError::Failed(error.to_string()))
    }

    async fn send(&self, call: &Call) -> Result<Response, HttpError> {
        let response = self.client.execute(call.to_request()).await;
        response.map_err(|error| match special(&error) {
            Some(refused) => {
                HttpError::Denied(format!("{} {refused}, with egress.allow", call.origin))
            }
            None => failed(error),
        })
    }
}

async fn within<T>(
    limit: Duration,
    exchange: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(limit, exchange)
        .await
        .unwrap_or(Err(HttpError::TimedOut.into()))
}

/// What the guard found out about the addresses of a name.
fn special(error: &reqwest::Error) -> Option<&Refused> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused @ Refused::Special(_)) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

/// A connection that was not made, or broke.
pub(crate) fn failed(error: reqwest::Error) -> HttpError {
    HttpError::Failed(describe(error))
}

/// One line per attempt. Paths and queries may hold secrets.
fn log(call: &Call, began: Instant, result: Result<&HttpHead, &Failure>) {
    let took_ms = began.elapsed().as_millis();
    let (method, to) = (&call.method, &call.origin);
    match result {
        Ok(head) => debug!(%method, %to, status = head.status, took_ms, "requested"),
        Err(error) => debug!(%method, %to, %error, took_ms, "request failed"),
    }
}

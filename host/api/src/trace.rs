//! What surrounds every request: a host that it names, an identifier, a span, a catch for panics.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use taskyard_clock::{Clock, IdSource};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument as _, debug, error, info_span};

use crate::base::authority::named;
use crate::plain::problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request in logs and in answers, so that an operator can find what a client reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// The identifier that [`around`] gave to the request.
    pub(crate) fn of(request: &axum::http::request::Parts) -> Self {
        let given = request.extensions.get::<Self>();
        given.cloned().unwrap_or_else(|| Self("unknown".into()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What it takes to follow requests.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    ids: IdSource,
    clock: Clock,
}

impl Watch {
    pub(crate) fn new(ids: IdSource, clock: Clock) -> Self {
        Self { ids, clock }
    }
}

/// Puts `router` into the span, behind the catch.
pub(crate) fn around(router: Router, watch: Watch) -> Router {
    router
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn_with_state(watch, follow))
}

async fn follow(State(watch): State<Watch>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let id = watch.ids.unique();
    let began = watch.clock.instant();
    let path = head.uri.path();
    let span = info_span!("request", %id, method = %head.method, path);
    head.extensions.insert(RequestId(id.as_str().into()));
    let mut response = match named(&head) {
        Ok(_) => {
            let request = Request::from_parts(head, body);
            next.run(request).instrument(span.clone()).await
        }
        Err(misnamed) => problem(StatusCode::BAD_REQUEST, "bad-host", &misnamed.to_string()),
    };
    let took_ms = began.elapsed().as_millis();
    span.in_scope(|| debug!(status = response.status().as_u16(), took_ms, "answered"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A panic is the host's fault and ends one request, not the host. The header `x-request-id` of the
/// answer names the request.
fn answer_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a text");
    error!(panic = text, "a request ended in a panic");
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "internal error",
    )
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_and_the_request_is_named() {
        let broken = Router::new().route("/", get(broken));
        let router = around(broken, Watch::new(IdSource::seeded(1), Clock::system()));
        let request = || Request::builder().header("host", "localhost");
        let ask = async |request: axum::http::request::Builder| {
            let request = request.body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap()
        };
        let response = ask(request()).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key(REQUEST_ID));
        for misnamed in [request().header("host", "localhost"), Request::builder()] {
            let response = ask(misnamed).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert!(response.headers().contains_key(REQUEST_ID));
        }
    }

    async fn broken() -> StatusCode {
        panic!("as a test wants")
    }
}

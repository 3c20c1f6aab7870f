//! The operators' door: agents, tasks, deliveries, figures. A listener of its own, never the public one.
//!
//! Everything under `/v1` needs the operators' bearer token. Health and metrics do not: they carry no
//! content of tasks and no secrets, and the software that reads them rarely has credentials.

mod agents;
mod deliveries;
mod entry;
mod error;
mod keys;
mod observe;
mod task_view;
mod tasks;
mod view;
mod words;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use taskyard_broker::Broker;
use taskyard_clock::{Clock, IdSource};

use crate::plain::{no_route, problem};
use crate::token::{Token, bearer};
use crate::{health, single, trace};

use error::AdminError;

pub use keys::{KeyList, KeyOrder, KeyState, KeyView, MadeKey};
pub use task_view::{
    ChildView, DifferenceView, EntryView, FlightList, LogView, ParkedList, ParkedView, ProbeView,
    StuckView, TaskBrief, TaskStatusView,
};
pub use view::{
    AgentList, AgentView, ClockStep, DeliveryList, DeliveryView, HeldView, RetriedView, StatusView,
};
pub use words::{reason as reason_in_words, size as size_in_words};

/// Renders all figures of the process in the text format of Prometheus.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What the operators' door needs. Cheap to clone.
#[derive(Clone)]
pub struct Admin {
    broker: Broker,
    token: Token,
    metrics: RenderMetrics,
    clock: Clock,
    ids: IdSource,
}

impl Admin {
    /// A door for whoever shows `token`.
    #[must_use]
    pub fn new(
        broker: Broker,
        token: Token,
        metrics: RenderMetrics,
        clock: Clock,
        ids: IdSource,
    ) -> Self {
        Self {
            broker,
            token,
            metrics,
            clock,
            ids,
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// Everything that operators may call.
pub fn admin_router(admin: Admin) -> Router {
    let guarded = Router::new()
        .route("/v1/agents", get(agents::list).post(agents::deploy))
        .route(
            "/v1/agents/{name}",
            get(agents::status).delete(agents::undeploy),
        )
        .route("/v1/agents/{name}/egress", put(agents::set_egress))
        .route("/v1/keys", get(keys::list).post(keys::create))
        .route("/v1/keys/{id}", delete(keys::revoke))
        .route("/v1/parked", get(tasks::parked))
        .route("/v1/tasks", get(tasks::in_flight))
        .route("/v1/tasks/{id}", get(tasks::status))
        .route("/v1/tasks/{id}/log", get(tasks::log))
        .route("/v1/tasks/{id}/resume", post(tasks::resume))
        .route("/v1/tasks/{id}/retry", post(tasks::retry))
        .route("/v1/tasks/{id}/probe", post(tasks::probe))
        .route("/v1/tasks/{id}/move", post(tasks::change_component))
        .route("/v1/tasks/{id}/fail", post(tasks::fail))
        .route("/v1/tasks/{id}/answer", post(tasks::answer))
        .route("/v1/deliveries", get(deliveries::list))
        .route(
            "/v1/deliveries/{task}/{config}/retry",
            post(deliveries::retry),
        )
        .route("/v1/clock/accept", post(observe::accept_clock))
        .route("/v1/stats", get(observe::stats))
        .route_layer(from_fn_with_state(admin.clone(), guard));
    let open = Router::new().route("/metrics", get(metrics));
    let router = guarded
        .merge(open)
        .with_state(admin.clone())
        .merge(health::router(admin.broker))
        .fallback(no_route);
    trace::around(router, trace::Watch::new(admin.ids, admin.clock))
}

async fn guard(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    match bearer(request.headers()) {
        Some(shown) if admin.token.matches(shown) => match with_single_parameters(request) {
            Ok(request) => next.run(request).await,
            Err(refused) => refused.into_response(),
        },
        _ => {
            let message = "the request needs the header Authorization: Bearer with the admin token";
            let refusal = problem(StatusCode::UNAUTHORIZED, "unauthenticated", message);
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"taskyard admin\"")];
            (challenge, refusal).into_response()
        }
    }
}

/// The request with each parameter of its query once.
fn with_single_parameters(mut request: Request) -> Result<Request, AdminError> {
    if let Some(query) = request.uri().query() {
        let query = single::query(query)?;
        let rewritten = format!("{}?{query}", request.uri().path());
        // What was a path and a query is one again.
        if let Ok(uri) = rewritten.parse() {
            *request.uri_mut() = uri;
        }
    }
    Ok(request)
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, (admin.metrics)()).into_response()
}

//! The doors: A2A for clients, and the operators' interface.
//!
//! This room parses what arrives, calls the broker, and encodes what comes back. It decides nothing
//! about tasks. It is the only room that knows HTTP status codes, JSON-RPC and the agent card. Server
//! code mounts its two routers; it knows the broker and the words of the task model.

pub mod admin;
mod body;
mod call;
mod card;
mod config;
mod detached;
mod error;
mod extension;
mod follow;
mod gate;
mod health;
mod lenient;
mod metric;
mod operation;
mod parameters;
mod plain;
mod rpc;
mod sse;
mod target;
#[cfg(test)]
mod tests;
mod token;
mod trace;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use taskyard_broker::Broker;
use taskyard_clock::{Clock, IdSource};
use tokio_util::sync::CancellationToken;

pub use admin::{Admin, admin_router};
pub use config::{ClientCredential, Config};
pub use extension::Extension;
pub use gate::Scope;
pub use token::{InvalidToken, Token};

use gate::Gate;

/// The public door, ready to be served. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Door>);

/// What every call through the public door needs.
pub(crate) struct Door {
    pub(crate) config: Config,
    pub(crate) gate: Gate,
    pub(crate) broker: Broker,
    pub(crate) ids: IdSource,
    pub(crate) clock: Clock,
    /// Canceled when the host begins to shut down: streams and waiting calls end then.
    pub(crate) stopping: CancellationToken,
}

impl Api {
    /// A door to `broker`. Once `stopping` is canceled, streams end with a comment that says so, and
    /// calls that wait for a task are answered with "unavailable".
    #[must_use]
    pub fn new(
        config: Config,
        broker: Broker,
        clock: Clock,
        ids: IdSource,
        stopping: CancellationToken,
    ) -> Self {
        let gate = Gate::new(config.clients.clone());
        Self(Arc::new(Door {
            config,
            gate,
            broker,
            ids,
            clock,
            stopping,
        }))
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Everything that clients may call: the JSON-RPC binding, agent cards, health.
pub fn public_router(api: Api) -> Router {
    let Api(door) = api;
    let watch = trace::Watch::new(door.ids.clone(), door.clock.clone());
    let health = health::router(door.broker.clone());
    let router = Router::new()
        .route("/", post(rpc::handle))
        .route("/agents/{name}", post(rpc::handle))
        .route("/agents/{name}/", post(rpc::handle))
        .route("/{tenant}/agents/{name}", post(rpc::handle))
        .route("/{tenant}/agents/{name}/", post(rpc::handle))
        .route("/agents", get(card::list))
        .route("/.well-known/agent-card.json", get(card::show))
        .route(
            "/agents/{name}/.well-known/agent-card.json",
            get(card::show),
        )
        .route(
            "/{tenant}/agents/{name}/.well-known/agent-card.json",
            get(card::show),
        )
        .with_state(door)
        .merge(health)
        .fallback(plain::no_route);
    trace::around(router, watch)
}

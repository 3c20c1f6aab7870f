//! The doors: A2A for clients, and the operators' interface.
//!
//! This room parses what arrives, calls the broker, and encodes what comes back. It decides nothing
//! about tasks. It is the only room that knows HTTP status codes, JSON-RPC and the agent card. Server
//! code mounts its two routers; it knows the broker and the words of the task model.

mod address;
pub mod admin;
mod base;
mod body;
mod call;
mod card;
mod compat;
mod config;
mod definition;
mod detached;
mod error;
mod extension;
mod follow;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod grpc;
mod health;
mod lenient;
mod lost;
#[doc(hidden)]
pub mod measured;
mod memory;
mod metric;
mod notice;
mod openapi;
mod operation;
mod parameters;
mod plain;
mod reading;
mod rest;
mod rpc;
mod single;
mod sse;
mod target;
#[cfg(test)]
mod tests;
mod token;
mod trace;
mod turnstile;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use taskyard_broker::Broker;
use taskyard_clock::{Clock, IdSource};
use taskyard_signing::Keyring;
use taskyard_task::{Tenant, Timestamp};
use tokio_util::sync::CancellationToken;

pub use admin::{Admin, admin_router};
pub use base::{InvalidNetwork, Network};
pub use config::{
    ClientCertificate, ClientCredential, Config, ConfigError, FileEncoding, Provider,
};
pub use extension::Extension;
pub use gate::{FetchDocument, JwtAlgorithm, JwtIssuer, PeerAddress, PeerCertificate, Secure};
pub use memory::Memory;
pub use token::{InvalidToken, Token};

use base::Base;
use body::Incoming;
use error::ApiError;
use gate::{Access, Gate};
use memory::{Account, Holder};
use notice::Notices;
use reading::Reading;
use trace::RequestId;
use turnstile::Turnstile;

/// The public door, ready to be served. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Door>);

/// What every call through the public door needs.
pub(crate) struct Door {
    pub(crate) config: Config,
    pub(crate) gate: Gate,
    pub(crate) turnstile: Turnstile,
    pub(crate) notices: Notices,
    pub(crate) memory: Memory,
    pub(crate) reading: Reading,
    pub(crate) broker: Broker,
    /// The host's own keys.
    pub(crate) keys: Keyring,
    /// When the host was started: what it is configured to say is not older.
    pub(crate) started_at: Timestamp,
    pub(crate) ids: IdSource,
    pub(crate) clock: Clock,
    /// Canceled when the host begins to shut down: streams and waiting calls end then.
    pub(crate) stopping: CancellationToken,
}

impl Api {
    /// A door to `broker`. Once `stopping` is canceled, streams end with the error "unavailable", and
    /// calls that wait for a task are answered with "unavailable". `keys` sign the agent cards, and
    /// `memory` bounds what requests and answers hold.
    #[must_use]
    pub fn new(
        config: Config,
        broker: Broker,
        keys: Keyring,
        memory: Memory,
        clock: Clock,
        ids: IdSource,
        stopping: CancellationToken,
    ) -> Self {
        let gate = Gate::new(&config, broker.clone(), clock.clone());
        Self(Arc::new(Door {
            config,
            gate,
            turnstile: Turnstile::new(clock.clone()),
            notices: Notices::default(),
            memory,
            reading: Reading::default(),
            broker,
            keys,
            started_at: clock.now(),
            ids,
            clock,
            stopping,
        }))
    }
}

impl Api {
    /// Says who fetches the keys of issuers of tokens. Without, those that are elsewhere count as out of
    /// reach. Only the first call counts.
    pub fn set_fetcher(&self, fetcher: Arc<dyn FetchDocument>) {
        self.0.gate.set_fetcher(fetcher);
    }

    /// Whether anybody who can connect may call.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.gate.is_open()
    }
}

impl Door {
    /// The body of a request of `access`, whose bytes count.
    pub(crate) fn incoming(&self, access: &Access, headers: &HeaderMap, body: Body) -> Incoming {
        let account = self.memory.account(&access.tenant(), Holder::Requests);
        Incoming::new(headers, body, self.config.pace(), Some(account))
    }

    /// Whether a page of another site can have a browser send this `POST`: nothing else keeps it out of an open
    /// host.
    pub(crate) fn pages_may_send(&self, headers: &HeaderMap) -> bool {
        self.gate.is_open() && body::browsers_may_send(headers)
    }

    /// What holds an answer for `tenant` until it is written.
    pub(crate) fn answers(&self, tenant: &Tenant) -> Account {
        self.memory.account(tenant, Holder::Answers)
    }

    /// Where this host is, to be told to the client of `request`.
    pub(crate) fn base(&self, request: &Parts) -> Base {
        let base = Base::of(&self.config, request);
        self.notices.address_told(&self.config, &base, request);
        base
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

/// While anybody may call, pages of other sites may not.
async fn keep_out_foreign(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let checked = match door.gate.is_open() {
        true => base::check_own(&door.config, &head),
        false => Ok(()),
    };
    match checked {
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(foreign) => {
            metric::denied("foreign");
            let (error, id) = (ApiError::Forbidden(foreign), RequestId::of(&head));
            match grpc::is_call(&head.headers) {
                true => grpc::refuse(&error, &id),
                false => rest::refuse(&error, rest::Media::of(&head.headers), &id),
            }
        }
    }
}

/// Everything that clients may call: the bindings, agent cards, health.
pub fn public_router(api: Api) -> Router {
    let Api(door) = api;
    let watch = trace::Watch::new(door.ids.clone(), door.clock.clone());
    let health = health::router(door.broker.clone());
    let grpc = grpc::router(&door);
    let openapi = openapi::router(Arc::clone(&door));
    let router = Router::new()
        .route("/agents", get(card::list).post(lost::handle))
        .route("/.well-known/jwks.json", get(card::jwks))
        .merge(address::routes(&door.config))
        .merge(compat::rest::routes(&door.config))
        .fallback(rest::handle)
        .with_state(Arc::clone(&door))
        .merge(openapi)
        .merge(grpc)
        .layer(from_fn_with_state(door, keep_out_foreign))
        .merge(health);
    trace::around(router, watch)
}

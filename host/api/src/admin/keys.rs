//! API keys, as operators make them, list them and take them back.

use std::fmt;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use taskyard_broker::{Error, MadeApiKey, NewApiKey};
use taskyard_task::{AccessScope, AgentName, ApiKey, Tenant, Timestamp};

use super::Admin;
use super::error::AdminError;
use super::view::moment;
use crate::body::{self, Pace};
use crate::detached::detached;

/// The longest order to make a key: as many agents as a host may have, by name.
const MAX_ORDER_BYTES: usize = 256 << 10;

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyOrder {
    /// Whose work its clients do.
    pub tenant: Tenant,
    /// What operators call it.
    pub name: String,
    /// The agents that it may call; all if absent.
    #[serde(default)]
    pub agents: Option<Vec<AgentName>>,
    /// Whether it may look only.
    #[serde(default)]
    pub read_only: bool,
    /// For how long it is good; until it is revoked if absent.
    #[serde(default)]
    pub expires_in_seconds: Option<u64>,
}

/// All keys, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyList {
    /// The keys.
    pub keys: Vec<KeyView>,
}

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyView {
    /// Its name for programs.
    pub id: String,
    /// Whose work its clients do.
    pub tenant: Tenant,
    /// What operators call it.
    pub name: String,
    /// The agents that it may call; all if absent.
    pub agents: Option<Vec<AgentName>>,
    /// Whether it may look only.
    pub read_only: bool,
    /// Whether it opens anything.
    pub state: KeyState,
    /// Since when it is good (RFC 3339).
    pub created_at: String,
    /// Until when it is good (RFC 3339), if not until it is revoked.
    pub expires_at: Option<String>,
    /// When it was revoked (RFC 3339), if it was.
    pub revoked_at: Option<String>,
}

/// Whether a key opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It does.
    Active,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

/// A key that was just made. Nobody sees its text again.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct MadeKey {
    /// What is kept of it.
    pub key: KeyView,
    /// What clients show.
    pub secret: String,
}

impl fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("MadeKey");
        shown.field("key", &self.key).finish_non_exhaustive()
    }
}

/// `POST /v1/keys`
pub(super) async fn create(
    State(admin): State<Admin>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, AdminError> {
    let order = body::read(&headers, body, MAX_ORDER_BYTES, Pace::OPERATORS).await?;
    let order: KeyOrder =
        taskyard_json::from_slice(&order).map_err(|error| AdminError::Parameter {
            parameter: "the body",
            problem: format!("cannot be used: {error}"),
        })?;
    let Admin { broker, clock, .. } = admin;
    let made = detached(async move { broker.make_api_key(order.into()).await }).await?;
    let MadeApiKey { key, text } = made;
    let made = MadeKey {
        key: KeyView::new(&key, clock.now()),
        secret: text,
    };
    // Nothing on the way may keep a copy.
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, no_store, Json(made)).into_response())
}

/// `GET /v1/keys`
pub(super) async fn list(State(admin): State<Admin>) -> Json<KeyList> {
    let (keys, now) = (admin.broker.api_keys(), admin.clock.now());
    let mut keys: Vec<_> = keys.values().collect();
    keys.sort_by_key(|key| (key.created_at, key.id));
    Json(KeyList {
        keys: keys.iter().map(|key| KeyView::new(key, now)).collect(),
    })
}

/// `DELETE /v1/keys/{id}`
pub(super) async fn revoke(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Json<KeyView>, AdminError> {
    // A text that no key can have is the id of no key.
    let id = id.parse().map_err(|_| Error::ApiKeyNotFound)?;
    let Admin { broker, clock, .. } = admin;
    let key = detached(async move { broker.revoke_api_key(id).await }).await?;
    Ok(Json(KeyView::new(&key, clock.now())))
}

impl From<KeyOrder> for NewApiKey {
    fn from(order: KeyOrder) -> Self {
        let seconds = order.expires_in_seconds;
        Self {
            tenant: order.tenant,
            name: order.name,
            scope: AccessScope {
                agents: order.agents,
                read_only: order.read_only,
            },
            lifetime_ms: seconds.map(|seconds| seconds.saturating_mul(1_000)),
        }
    }
}

impl KeyView {
    fn new(key: &ApiKey, now: Timestamp) -> Self {
        Self {
            id: key.id.to_string(),
            tenant: key.tenant.clone(),
            name: key.name.clone(),
            agents: key.scope.agents.clone(),
            read_only: key.scope.read_only,
            state: state(key, now),
            created_at: moment(key.created_at),
            expires_at: key.expires_at.map(moment),
            revoked_at: key.revoked_at.map(moment),
        }
    }
}

fn state(key: &ApiKey, now: Timestamp) -> KeyState {
    match (key.revoked_at, key.is_alive(now)) {
        (Some(_), _) => KeyState::Revoked,
        (None, true) => KeyState::Active,
        (None, false) => KeyState::Expired,
    }
}

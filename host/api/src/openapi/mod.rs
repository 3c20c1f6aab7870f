//! The OpenAPI document of the HTTP+JSON binding, made from the protocol's definition.
//!
//! Nothing about messages and paths is said here a second time: schemas, routes and descriptions are
//! those of `a2a.proto`. Tests compare them with what is served.

mod comments;
mod document;
mod operation;
mod response;
mod rule;
mod schema;
mod security;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::Door;
use crate::gate::Scheme;
use crate::plain::problem;

#[cfg(test)]
pub(crate) use document::document;

/// The document as bytes, and what the gate wanted to see when it was written: an operator can change that
/// while the host runs.
struct Desk {
    door: Arc<Door>,
    written: Mutex<Option<(Vec<Scheme>, Bytes)>>,
}

/// `GET /openapi.json`. Open to anybody: it says nothing that the protocol does not.
pub(crate) fn router(door: Arc<Door>) -> Router {
    let desk = Desk {
        door,
        written: Mutex::default(),
    };
    Router::new()
        .route("/openapi.json", get(show))
        .with_state(Arc::new(desk))
}

async fn show(State(desk): State<Arc<Desk>>) -> Response {
    let bytes = desk.bytes();
    if bytes.is_empty() {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return problem(status, "internal", "the document cannot be written");
    }
    ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

impl Desk {
    fn bytes(&self) -> Bytes {
        let gate = &self.door.gate;
        let schemes = match gate.is_open() {
            true => Vec::new(),
            false => gate.schemes(),
        };
        // Whoever panicked while holding it has written nothing, or all of it.
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = written.as_ref().filter(|(of, _)| *of == schemes) {
            return bytes.clone();
        }
        let document = document::document(&self.door.config, &schemes);
        let bytes = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
        *written = Some((schemes, bytes.clone()));
        bytes
    }
}

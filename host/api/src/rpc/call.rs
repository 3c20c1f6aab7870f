//! One admitted call: who, to which agent, and how its answer is put.

use std::future::Future;
use std::sync::Arc;

use a2a::JsonRpcId;
use axum::Json;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use taskyard_broker::{self as broker, Broker, Caller};
use taskyard_task::Agent;

use super::Target;
use crate::Door;
use crate::error::ApiError;
use crate::trace::RequestId;

/// A call that passed the gate, and all that an operation needs to know about it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) door: Arc<Door>,
    pub(crate) caller: Caller,
    pub(crate) agent: Agent,
    /// What the path said.
    pub(crate) target: Target,
    /// The id of the JSON-RPC request.
    pub(crate) id: JsonRpcId,
    pub(crate) head: Parts,
}

#[derive(Serialize)]
struct Success<'a, T> {
    jsonrpc: &'static str,
    id: &'a JsonRpcId,
    result: &'a T,
}

impl Call {
    pub(crate) fn broker(&self) -> &Broker {
        &self.door.broker
    }

    pub(crate) fn request_id(&self) -> RequestId {
        RequestId::of(&self.head)
    }

    /// The answer with a result.
    pub(crate) fn reply<T: Serialize>(&self, result: &T) -> Response {
        let answer = Success {
            jsonrpc: "2.0",
            id: &self.id,
            result,
        };
        Json(answer).into_response()
    }

    /// Waits for the broker, but not beyond the beginning of a shutdown: the client is told to come
    /// back, and the task goes on after the restart.
    pub(crate) async fn unless_stopping<T>(
        &self,
        waiting: impl Future<Output = Result<T, broker::Error>>,
    ) -> Result<T, ApiError> {
        let stopping = self.door.stopping.cancelled();
        tokio::select! {
            done = waiting => done.map_err(ApiError::from),
            () = stopping => Err(ApiError::stopping()),
        }
    }
}

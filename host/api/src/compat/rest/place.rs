//! The routes of 0.3's HTTP+JSON, and what each path names.

use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use axum::routing::{get, post};
use serde::Deserialize;

use super::super::method::Method;
use super::handle;
use crate::address::BASES;
use crate::target::Target;
use crate::{Config, Door};

const CONFIGS: &str = "pushNotificationConfigs";

/// The routes, if 0.3 is served.
pub(crate) fn routes(config: &Config) -> Router<Arc<Door>> {
    let served = BASES.iter().filter(|_| config.protocol_0_3);
    served.fold(Router::new(), |router, base| router.merge(below(base)))
}

fn below(base: &str) -> Router<Arc<Door>> {
    let at = |path: &str| format!("{base}/v1/{path}");
    let configs = format!("{base}/v1/tasks/{{task}}/{CONFIGS}");
    Router::new()
        .route(&at("message:send"), post(handle))
        .route(&at("message:stream"), post(handle))
        .route(&at("card"), get(handle))
        .route(&at("tasks/{task}"), get(handle).post(handle))
        .route(&configs, get(handle).post(handle))
        .route(&format!("{configs}/{{config}}"), get(handle).delete(handle))
}

/// What a path names.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    tenant: Option<String>,
    name: Option<String>,
    /// A task, perhaps with a verb behind a colon.
    task: Option<String>,
    /// A webhook of the task.
    pub(super) config: Option<String>,
}

impl Place {
    /// The method that a request to this path means, if it means one.
    pub(super) fn method(&self, head: &Parts) -> Option<Method> {
        let (_, path) = head.uri.path().rsplit_once("/v1/")?;
        let segments: Vec<_> = path.split('/').collect();
        let (_, verb) = self.task_and_verb();
        Some(match (head.method.as_str(), segments.as_slice(), verb) {
            (_, ["message:send"], None) => Method::Send,
            (_, ["message:stream"], None) => Method::Stream,
            (_, ["card"], None) => Method::GetExtendedCard,
            ("POST", ["tasks", _], Some("cancel")) => Method::Cancel,
            (_, ["tasks", _], Some("subscribe")) => Method::Resubscribe,
            ("GET" | "HEAD", ["tasks", _], None) => Method::Get,
            ("POST", ["tasks", _, CONFIGS], None) => Method::SetPushConfig,
            (_, ["tasks", _, CONFIGS], None) => Method::ListPushConfigs,
            ("DELETE", ["tasks", _, CONFIGS, _], None) => Method::DeletePushConfig,
            (_, ["tasks", _, CONFIGS, _], None) => Method::GetPushConfig,
            _ => return None,
        })
    }

    /// The id of the task.
    pub(super) fn task(&self) -> &str {
        self.task_and_verb().0
    }

    fn task_and_verb(&self) -> (&str, Option<&str>) {
        let task = self.task.as_deref().unwrap_or_default();
        match task.rsplit_once(':') {
            Some((task, verb)) => (task, Some(verb)),
            None => (task, None),
        }
    }

    /// Which agent, and on whose behalf.
    pub(super) fn target(&self) -> Target {
        Target::at(self.tenant.clone(), self.name.clone())
    }
}

//! A client of the operators' door.

use std::path::Path;
use std::sync::Arc;

use reqwest::{Method, RequestBuilder, Url};
use serde_json::Value;

use super::host::{ADMIN_TOKEN, Process};
use super::wait::in_time;

/// Calls the operators' door of a host, wherever it is at the moment.
pub(crate) struct Admin {
    process: Arc<Process>,
    http: reqwest::Client,
}

/// What the door answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The code of a refusal.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// The text of a refusal.
    pub(crate) fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// The body of a success.
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }
}

impl Admin {
    pub(crate) fn new(process: Arc<Process>, http: reqwest::Client) -> Self {
        Self { process, http }
    }

    /// Deploys the component in `file`; what else to say about it is in `query`.
    pub(crate) async fn load(&self, file: &Path, query: &[(&str, String)]) -> Value {
        self.try_load(std::fs::read(file).unwrap(), query)
            .await
            .ok()
    }

    /// Deploys a component that may be refused.
    pub(crate) async fn try_load(&self, component: Vec<u8>, query: &[(&str, String)]) -> Answer {
        let url = format!("{}/v1/agents", self.process.admin_url());
        let url = Url::parse_with_params(&url, query).unwrap();
        let request = self.http.post(url).bearer_auth(ADMIN_TOKEN);
        let request = request.header("content-type", "application/wasm");
        answer(request.body(component)).await
    }

    /// Reads `path`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// Posts an order to `path`.
    pub(crate) async fn order(&self, path: &str, order: Value) -> Answer {
        answer(self.request(Method::POST, path).json(&order)).await
    }

    /// Removes an agent; `drain` waits for its tasks.
    pub(crate) async fn unload(&self, agent: &str, drain: bool) -> Answer {
        let path = format!("/v1/agents/{agent}?drain={drain}");
        answer(self.request(Method::DELETE, &path)).await
    }

    /// A request with the right token, to be changed.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.process.admin_url());
        self.http.request(method, url).bearer_auth(ADMIN_TOKEN)
    }
}

/// Sends a request to the door.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let answer = in_time("an operator's answer", request.send())
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Answer { status, body }
}

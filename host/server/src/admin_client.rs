//! A client of the host's door for operators.

use anyhow::{Context, anyhow};
use axum::body::Bytes;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cli::NotFound;
use crate::config::{Config, Secret};
use crate::http;

/// Calls the admin API of one host.
#[derive(Debug)]
pub(crate) struct AdminClient {
    base: String,
    token: Secret,
    http: reqwest::Client,
}

impl AdminClient {
    /// A client for the host at `base`.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub(crate) fn new(base: &str, token: Secret, config: &Config) -> anyhow::Result<Self> {
        let base = base.trim_end_matches('/').to_owned();
        let http = http::client(&base, config).context("cannot set up the HTTP client")?;
        Ok(Self { base, token, http })
    }

    /// Reads `path`.
    ///
    /// # Errors
    /// If the host cannot be reached or refuses.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        parse(&self.call(self.request(Method::GET, path)).await?)
    }

    /// Posts a component to `path`.
    ///
    /// # Errors
    /// If the host cannot be reached or refuses.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        component: Vec<u8>,
    ) -> anyhow::Result<T> {
        let request = self.request(Method::POST, path);
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/wasm");
        parse(&self.call(request.body(component)).await?)
    }

    /// Posts `order`, as JSON, to `path`.
    ///
    /// # Errors
    /// If the host cannot be reached or refuses.
    pub(crate) async fn order<T: DeserializeOwned>(
        &self,
        path: &str,
        order: &impl Serialize,
    ) -> anyhow::Result<T> {
        parse(
            &self
                .call(self.request(Method::POST, path).json(order))
                .await?,
        )
    }

    /// Puts `value`, as JSON, at `path`.
    ///
    /// # Errors
    /// If the host cannot be reached or refuses.
    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &impl Serialize,
    ) -> anyhow::Result<T> {
        parse(
            &self
                .call(self.request(Method::PUT, path).json(value))
                .await?,
        )
    }

    /// Deletes `path`.
    ///
    /// # Errors
    /// If the host cannot be reached or refuses.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.call(self.request(Method::DELETE, path)).await?;
        Ok(())
    }

    /// Deletes `path`, and gives what the host says about it.
    ///
    /// # Errors
    /// If the host cannot be reached or refuses.
    pub(crate) async fn delete_for<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        parse(&self.call(self.request(Method::DELETE, path)).await?)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(self.token.reveal())
    }

    async fn call(&self, request: RequestBuilder) -> anyhow::Result<Bytes> {
        let answer = request.send().await.with_context(|| {
            format!(
                "no host answers at {}; `taskyard serve` runs one",
                self.base
            )
        })?;
        let status = answer.status();
        let body = answer
            .bytes()
            .await
            .context("the host's answer was cut off")?;
        match status.is_success() {
            true => Ok(body),
            false => Err(refusal(status, &body)),
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(body).context("the host's answer cannot be read")
}

#[derive(Deserialize)]
struct Refusal {
    error: Details,
}

#[derive(Deserialize)]
struct Details {
    message: String,
}

fn refusal(status: StatusCode, body: &[u8]) -> anyhow::Error {
    let refusal = serde_json::from_slice::<Refusal>(body);
    let message = refusal.map_or_else(|_| status.to_string(), |refusal| refusal.error.message);
    match status {
        StatusCode::NOT_FOUND => NotFound(message).into(),
        StatusCode::UNAUTHORIZED => anyhow!(
            "{message}; the admin token comes from TASKYARD_ADMIN_TOKEN, the configuration, or \
             admin-token in the data folder (--data-dir)"
        ),
        _ => anyhow!(message),
    }
}

/// `text` as part of a query.
pub(crate) fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// `text` as one segment of a path. In a path a space has no short form.
pub(crate) fn encode_segment(text: &str) -> String {
    encode(text).replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_the_host_said() {
        let body = br#"{"error":{"code":"plugin_in_use","message":"3 tasks run on it"}}"#;
        let error = refusal(StatusCode::CONFLICT, body);
        assert_eq!(error.to_string(), "3 tasks run on it");
        let error = refusal(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(error.to_string(), "502 Bad Gateway");
        let missing = refusal(StatusCode::NOT_FOUND, b"");
        assert!(missing.is::<NotFound>());
    }
}

//! One notification on the wire: what is posted, and what the answer means (A2A 4.3.3).

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Request, Response, StatusCode};
use taskyard_broker::Delivery;
use taskyard_outbound::{Refused, client, describe, on_behalf_of};
use url::form_urlencoded::byte_serialize;

use crate::config::{Config, Error};
use crate::guard::UrlGuard;
use crate::proof::Issuer;

/// How much of an answer is read, and thrown away, to keep the connection for the next notification.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The token that the client registered. The specification does not say which header carries it;
/// official clients look for either.
const TOKEN: [HeaderName; 2] = [
    HeaderName::from_static("x-a2a-notification-token"),
    HeaderName::from_static("a2a-notification-token"),
];
/// Proves where the notification comes from. It is in `Authorization` as well if the client registered
/// nothing for that.
const SIGNATURE: HeaderName = HeaderName::from_static("x-taskyard-signature");
/// Tells a receiver which notification this is, so that it can drop one that it has already seen.
const DELIVERY: HeaderName = HeaderName::from_static("x-taskyard-delivery");

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The webhook has it.
    Delivered,
    /// It may work later.
    Failed(String),
    /// It was not tried: too many names of the tenant's webhooks are being looked up.
    Busy,
    /// It cannot work until the webhook is registered anew.
    Hopeless(String),
}

/// Posts notifications.
#[derive(Debug)]
pub(crate) struct Poster {
    client: reqwest::Client,
    guard: UrlGuard,
    issuer: Option<Issuer>,
}

impl Poster {
    pub(crate) fn new(config: &Config, guard: UrlGuard) -> Result<Self, Error> {
        let timeout = Duration::from_millis(config.timeout_ms);
        let client =
            client(guard.addresses(), Some(timeout), config.keep_idle).map_err(Error::Client)?;
        Ok(Self {
            client,
            guard,
            issuer: None,
        })
    }

    /// Signs what it posts from now on.
    pub(crate) fn sign_as(&mut self, issuer: Issuer) {
        self.issuer = Some(issuer);
    }

    pub(crate) async fn post(&self, delivery: &Delivery) -> Outcome {
        let request = match self.request(delivery) {
            Ok(request) => request,
            Err(problem) => return Outcome::Hopeless(problem),
        };
        let tenant = delivery.tenant.as_str();
        match on_behalf_of(tenant, self.client.execute(request)).await {
            Ok(answer) => judge(answer).await,
            Err(error) if Refused::is_busy(&error) => Outcome::Busy,
            Err(error) => Outcome::Failed(describe(error)),
        }
    }

    // An address in the URL is checked here and now: the client asks its resolver about names only.
    fn request(&self, delivery: &Delivery) -> Result<Request, String> {
        let url = self.guard.parse(&delivery.config.url);
        let url = url.map_err(|refused| format!("the URL {refused}"))?;
        let body = serde_json::to_vec(&delivery.payload).map_err(|error| error.to_string())?;
        let mut headers = headers(delivery)?;
        if let Some(issuer) = &self.issuer {
            let id = delivery_id(delivery);
            let token = issuer.token(delivery.lane.task, &id, &url, &body);
            sign(&mut headers, &token.map_err(|error| error.to_string())?)?;
        }
        let request = self.client.post(url).headers(headers).body(body);
        request.build().map_err(describe)
    }
}

/// What the client registered for `Authorization` is for the webhook to check, and stays.
fn sign(headers: &mut HeaderMap, token: &str) -> Result<(), String> {
    headers.insert(SIGNATURE, header("signature", token)?);
    if !headers.contains_key(AUTHORIZATION) {
        headers.insert(
            AUTHORIZATION,
            header("signature", &format!("Bearer {token}"))?,
        );
    }
    Ok(())
}

fn headers(delivery: &Delivery) -> Result<HeaderMap, String> {
    let config = &delivery.config;
    let mut headers = HeaderMap::new();
    let content_type = delivery.payload.content_type();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(DELIVERY, header("id", &delivery_id(delivery))?);
    if let Some(scheme) = &config.scheme {
        let credentials = config.credentials.as_deref().unwrap_or_default();
        let value = format!("{scheme} {credentials}");
        headers.insert(AUTHORIZATION, header("authentication", value.trim())?);
    }
    if let Some(token) = &config.token {
        let value = header("token", token)?;
        headers.extend(TOKEN.map(|name| (name, value.clone())));
    }
    Ok(headers)
}

fn header(field: &str, value: &str) -> Result<HeaderValue, String> {
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|_| format!("the {field} cannot be sent in an HTTP header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn delivery_id(delivery: &Delivery) -> String {
    let config: String = byte_serialize(delivery.lane.config.as_bytes()).collect();
    format!("{}/{config}/{}", delivery.lane.task, delivery.seq)
}

async fn judge(answer: Response) -> Outcome {
    let status = answer.status();
    discard(answer).await;
    match status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::GONE => Outcome::Hopeless("the webhook answered 410 Gone".to_owned()),
        status if status.is_redirection() => Outcome::Failed(format!(
            "the webhook answered {status}; redirects are not followed"
        )),
        status => Outcome::Failed(format!("the webhook answered {status}")),
    }
}

// What the webhook says beyond the status is nobody's business, and could be of any length.
async fn discard(mut answer: Response) {
    let mut read = 0;
    while read < MAX_ANSWER_BYTES {
        match answer.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

//! A request that is allowed and ready to be sent, as often as it takes.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use taskyard_task::egress::{EgressRule, Origin, OriginHost, Scheme};
use taskyard_task::http::is_about_connection;
use taskyard_task::{EgressPolicy, HttpError};
use url::{Host, Url};

use crate::config::Config;
use crate::guard::{Guard, canonical};
use crate::request::{Request, Retry};
use crate::retry::MAX_ATTEMPTS;
use crate::secrets::Secrets;

/// Longer URLs do not pass through what stands between hosts.
const MAX_URL_BYTES: usize = 8 << 10;
/// Names and values of all headers of a worker; servers take no more.
const MAX_HEADER_BYTES: usize = 64 << 10;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// All that is needed to send a request, with secrets in it. Never logged as a whole.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Where it goes, without path and query.
    pub(crate) origin: Origin,
    pub(crate) timeout: Duration,
    pub(crate) retry: Option<Retry>,
    pub(crate) max_response_bytes: u64,
}

impl Call {
    /// Checks a request and makes it ready.
    ///
    /// # Errors
    /// [`HttpError::Invalid`] if it cannot be sent, [`HttpError::Denied`] if it may not.
    pub(crate) fn new(
        request: Request,
        policy: &EgressPolicy,
        guard: &Guard,
        secrets: &Secrets,
        config: &Config,
    ) -> Result<Self, HttpError> {
        let method = parse_method(&request.method)?;
        let url = parse_url(&request.url)?;
        let origin = origin(&url)?;
        check_retry(request.retry)?;
        let mut headers = own_headers(&request)?;
        let rule = permission(policy, guard, &origin)?;
        headers.extend(added_headers(rule, secrets)?);
        let max_bytes = config.max_response_bytes;
        Ok(Self {
            method,
            url,
            headers,
            body: request.body,
            origin,
            timeout: request
                .timeout
                .unwrap_or(Duration::MAX)
                .min(config.timeout()),
            retry: request.retry,
            max_response_bytes: request
                .max_response_bytes
                .unwrap_or(max_bytes)
                .min(max_bytes),
        })
    }

    /// Makes a request ready that no rule needs to allow, with a response of at most `most_bytes`.
    ///
    /// # Errors
    /// [`HttpError::Invalid`] if it cannot be sent.
    pub(crate) fn unruled(request: Request, most_bytes: u64) -> Result<Self, HttpError> {
        let url = parse_url(&request.url)?;
        Ok(Self {
            method: parse_method(&request.method)?,
            origin: origin(&url)?,
            url,
            headers: own_headers(&request)?,
            timeout: request.timeout.unwrap_or(Duration::MAX),
            retry: None,
            max_response_bytes: request
                .max_response_bytes
                .unwrap_or(most_bytes)
                .min(most_bytes),
            body: request.body,
        })
    }

    /// The request of one more attempt.
    pub(crate) fn to_request(&self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        if !self.body.is_empty() {
            *request.body_mut() = Some(self.body.clone().into());
        } else if means_content(&self.method) {
            let none = HeaderValue::from_static("0");
            request.headers_mut().insert(CONTENT_LENGTH, none);
        }
        request
    }
}

/// Whether requests to `url` may be sent at all.
pub(crate) fn check(url: &str, policy: &EgressPolicy, guard: &Guard) -> Result<(), HttpError> {
    let origin = origin(&parse_url(url)?)?;
    permission(policy, guard, &origin).map(|_| ())
}

/// Whether a request without a body must say so (RFC 9110 8.6): strict servers answer 411 otherwise.
fn means_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn invalid(problem: impl Into<String>) -> HttpError {
    HttpError::Invalid(problem.into())
}

fn parse_method(method: &str) -> Result<Method, HttpError> {
    match Method::from_bytes(method.as_bytes()) {
        // One would make a tunnel, the other sends back what it gets, secrets included.
        Ok(Method::CONNECT | Method::TRACE) => Err(invalid(format!("{method} is not allowed"))),
        Ok(method) => Ok(method),
        Err(_) => Err(invalid(format!("{method:?} is not a method"))),
    }
}

fn parse_url(text: &str) -> Result<Url, HttpError> {
    if text.len() > MAX_URL_BYTES {
        return Err(invalid(format!(
            "the URL has more than {MAX_URL_BYTES} bytes"
        )));
    }
    let url = Url::parse(text).map_err(|error| invalid(format!("the URL is none: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(
            "the URL must not contain a user name or a password",
        ));
    }
    Ok(url)
}

fn origin(url: &Url) -> Result<Origin, HttpError> {
    let scheme = match url.scheme() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err(invalid("the URL must begin with https:// or http://")),
    };
    let host = match url.host() {
        None => return Err(invalid("the URL has no host")),
        Some(Host::Ipv4(address)) => OriginHost::Address(address.into()),
        Some(Host::Ipv6(address)) => OriginHost::Address(address.into()),
        Some(Host::Domain(name)) => OriginHost::Name(canonical(name).to_owned()),
    };
    let port = url.port().unwrap_or(scheme.default_port());
    Ok(Origin { scheme, host, port })
}

fn check_retry(retry: Option<Retry>) -> Result<(), HttpError> {
    let attempts = retry.map_or(1, |retry| retry.max_attempts);
    match (1..=MAX_ATTEMPTS).contains(&attempts) {
        true => Ok(()),
        false => Err(invalid(format!(
            "max-attempts must be from 1 to {MAX_ATTEMPTS}"
        ))),
    }
}

/// The worker's headers, without those that are the host's business.
fn own_headers(request: &Request) -> Result<HeaderMap, HttpError> {
    let size: usize = request
        .headers
        .iter()
        .map(taskyard_task::HttpHeader::size)
        .sum();
    if size > MAX_HEADER_BYTES {
        return Err(invalid(format!(
            "the headers have more than {MAX_HEADER_BYTES} bytes"
        )));
    }
    let mut headers = HeaderMap::new();
    for own in &request.headers {
        let name = HeaderName::from_bytes(own.name.as_bytes());
        let name =
            name.map_err(|_| invalid(format!("{:?} is not the name of a header", own.name)))?;
        if is_about_connection(name.as_str()) {
            continue;
        }
        let value = HeaderValue::from_bytes(&own.value);
        let value = value
            .map_err(|_| invalid(format!("the header {name} has a value that cannot be sent")))?;
        let kept = headers.try_append(name, value);
        kept.map_err(|_| invalid("there are too many headers"))?;
    }
    if let Some(key) = &request.idempotency_key
        && !headers.contains_key(IDEMPOTENCY_KEY)
    {
        let key = HeaderValue::from_str(key);
        let key = key.map_err(|_| invalid("the idempotency key cannot be sent in a header"))?;
        headers.insert(IDEMPOTENCY_KEY, key);
    }
    Ok(headers)
}

/// The rule that allows requests to `origin`.
fn permission<'a>(
    policy: &'a EgressPolicy,
    guard: &Guard,
    origin: &Origin,
) -> Result<&'a EgressRule, HttpError> {
    let denied = |text: String| Err(HttpError::Denied(text));
    let Some(rule) = policy.rule_for(origin) else {
        return denied(format!(
            "requests to {origin} are not allowed; an operator can allow them with \
             `taskyard plugin allow AGENT '{origin}'`"
        ));
    };
    let in_the_open = origin.scheme == Scheme::Http && rule.host.scheme() != Some(Scheme::Http);
    if rule.has_secrets() && in_the_open {
        return denied(format!(
            "requests to {origin} carry secrets and are not sent without encryption; use https, or ask \
             an operator to allow 'http://{origin}'"
        ));
    }
    // An operator who spells out an address means it. A name could have any address tomorrow.
    if let OriginHost::Address(address) = origin.host
        && !rule.host.names(address)
        && let Err(refused) = guard.judge(address)
    {
        return denied(format!("{origin} {refused}, with egress.allow"));
    }
    Ok(rule)
}

/// What the operator adds; replaces what the worker set.
fn added_headers(rule: &EgressRule, secrets: &Secrets) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    for (name, template) in &rule.inject {
        let denied = |problem: &str| {
            HttpError::Denied(format!(
                "an operator has to mend the rule for {}: {problem}",
                rule.host
            ))
        };
        let value = template.fill(|name| secrets.get(name));
        let value = value.map_err(|missing| denied(&format!("{missing}; see [secrets]")))?;
        let unusable = |_| denied(&format!("the header {name} cannot be sent"));
        let mut value = HeaderValue::from_str(&value).map_err(unusable)?;
        value.set_sensitive(true);
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let name = name.map_err(|_| denied("it names a header that there cannot be"))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

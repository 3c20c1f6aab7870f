//! Proves to a webhook that a notification comes from this host, is meant for it, and was not changed on
//! the way: a signed token (RFC 7519) that goes with each attempt (A2A 13.2).

use serde::Serialize;
use taskyard_clock::Clock;
use taskyard_signing::{Error, Keyring};
use taskyard_task::{Digest, TaskId};
use url::Url;

/// How long a token is good. A notification is on its way for seconds; the rest is for clocks that differ.
const VALID_SECONDS: u64 = 300;

/// Signs notifications in the name of this host.
#[derive(Debug, Clone)]
pub struct Issuer {
    keys: Keyring,
    name: String,
    clock: Clock,
}

/// What a token says. The names are those that the protocol's guide to webhooks uses.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize, PartialEq))]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) iat: u64,
    pub(crate) exp: u64,
    pub(crate) jti: String,
    #[serde(rename = "taskId")]
    pub(crate) task_id: String,
    pub(crate) request_body_sha256: String,
}

impl Issuer {
    /// An issuer called `name`: the URL of this host, where its keys are published.
    #[must_use]
    pub fn new(keys: Keyring, name: String, clock: Clock) -> Self {
        Self { keys, name, clock }
    }

    /// The token for one attempt to post `body` to `url`. `delivery`: what the notification is called in
    /// every attempt.
    pub(crate) fn token(
        &self,
        task: TaskId,
        delivery: &str,
        url: &Url,
        body: &[u8],
    ) -> Result<String, Error> {
        // What the receiver compares with is its own clock.
        let now = self.clock.wall().0 / 1_000;
        self.keys.token(&Claims {
            iss: self.name.clone(),
            aud: audience(url),
            iat: now,
            exp: now.saturating_add(VALID_SECONDS),
            jti: delivery.to_owned(),
            task_id: task.to_string(),
            request_body_sha256: Digest::of(body).to_string(),
        })
    }
}

/// The URL without what stands behind its path: that may hold a secret, and tokens end up in logs.
fn audience(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

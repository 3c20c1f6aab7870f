//! The one gate in front of all operations: who calls, and on whose behalf.
//!
//! A [`taskyard_broker::Caller`] is made here and nowhere else, so no operation can forget to ask. The gate is open only
//! where nobody ever configured a way to show who one is; from then on, whoever shows nothing stays out.

mod access;
mod certificate;
mod denied;
mod jwt;
mod scheme;
mod scope;
mod shown;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use subtle::ConstantTimeEq as _;
use taskyard_broker::Broker;
use taskyard_clock::Clock;
use taskyard_task::Digest;
use taskyard_task::api_key::read_api_key_id;
use tracing::debug;

use crate::config::{ClientCertificate, ClientCredential, Config};
use crate::error::ApiError;
use crate::metric;

pub(crate) use access::Access;
pub use certificate::{PeerAddress, PeerCertificate, Secure};
pub use jwt::{FetchDocument, JwtAlgorithm, JwtIssuer};
pub(crate) use scheme::{API_KEY_HEADER, Accepted, Scheme, SchemeKind};

use denied::{Credential, Denied};
use jwt::Issuers;
use shown::Shown;

/// Knows who may call.
pub(crate) struct Gate {
    required: bool,
    clients: Vec<ClientCredential>,
    certificates: Vec<ClientCertificate>,
    issuers: Issuers,
    broker: Broker,
    clock: Clock,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate for whom `config` names, and for the API keys of `broker`.
    pub(crate) fn new(config: &Config, broker: Broker, clock: Clock) -> Self {
        Self {
            required: config.require_credentials,
            clients: config.clients.clone(),
            certificates: config.certificates.clone(),
            issuers: Issuers::new(&config.jwt, &clock),
            broker,
            clock,
        }
    }

    /// Says who fetches the keys of issuers. Without, those that are elsewhere count as out of reach. Only
    /// the first call counts.
    pub(crate) fn set_fetcher(&self, fetcher: Arc<dyn FetchDocument>) {
        self.issuers.set_fetcher(fetcher);
    }

    /// Whether anybody may call: no way to show who one is was ever configured. A key that was revoked
    /// is one, or else revoking the last key would open the host to everybody.
    pub(crate) fn is_open(&self) -> bool {
        let configured = self.required
            || !self.clients.is_empty()
            || !self.certificates.is_empty()
            || !self.issuers.is_empty();
        !configured && self.broker.api_keys().is_empty()
    }

    /// The ways to show who one is that are worth declaring now. None if the gate is open.
    pub(crate) fn schemes(&self) -> Vec<Scheme> {
        let accepted = self.accepted();
        let fixed = [
            (accepted.bearer, "bearer", SchemeKind::Bearer),
            (accepted.api_key, "apiKey", SchemeKind::ApiKey),
            (accepted.certificate, "mutualTls", SchemeKind::MutualTls),
        ];
        let fixed = fixed.into_iter().filter(|(taken, ..)| *taken);
        let fixed = fixed.map(|(_, name, kind)| Scheme {
            name: name.to_owned(),
            kind,
        });
        fixed.chain(self.issuers.schemes()).collect()
    }

    fn accepted(&self) -> Accepted {
        let keys = self.required || !self.broker.api_keys().is_empty();
        Accepted {
            bearer: keys || !self.clients.is_empty() || !self.issuers.is_empty(),
            api_key: keys,
            certificate: !self.certificates.is_empty(),
        }
    }

    /// Finds out who calls. What a request shows in its headers counts before the certificate of its
    /// connection: a wrong token is refused even over a connection that would do.
    ///
    /// # Errors
    /// [`ApiError::Unauthenticated`] if it is nobody that the host knows, [`ApiError::Forbidden`] if what is
    /// shown is genuine and not enough, [`ApiError::IssuerUnavailable`] if nobody can say now.
    pub(crate) async fn admit(&self, head: &Parts) -> Result<Access, ApiError> {
        if self.is_open() {
            return Ok(Access::Anyone);
        }
        let found = match Shown::read(&head.headers) {
            Shown::Bearer(text) => self.by_bearer(text).await,
            Shown::ApiKey(text) => self.by_api_key(text),
            Shown::Nothing => self.by_certificate(head.extensions.get()),
            Shown::Unusable => Err(Denied::Wrong(Credential::Unusable, "unusable headers")),
        };
        found.map_err(|denied| self.refuse(denied))
    }

    fn refuse(&self, denied: Denied) -> ApiError {
        metric::denied(denied.label());
        match denied {
            Denied::Missing => ApiError::Unauthenticated(self.accepted()),
            Denied::Wrong(credential, why) => {
                debug!(?credential, why, "refused credentials");
                ApiError::Unauthenticated(self.accepted())
            }
            Denied::NotEnough(why) => ApiError::Forbidden(why),
            // Where the keys are, and why they are not to be had, is nothing for strangers. Whoever looked
            // for them said it once.
            Denied::Unavailable(why) => {
                debug!(why, "cannot check credentials");
                ApiError::IssuerUnavailable
            }
        }
    }

    async fn by_bearer(&self, text: &str) -> Result<Access, Denied> {
        if let Some(access) = self.by_token(text) {
            return Ok(access);
        }
        if read_api_key_id(text).is_some() {
            return self.by_api_key(text);
        }
        match jwt::looks_like_one(text) && !self.issuers.is_empty() {
            true => self.issuers.verify(text).await,
            false => Err(Denied::Wrong(Credential::Token, "an unknown token")),
        }
    }

    /// Looks at every client, so that the time says nothing about which one it was.
    fn by_token(&self, text: &str) -> Option<Access> {
        let matching = |found, client: &'_ _| known(client, text).or(found);
        self.clients.iter().fold(None, matching)
    }

    /// The digests are compared whether there is such a key or not: unknown keys take as long as wrong
    /// ones, and are refused with the same words as dead ones.
    fn by_api_key(&self, text: &str) -> Result<Access, Denied> {
        let keys = self.broker.api_keys();
        let key = read_api_key_id(text).and_then(|id| keys.get(&id));
        let kept = key.map_or([0; 32], |key| key.digest.to_bytes());
        let is_it = kept.ct_eq(&Digest::of(text.as_bytes()).to_bytes());
        let now = self.clock.now();
        match key.filter(|_| is_it.into()) {
            Some(key) if key.is_alive(now) => Ok(Access::Client {
                tenant: key.tenant.clone(),
                name: format!("key:{}", key.id),
                scope: key.scope.clone(),
            }),
            Some(_) => Err(Denied::Wrong(Credential::ApiKey, "revoked or expired")),
            None => Err(Denied::Wrong(Credential::ApiKey, "unknown")),
        }
    }

    fn by_certificate(&self, certificate: Option<&PeerCertificate>) -> Result<Access, Denied> {
        let certificate = certificate.filter(|_| !self.certificates.is_empty());
        let certificate = certificate.ok_or(Denied::Missing)?;
        let mut clients = self.certificates.iter();
        let client = clients.find(|client| certificate.is_of(client));
        let client = client.ok_or(Denied::Wrong(Credential::Certificate, "an unknown subject"))?;
        Ok(Access::Client {
            tenant: client.tenant.clone(),
            name: client.name.clone(),
            scope: client.scope.clone(),
        })
    }
}

fn known(client: &ClientCredential, shown: &str) -> Option<Access> {
    client.token.matches(shown).then(|| Access::Client {
        tenant: client.tenant.clone(),
        name: client.name.clone(),
        scope: client.scope.clone(),
    })
}

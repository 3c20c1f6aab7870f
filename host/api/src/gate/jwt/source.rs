//! Where an issuer's keys come from, and how long they are kept.
//!
//! Keys are fetched when they are needed first, when they are old, and when a token names one that is not
//! among them; and not more often than the operator wants. While the issuer is out of reach the keys that
//! there are stay good, but not for ever: what it revokes meanwhile would never be heard of.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use serde::Deserialize;
use taskyard_clock::Clock;
use taskyard_task::Timestamp;
use tokio::io::AsyncReadExt as _;
use tracing::{Instrument as _, info, warn};

use super::Fetcher;
use super::config::JwtIssuer;
use super::keys::KeySet;

/// How long keys are good without being looked at again.
const FRESH_MS: u64 = 10 * 60 * 1_000;
/// How long they are good while the issuer is out of reach: over a night, until somebody is there.
const STALE_MS: u64 = 24 * 60 * 60 * 1_000;
/// How soon an issuer that was out of reach is asked again.
const RETRY_MS: u64 = 5_000;
/// The largest document: four kilobytes for each key, certificates included.
const MAX_DOCUMENT_BYTES: usize = 256 << 10;

/// Port: fetches documents of issuers over HTTP. Implemented where the HTTP client is.
pub trait FetchDocument: Send + Sync {
    /// The document at `url`, which must be `https` unless it is on this machine; at most `limit` bytes.
    /// `Err` says what went wrong, for the operator. It must end in finite time.
    fn fetch(&self, url: String, limit: usize) -> BoxFuture<'static, Result<Vec<u8>, String>>;
}

/// The keys of one issuer, fetched when they are needed. Cheap to clone.
#[derive(Clone)]
pub(super) struct Source(Arc<Inner>);

struct Inner {
    issuer: String,
    place: Place,
    pause_ms: u64,
    clock: Clock,
    fetcher: Fetcher,
    held: Mutex<Option<Held>>,
    /// One looks at a time.
    last_look: tokio::sync::Mutex<Option<Look>>,
}

/// Where the keys are.
enum Place {
    File(PathBuf),
    Url(String),
    /// Where the document is that says where they are.
    Discovery(String),
}

#[derive(Clone)]
struct Held {
    keys: Arc<KeySet>,
    fetched_at: Timestamp,
}

/// A try to fetch the keys.
#[derive(Clone)]
struct Look {
    at: Timestamp,
    problem: Option<String>,
}

/// A discovery document, as far as it matters here (OpenID Connect Discovery 3).
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    pub(super) fn new(config: &JwtIssuer, clock: Clock, fetcher: Fetcher) -> Self {
        let place = match (&config.jwks_file, &config.jwks_url, config.discovery_url()) {
            (Some(file), ..) => Place::File(file.clone()),
            (None, Some(url), _) => Place::Url(url.clone()),
            (None, None, url) => Place::Discovery(url.unwrap_or_default()),
        };
        Self(Arc::new(Inner {
            issuer: config.issuer.clone(),
            place,
            pause_ms: config.refresh_seconds.saturating_mul(1_000),
            clock,
            fetcher,
            held: Mutex::default(),
            last_look: tokio::sync::Mutex::default(),
        }))
    }

    /// The issuer's keys, with the one called `id` among them if the issuer has it.
    ///
    /// # Errors
    /// If nobody can say now whether it has: the issuer is out of reach.
    pub(super) async fn keys_with(&self, id: Option<&str>) -> Result<Arc<KeySet>, String> {
        let now = self.0.clock.now();
        let known = self.0.held(now, STALE_MS).filter(|keys| keys.knows(id));
        if let Some(keys) = known {
            // Those that are good but old are looked at again by one request; the others do not wait.
            let is_fresh = self.0.held(now, FRESH_MS).is_some();
            if is_fresh || self.0.last_look.try_lock().is_err() {
                return Ok(keys);
            }
        }
        let problem = self.look().await;
        let held = self.0.held(now, STALE_MS);
        match (held, problem) {
            (Some(keys), None) => Ok(keys),
            (Some(keys), Some(_)) if keys.knows(id) => Ok(keys),
            (_, problem) => {
                let problem = problem.unwrap_or_else(|| "there are none".to_owned());
                Err(format!(
                    "the keys of {} are out of reach: {problem}",
                    self.0.issuer
                ))
            }
        }
    }

    /// Fetches the keys, unless that was tried a moment ago. Gives what went wrong at the last try. Goes
    /// on if the client goes away, as its try counts for others.
    async fn look(&self) -> Option<String> {
        let this = self.clone();
        let looked = async move { this.0.look().await }.in_current_span();
        let done = tokio::spawn(looked).await;
        done.unwrap_or_else(|broken| Some(broken.to_string()))
    }
}

impl Inner {
    /// The keys, if they are not older than this.
    fn held(&self, now: Timestamp, age_ms: u64) -> Option<Arc<KeySet>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref()?;
        (now.millis_since(held.fetched_at) < age_ms).then(|| Arc::clone(&held.keys))
    }

    async fn look(&self) -> Option<String> {
        let mut last = self.last_look.lock().await;
        let now = self.clock.now();
        if let Some(look) = last.as_ref().filter(|look| self.is_recent(look, now)) {
            return look.problem.clone();
        }
        let fetched = self.fetch().await;
        let problem = fetched.as_ref().err().cloned();
        match fetched {
            Ok(keys) => {
                info!(issuer = self.issuer, "fetched the keys of an issuer");
                let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                *held = Some(Held {
                    keys: Arc::new(keys),
                    fetched_at: now,
                });
            }
            Err(problem) => {
                warn!(
                    issuer = self.issuer,
                    problem, "cannot fetch the keys of an issuer"
                );
            }
        }
        *last = Some(Look {
            at: now,
            problem: problem.clone(),
        });
        problem
    }

    fn is_recent(&self, look: &Look, now: Timestamp) -> bool {
        let pause = match &look.problem {
            Some(_) => self.pause_ms.min(RETRY_MS),
            None => self.pause_ms,
        };
        now.millis_since(look.at) < pause
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let document = match &self.place {
            Place::File(file) => read(file).await,
            Place::Url(url) => self.get(url).await,
            Place::Discovery(url) => {
                let url = self.discover(url).await?;
                self.get(&url).await
            }
        };
        KeySet::parse(&document?)
    }

    async fn discover(&self, url: &str) -> Result<String, String> {
        let document = self.get(url).await?;
        let found: Discovered = taskyard_json::from_slice(&document)
            .map_err(|error| format!("{url} is no discovery document: {error}"))?;
        match found.issuer == self.issuer {
            true => Ok(found.jwks_uri),
            false => Err(format!("{url} is about another issuer")),
        }
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let fetcher = self.fetcher.get().ok_or("this host fetches nothing")?;
        let document = fetcher.fetch(url.to_owned(), MAX_DOCUMENT_BYTES).await?;
        within_limit(document)
    }
}

async fn read(file: &Path) -> Result<Vec<u8>, String> {
    let about = |error: std::io::Error| format!("{}: {error}", file.display());
    let opened = tokio::fs::File::open(file).await.map_err(about)?;
    let mut document = Vec::new();
    let mut limited = opened.take(MAX_DOCUMENT_BYTES as u64 + 1);
    limited.read_to_end(&mut document).await.map_err(about)?;
    within_limit(document)
}

fn within_limit(document: Vec<u8>) -> Result<Vec<u8>, String> {
    match document.len() <= MAX_DOCUMENT_BYTES {
        true => Ok(document),
        false => Err(format!(
            "the document is larger than {MAX_DOCUMENT_BYTES} bytes"
        )),
    }
}

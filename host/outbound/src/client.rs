//! The HTTP client that everything goes out through.

use std::error::Error as _;
use std::time::Duration;

use reqwest::redirect::Policy;

use crate::guard::Guard;

/// A connection that is not used for this long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections kept per receiver.
const MAX_IDLE_PER_HOST: usize = 4;
/// How much of an error is kept.
const MAX_ERROR_CHARS: usize = 300;

/// A client that connects to names only as `guard` allows, follows no redirects and uses no proxy. With a
/// `timeout`, a whole exchange may take no longer. Unless it keeps idle connections, each request has one of
/// its own. Addresses in URLs are for the caller to judge.
///
/// # Errors
/// If the client cannot be set up.
pub fn client(
    guard: &Guard,
    timeout: Option<Duration>,
    keep_idle: bool,
) -> reqwest::Result<reqwest::Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster; either way there is one now.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let builder = || {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("taskyard/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(guard.clone())
            .redirect(Policy::none())
            // A proxy would resolve names itself, and so pass by the guard.
            .no_proxy()
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(if keep_idle { MAX_IDLE_PER_HOST } else { 0 });
        match timeout {
            Some(timeout) => builder.timeout(timeout),
            None => builder,
        }
    };
    builder().build().or_else(|error| {
        // Small containers have no certificates; plain HTTP still works there.
        tracing::warn!(%error, "requests over https will fail: the system's certificates cannot be loaded");
        builder().tls_certs_only(Vec::new()).build()
    })
}

/// An error with its causes and without the URL, which may carry a secret in its query.
#[must_use]
pub fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.chars().take(MAX_ERROR_CHARS).collect()
}

//! What the log tells the operator once: requests that look as if the configuration lacked something.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::request::Parts;
use tracing::warn;

use crate::Config;
use crate::base::{Base, Forwarded};

/// Which of them the log has already. A line for each request would drown all others.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    address: Once,
    proxy: Once,
    files: Once,
}

#[derive(Debug, Default)]
struct Once(AtomicBool);

impl Once {
    fn is_first(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

impl Notices {
    /// `request` is about to be told that this host is at `base`.
    pub(crate) fn address_told(&self, config: &Config, base: &Base, request: &Parts) {
        if config.public_url.is_some() {
            return;
        }
        let url = base.url();
        if is_guess(base) && self.address.is_first() {
            warn!(
                url,
                "an agent card was served with the address that the request named; set public_url if clients reach this host in any other way"
            );
        }
        if is_ignored(base, request) && self.proxy.is_first() {
            warn!(
                url,
                "a request has Forwarded or X-Forwarded-* headers and came through a proxy, but no proxy that is trusted says where clients reach this host, or not clearly: agent cards may name the wrong address; set public_url, or api.trusted_proxies"
            );
        }
    }

    /// Files of a client are taken to be encoded twice, in requests and answers, because of its user agent.
    pub(crate) fn files_encoded_twice(&self, user_agent: &str) {
        if self.files.is_first() {
            warn!(
                user_agent,
                "clients of version 0.3 over HTTP+JSON with this user agent are taken to write and read files that are encoded twice, as the Python and Java SDKs do; api.file_encoding_0_3 decides otherwise"
            );
        }
    }
}

/// Whether nobody but the request says where this host is.
fn is_guess(base: &Base) -> bool {
    !base.is_certain() && !base.is_told_by_proxy()
}

/// Whether a proxy said where this host is, and was not heard.
fn is_ignored(base: &Base, request: &Parts) -> bool {
    !base.is_told_by_proxy() && Forwarded::is_in(&request.headers)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn what_was_said_once_is_not_said_again() {
        let once = Once::default();
        assert!(once.is_first());
        assert!(!once.is_first());
    }

    #[test]
    fn an_address_is_doubtful_if_only_the_request_says_it() {
        let config = Config::default();
        for (host, forwarded, guess, ignored) in [
            ("yard:7420", None, true, false),
            ("127.0.0.1:7420", None, false, false),
            ("127.0.0.1:7420", Some("x-forwarded-host"), false, true),
            ("yard:7420", Some("forwarded"), true, true),
            ("localhost", Some("x-forwarded-proto"), false, true),
            // All that many a proxy writes, in front of a host at 127.0.0.1.
            ("127.0.0.1:7420", Some("x-forwarded-for"), false, true),
            ("127.0.0.1:7420", Some("x-forwarded-port"), false, true),
            ("127.0.0.1:7420", Some("x-real-ip"), false, false),
        ] {
            let mut request = Request::builder().header("host", host);
            if let Some(name) = forwarded {
                request = request.header(name, "host=a.example");
            }
            let (request, ()) = request.body(()).unwrap().into_parts();
            let base = Base::of(&config, &request);
            let found = (is_guess(&base), is_ignored(&base, &request));
            assert_eq!(found, (guess, ignored), "{host} {forwarded:?}");
        }
    }
}

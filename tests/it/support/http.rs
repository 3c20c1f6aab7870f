//! HTTP clients for one test: a client belongs to the runtime of the test that made it.

use std::time::Duration;

/// A silent host is noticed here, and not by the patience of the whole test.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client without proxies, redirects and certificates: everything here is on this machine.
pub(crate) fn client() -> reqwest::Client {
    builder().build().unwrap()
}

/// The same, to be changed.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    // Only the first call counts; the client asks for it although nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tls_certs_only(Vec::new())
}

//! HTTP clients for one test: a client belongs to the runtime of the test that made it.

use std::time::Duration;

use super::in_time;

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

/// What a page says to whom looks at it without credentials: status and text.
pub(crate) async fn look(url: &str) -> (u16, String) {
    in_time(url, async {
        let answer = client().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    })
    .await
}

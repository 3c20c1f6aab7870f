//! Fetches what issuers of tokens publish: the port of the doors, filled with an HTTP client.

use std::time::Duration;

use axum::body::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use reqwest::redirect::Policy;
use taskyard_api::FetchDocument;
use taskyard_outbound::{Direct, Request};
use url::{Host, Url};

/// How long a document may take. A caller waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An HTTP client for the documents of issuers.
#[derive(Debug)]
pub(crate) struct Documents(Direct);

impl Documents {
    /// Sets the client up.
    ///
    /// # Errors
    /// If the system's TLS cannot be set up.
    pub(crate) fn new() -> reqwest::Result<Self> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("taskyard/", env!("CARGO_PKG_VERSION")))
                .timeout(TIMEOUT)
                // The operator named an address; nobody else is to choose another one.
                .redirect(Policy::none())
        };
        // As for the command line: without certificates, what is on this machine works all the same.
        let client = builder()
            .build()
            .or_else(|_| builder().tls_certs_only(Vec::new()).build());
        client.map(|client| Self(Direct::new(client)))
    }
}

impl FetchDocument for Documents {
    fn fetch(&self, url: String, limit: usize) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let http = self.0.clone();
        async move {
            if let Err(problem) = check_url(&url) {
                return Err(format!("{url:?} {problem}"));
            }
            let fetched = read(&http, &url, limit).await;
            fetched.map_err(|problem| format!("{url}: {problem}"))
        }
        .boxed()
    }
}

async fn read(http: &Direct, url: &str, limit: usize) -> Result<Vec<u8>, String> {
    let request = Request {
        max_response_bytes: Some(limit as u64),
        ..Request::new("GET", url, Bytes::new())
    };
    let answer = http
        .fetch(request)
        .await
        .map_err(|error| error.to_string())?;
    match answer.head.status {
        200..300 => Ok(answer.body),
        status => Err(format!("answered HTTP {status}")),
    }
}

/// Whether keys can be trusted that come from there: whoever could change them on the way could make
/// tokens.
///
/// # Errors
/// What is wrong; reads on from the URL.
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    let url = Url::parse(url).map_err(|_| "is not a URL")?;
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(host)) if is_here(&host) => Ok(()),
        _ => Err("must begin with https://, unless it is on this machine"),
    }
}

fn is_here(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::response::Redirect;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn keys_travel_encrypted_or_not_at_all() {
        for (url, good) in [
            ("https://id.example/keys", true),
            ("http://127.0.0.1:8080/keys", true),
            ("http://[::1]/keys", true),
            ("http://localhost/keys", true),
            ("http://id.example/keys", false),
            ("http://localhost.example/keys", false),
            ("http://10.0.0.1/keys", false),
            ("file:///etc/keys", false),
            ("keys", false),
        ] {
            assert_eq!(check_url(url).is_ok(), good, "{url}");
        }
    }

    #[tokio::test]
    async fn documents_have_a_limit_and_no_detours() {
        // Another test may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let router = Router::new()
            .route("/ten", get(async || "0123456789"))
            .route("/away", get(async || Redirect::to("/ten")))
            .route("/gone", get(async || StatusCode::GONE));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let documents = Documents::new().unwrap();
        let fetch = |path: &str, limit| documents.fetch(format!("http://{address}/{path}"), limit);
        assert_eq!(fetch("ten", 10).await.unwrap(), b"0123456789");
        for (path, limit, problem) in [
            ("ten", 9, "larger than 9 bytes"),
            ("away", 10, "303"),
            ("gone", 10, "410"),
        ] {
            let refused = fetch(path, limit).await.unwrap_err();
            assert!(refused.contains(problem), "{refused}");
        }
        let elsewhere = documents.fetch("http://id.example/".to_owned(), 10).await;
        assert!(elsewhere.unwrap_err().contains("https"));
        server.abort();
    }
}

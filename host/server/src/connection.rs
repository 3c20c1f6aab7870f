//! One connection: the handshake, and the answers to what is asked over it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Extensions, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use taskyard_api::{PeerCertificate, Secure};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::debug;

use crate::tls::{Audience, Tls, peer_certificate};

/// Streams at once over one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Whoever takes longer to say what it wants does not want anything.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent HTTP/2 client is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How the connections of one door are answered.
#[derive(Clone)]
pub(crate) struct Answerer {
    server: Arc<Builder<TokioExecutor>>,
    router: Router,
    tls: Option<(Tls, Audience)>,
    /// How long a connection may be there without a request.
    patience: Duration,
}

/// What is known about every request of a connection; see the types for what they say.
#[derive(Clone, Default)]
struct Facts {
    secure: Option<Secure>,
    peer: Option<PeerCertificate>,
}

impl Answerer {
    /// Answers with `router`, encrypted if there is a certificate.
    pub(crate) fn new(router: Router, tls: Option<(Tls, Audience)>) -> Self {
        Self {
            server: Arc::new(server()),
            router,
            tls,
            patience: HEADER_TIMEOUT,
        }
    }

    /// Answers what comes over `stream` until it is closed; `watcher` says when to close it. A client that
    /// still shakes hands when `stop` is cancelled is dropped: nothing was promised to it.
    pub(crate) async fn answer(self, stream: TcpStream, watcher: Watcher, stop: CancellationToken) {
        let Some((tls, audience)) = &self.tls else {
            return self.speak(stream, Facts::default(), watcher).await;
        };
        let shaken = tokio::select! {
            () = stop.cancelled() => return,
            shaken = tls.shake_hands(*audience, stream) => shaken,
        };
        match shaken {
            Ok(stream) => {
                let facts = Facts {
                    secure: Some(Secure),
                    peer: peer_certificate(stream.get_ref().1),
                };
                self.speak(stream, facts, watcher).await;
            }
            // Scanners, clients that do not know the authority, certificates that are not believed: nothing
            // that this host did wrong.
            Err(error) => debug!(%error, "a handshake failed"),
        }
    }

    async fn speak<S>(&self, stream: S, facts: Facts, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        let asked = CancellationToken::new();
        let asks = asked.clone();
        let service = router.map_request(move |mut request: Request<Incoming>| {
            asks.cancel();
            facts.tell(request.extensions_mut());
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = self.server.serve_connection(TokioIo::new(stream), service);
        let answered = watcher.watch(connection.into_owned());
        tokio::select! {
            // What is there already counts, however late it is looked at.
            biased;
            answered = answered => {
                if let Err(error) = answered {
                    debug!(%error, "a connection broke");
                }
            }
            () = silence(&asked, self.patience) => debug!("a connection asked for nothing"),
        }
    }
}

/// Resolves if nothing was asked in time. As long as a client did not show which version of HTTP it speaks,
/// none of the server's own timeouts runs; from the first request on they do.
async fn silence(asked: &CancellationToken, patience: Duration) {
    if timeout(patience, asked.cancelled()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

impl Facts {
    fn tell(&self, request: &mut Extensions) {
        if let Some(secure) = self.secure {
            request.insert(secure);
        }
        if let Some(peer) = &self.peer {
            request.insert(peer.clone());
        }
    }
}

fn server() -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .max_concurrent_streams(MAX_STREAMS);
    server
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use hyper_util::server::graceful::GracefulShutdown;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const REQUEST: &str = "GET / HTTP/1.1\r\nhost: yard\r\n\r\n";
    const LAST_REQUEST: &str = "GET / HTTP/1.1\r\nhost: yard\r\nconnection: close\r\n\r\n";

    fn impatient() -> Answerer {
        let router = Router::new().route("/", get(async || "hello"));
        Answerer {
            patience: Duration::ZERO,
            ..Answerer::new(router, None)
        }
    }

    #[tokio::test]
    async fn who_asks_for_nothing_is_not_waited_for() {
        let graceful = GracefulShutdown::new();
        for beginning in ["", "G", "GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n"] {
            let (host, mut client) = duplex(1_024);
            client.write_all(beginning.as_bytes()).await.unwrap();
            let facts = Facts::default();
            impatient().speak(host, facts, graceful.watcher()).await;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"", "{beginning:?}");
        }
        graceful.shutdown().await;
    }

    #[tokio::test]
    async fn who_asked_once_may_be_silent() {
        let (host, mut client) = duplex(1_024);
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        let graceful = GracefulShutdown::new();
        let watcher = graceful.watcher();
        let answerer = impatient();
        let spoken =
            tokio::spawn(async move { answerer.speak(host, Facts::default(), watcher).await });
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0);
        }
        client.write_all(LAST_REQUEST.as_bytes()).await.unwrap();
        answer.clear();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(answer.ends_with(b"hello"), "{answer:?}");
        spoken.await.unwrap();
    }
}

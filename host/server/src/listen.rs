//! A listening socket and the connections that come through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Connections at once; further ones wait in the system's queue. Each costs a file and some memory.
const MAX_CONNECTIONS: usize = 10_000;
/// Streams at once over one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Whoever takes longer to say what it wants does not want anything.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent HTTP/2 client is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The pause after the system refused a connection, mostly because the process has too many files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long answers that are under way may take when the door closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A socket that listens, not yet answered.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Begins to listen. `key` is the configuration's key of the address.
    ///
    /// # Errors
    /// If the address is taken or not one of this machine.
    pub(crate) async fn open(key: &str, address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("{key}: cannot listen on {address}"))?;
        let address = listener
            .local_addr()
            .context("cannot tell the own address")?;
        Ok(Self { listener, address })
    }

    /// Where it listens; the real port if any was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers with `router` until `stop` is cancelled; then finishes what is under way.
    pub(crate) async fn serve(self, router: Router, stop: CancellationToken) {
        let server = server();
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept(&self.listener, &places) => accepted,
            };
            let (stream, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot accept connections");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let service = TowerToHyperService::new(router.clone());
            let connection = server.serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection.into_owned());
            connections.spawn(async move {
                if let Err(error) = connection.await {
                    debug!(%error, "a connection broke");
                }
                drop(place);
            });
            while connections.try_join_next().is_some() {}
        }
        drop(self.listener);
        // What is left after this is aborted with the set.
        let closed = timeout(CLOSE_TIMEOUT, graceful.shutdown()).await;
        debug!(in_time = closed.is_ok(), "a door is closed");
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

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Events are small, and somebody watches them come.
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    #[tokio::test]
    async fn a_door_answers_until_it_is_closed() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let door = Door::open("listen", any).await.unwrap();
        let address = door.address();
        assert_ne!(address.port(), 0);

        // Another test may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(async || "hello"));
        let served = tokio::spawn(door.serve(router, stop.clone()));
        let http = crate::http::client("http://127.0.0.1").unwrap();
        let answer = http.get(format!("http://{address}/")).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");

        stop.cancel();
        served.await.unwrap();
        assert!(http.get(format!("http://{address}/")).send().await.is_err());
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let door = Door::open("listen", any).await.unwrap();
        let error = Door::open("admin_listen", door.address())
            .await
            .unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.starts_with("admin_listen: cannot listen on 127.0.0.1:"),
            "{error}"
        );
    }
}

//! A listening socket and the connections that come through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::connection::Answerer;
use crate::tls::{Audience, Tls};

/// Connections at once; further ones wait in the system's queue. Each costs a file and some memory.
const MAX_CONNECTIONS: usize = 16_384;
/// The pause after the system refused a connection, mostly because the process has too many files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long answers that are under way may take when the door closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A socket that listens, not yet answered.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<(Tls, Audience)>,
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
        Ok(Self {
            listener,
            address,
            tls: None,
        })
    }

    /// The same door, encrypted if there is a certificate for it.
    pub(crate) fn with_tls(self, tls: Option<Tls>, audience: Audience) -> Self {
        Self {
            tls: tls.map(|tls| (tls, audience)),
            ..self
        }
    }

    /// Where it listens; the real port if any was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether connections are encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Answers with `router` until `stop` is cancelled; then finishes what is under way.
    pub(crate) async fn serve(self, router: Router, stop: CancellationToken) {
        let answerer = Answerer::new(router, self.tls);
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
            let answered = answerer
                .clone()
                .answer(stream, graceful.watcher(), stop.clone());
            connections.spawn(async move {
                answered.await;
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

        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(async || "hello"));
        let served = tokio::spawn(door.serve(router, stop.clone()));
        let config = crate::config::Config::default();
        let http = crate::http::client("http://127.0.0.1", &config).unwrap();
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

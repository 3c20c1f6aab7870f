//! A listening socket and the connections that come through it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::connection::{Answerer, CLOSE_TIMEOUT, Manner};
use crate::places::{Place, Places, Refused, Room};
use crate::tls::{Audience, Tls};

/// The pause after the system refused a connection, mostly because the system has too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often operators are told of refused connections: a flood must not flood the log.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// An address that nobody else can have any more. Clients that connect are refused until it is listened at.
#[derive(Debug)]
pub(crate) struct Bound {
    key: &'static str,
    socket: TcpSocket,
    address: SocketAddr,
}

impl Bound {
    /// Takes an address. `key` is the configuration's key of it.
    ///
    /// # Errors
    /// If the address is taken, not one of this machine, or not allowed.
    pub(crate) fn take(key: &'static str, address: SocketAddr) -> anyhow::Result<Self> {
        let (socket, address) =
            bind(address).with_context(|| format!("{key}: cannot listen on {address}"))?;
        Ok(Self {
            key,
            socket,
            address,
        })
    }

    /// The address; the real port if any was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// If another process was quicker.
    pub(crate) fn listen(self) -> anyhow::Result<Door> {
        let Self {
            key,
            socket,
            address,
        } = self;
        let listener = socket.listen(BACKLOG);
        let listener = listener.with_context(|| format!("{key}: cannot listen on {address}"))?;
        Ok(Door {
            key,
            listener,
            tls: None,
        })
    }
}

fn bind(address: SocketAddr) -> std::io::Result<(TcpSocket, SocketAddr)> {
    let socket = match address.is_ipv4() {
        true => TcpSocket::new_v4(),
        false => TcpSocket::new_v6(),
    }?;
    // Connections of the host before this one may linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// A socket that listens, not yet answered.
#[derive(Debug)]
pub(crate) struct Door {
    /// What the configuration calls it.
    key: &'static str,
    listener: TcpListener,
    tls: Option<(Tls, Audience)>,
}

impl Door {
    /// The same door, encrypted if there is a certificate for it.
    pub(crate) fn with_tls(self, tls: Option<Tls>, audience: Audience) -> Self {
        Self {
            tls: tls.map(|tls| (tls, audience)),
            ..self
        }
    }

    /// Answers with `router` until `stop` is cancelled; then finishes what is under way. A connection for
    /// which there is no room is accepted and closed at once, so that its client need not wait to learn it.
    pub(crate) async fn serve(
        self,
        router: Router,
        room: Room,
        manner: Manner,
        stop: CancellationToken,
    ) {
        let answerer = Answerer::new(router, self.tls, manner);
        let places = Places::new(room);
        let mut refusals = Refusals::new(self.key);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(%error, "cannot accept connections");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match places.take(peer.ip()).await {
                Ok(place) => {
                    connections.spawn(keep(answerer.clone(), stream, place, stop.clone()));
                }
                Err(refused) => refusals.note(refused, peer),
            }
            while connections.try_join_next().is_some() {}
            metrics::gauge!("taskyard_connections", "door" => self.key).set(places.taken() as f64);
        }
        drop(self.listener);
        // What is left after this is aborted with the set.
        let closed = timeout(CLOSE_TIMEOUT, async {
            while connections.join_next().await.is_some() {}
        });
        let in_time = closed.await.is_ok();
        debug!(in_time, "a door is closed");
    }
}

/// Answers a connection for as long as it has its place.
async fn keep(answerer: Answerer, stream: TcpStream, place: Place, stop: CancellationToken) {
    // Events are small, and somebody watches them come. It fails only for who has gone already.
    let _ = stream.set_nodelay(true);
    let answered = answerer.answer(stream, place.activity.clone(), stop);
    tokio::select! {
        () = answered => {}
        () = place.go.cancelled() => debug!("an idle connection gave its place up"),
    }
}

/// Connections that were refused, and when operators were told of it last.
struct Refusals {
    door: &'static str,
    untold: u64,
    told: Option<Instant>,
}

impl Refusals {
    fn new(door: &'static str) -> Self {
        Self {
            door,
            untold: 0,
            told: None,
        }
    }

    fn note(&mut self, refused: Refused, peer: SocketAddr) {
        let reason = refused.word();
        metrics::counter!("taskyard_connections_refused_total", "door" => self.door, "reason" => reason)
            .increment(1);
        self.untold += 1;
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            let (door, connections) = (self.door, self.untold);
            warn!(door, connections, last = %peer.ip(), reason, "refused connections: there is no room for more that are busy");
            (self.untold, self.told) = (0, Some(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    const ROOM: Room = Room {
        most: 2,
        most_per_address: 2,
    };
    const MANNER: Manner = Manner {
        idle: Duration::from_secs(620),
        write: Duration::from_secs(60),
        max_streams: 8,
    };

    #[tokio::test]
    async fn a_door_answers_until_it_is_closed() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let bound = Bound::take("listen", any).unwrap();
        let address = bound.address();
        let door = bound.listen().unwrap();
        assert_ne!(address.port(), 0);

        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(async || "hello"));
        let served = tokio::spawn(door.serve(router, ROOM, MANNER, stop.clone()));
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
        let bound = Bound::take("listen", any).unwrap();
        let address = bound.address();
        let _door = bound.listen().unwrap();
        let error = Bound::take("admin_listen", address).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.starts_with("admin_listen: cannot listen on 127.0.0.1:"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn silent_connections_make_room_and_busy_ones_do_not() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let bound = Bound::take("listen", any).unwrap();
        let address = bound.address();
        let door = bound.listen().unwrap();
        let stop = CancellationToken::new();
        let (busy, mut are_busy) = tokio::sync::mpsc::channel(2);
        let end = CancellationToken::new();
        let ends = end.clone();
        let router = Router::new().route("/", get(async || "hello")).route(
            "/wait",
            get(async move || {
                busy.send(()).await.unwrap();
                ends.cancelled().await;
                "hello"
            }),
        );
        let served = tokio::spawn(door.serve(router, ROOM, MANNER, stop.clone()));
        let config = crate::config::Config::default();
        let client = || crate::http::client("http://127.0.0.1", &config).unwrap();
        let (url, slow) = (
            format!("http://{address}/"),
            format!("http://{address}/wait"),
        );

        let mut silent = Vec::new();
        for _ in 0..10 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let answer = client().get(&url).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");

        let waiting: Vec<_> = (0..2)
            .map(|_| tokio::spawn(client().get(&slow).send()))
            .collect();
        for _ in 0..2 {
            are_busy.recv().await.unwrap();
        }
        client().get(&url).send().await.unwrap_err();
        end.cancel();
        for waiting in waiting {
            let answer = waiting.await.unwrap().unwrap();
            assert_eq!(answer.text().await.unwrap(), "hello");
        }
        stop.cancel();
        served.await.unwrap();
    }
}

//! One connection: the handshake, and the answers to what is asked over it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Extensions, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use taskyard_api::{PeerAddress, PeerCertificate, Secure};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt, service_fn};
use tracing::debug;

use crate::activity::{Activity, Answer, Heard, Patience};
use crate::tls::{Audience, Tls, peer_certificate};

/// Whoever takes longer to say what it wants does not want anything.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a silent HTTP/2 client is asked whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// What waits in memory for a client to take it, for each answer, besides the piece that is being written. The
/// head of a request may be as large.
const MAX_BUFFER_BYTES: usize = 64 << 10;
/// How long answers that are under way may take when the connection is to be closed.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What an operator can set about connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// How long a connection is kept that asks for nothing.
    pub(crate) idle: Duration,
    /// How long a client may take nothing of what is ready for it.
    pub(crate) write: Duration,
    /// Requests at once over one HTTP/2 connection.
    pub(crate) max_streams: u32,
}

/// How the connections of one door are answered.
#[derive(Clone)]
pub(crate) struct Answerer {
    server: Arc<Builder<TokioExecutor>>,
    router: Router,
    tls: Option<(Tls, Audience)>,
    patience: Patience,
}

/// What is known about every request of a connection; see the types for what they say.
#[derive(Clone, Default)]
struct Facts {
    address: Option<PeerAddress>,
    secure: Option<Secure>,
    peer: Option<PeerCertificate>,
}

impl Answerer {
    /// Answers with `router`, encrypted if there is a certificate.
    pub(crate) fn new(router: Router, tls: Option<(Tls, Audience)>, manner: Manner) -> Self {
        Self {
            server: Arc::new(server(manner.max_streams)),
            router,
            tls,
            patience: Patience {
                head: HEADER_TIMEOUT,
                idle: manner.idle,
                write: manner.write,
            },
        }
    }

    /// Answers what comes over `stream` until it is closed, is silent for too long, or `stop` is cancelled.
    /// A client that still shakes hands then is dropped: nothing was promised to it.
    pub(crate) async fn answer(
        self,
        stream: TcpStream,
        activity: Activity,
        stop: CancellationToken,
    ) {
        // One that is gone already has none, and will not ask.
        let address = stream.peer_addr().ok();
        let address = address.map(|address| PeerAddress(address.ip()));
        let Some((tls, audience)) = &self.tls else {
            let facts = Facts {
                address,
                ..Facts::default()
            };
            return self.speak(stream, facts, activity, stop).await;
        };
        let shaken = tokio::select! {
            () = stop.cancelled() => return,
            shaken = tls.shake_hands(*audience, stream) => shaken,
        };
        match shaken {
            Ok(stream) => {
                let facts = Facts {
                    address,
                    secure: Some(Secure),
                    peer: peer_certificate(stream.get_ref().1),
                };
                self.speak(stream, facts, activity, stop).await;
            }
            // Scanners, clients that do not know the authority, certificates that are not believed: nothing
            // that this host did wrong.
            Err(error) => debug!(%error, "a handshake failed"),
        }
    }

    async fn speak<S>(&self, stream: S, facts: Facts, activity: Activity, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (router, asked) = (self.router.clone(), activity.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let under_way = asked.asked(request.version());
            facts.tell(request.extensions_mut());
            let answered = router.clone().oneshot(request);
            async move {
                let answer = answered.await?;
                Ok::<_, std::convert::Infallible>(answer.map(|body| Answer::new(body, under_way)))
            }
        });
        let service = TowerToHyperService::new(service);
        let stream = TokioIo::new(Heard::new(stream, activity.clone()));
        let connection = self.server.serve_connection(stream, service).into_owned();
        let graceful = GracefulShutdown::new();
        let mut answered = pin!(graceful.watch(connection));
        tokio::select! {
            // What is there already counts, however late it is looked at.
            biased;
            answered = &mut answered => {
                if let Err(error) = answered {
                    debug!(%error, "a connection broke");
                }
                return;
            }
            () = stop.cancelled() => {}
            () = activity.overdue(self.patience) => {
                debug!("a connection was silent, or its client took nothing, for too long");
                if !activity.is_idle() {
                    return;
                }
            }
        }
        // What is under way is finished, also what comes just now over a connection that was idle.
        let finished = async {
            tokio::select! {
                _ = &mut answered => {}
                () = graceful.shutdown() => {}
            }
        };
        let in_time = timeout(CLOSE_TIMEOUT, finished).await.is_ok();
        debug!(in_time, "a connection is closed");
    }
}

impl Facts {
    fn tell(&self, request: &mut Extensions) {
        if let Some(address) = self.address {
            request.insert(address);
        }
        if let Some(secure) = self.secure {
            request.insert(secure);
        }
        if let Some(peer) = &self.peer {
            request.insert(peer.clone());
        }
    }
}

fn server(max_streams: u32) -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    // Silence is measured by `Activity`: this one counts that between two requests as slow headers.
    server
        .http1()
        .header_read_timeout(None::<Duration>)
        .max_buf_size(MAX_BUFFER_BYTES);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .max_send_buf_size(MAX_BUFFER_BYTES)
        .max_concurrent_streams(max_streams);
    server
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;

    use super::*;

    const REQUEST: &str = "GET / HTTP/1.1\r\nhost: yard\r\n\r\n";
    const LAST_REQUEST: &str = "GET / HTTP/1.1\r\nhost: yard\r\nconnection: close\r\n\r\n";
    const FOREVER: Duration = Duration::from_secs(3_600);

    fn answerer(head: Duration, idle: Duration) -> Answerer {
        let router = Router::new().route("/", get(async || "hello"));
        let manner = Manner {
            idle,
            write: FOREVER,
            max_streams: 1,
        };
        let patient = Answerer::new(router, None, manner);
        Answerer {
            patience: Patience {
                head,
                idle,
                write: FOREVER,
            },
            ..patient
        }
    }

    fn speak(answerer: Answerer, host: DuplexStream, stop: &CancellationToken) -> JoinHandle<()> {
        let stop = stop.clone();
        tokio::spawn(async move {
            let facts = Facts::default();
            answerer.speak(host, facts, Activity::new(), stop).await;
        })
    }

    async fn ask(client: &mut DuplexStream, request: &str) {
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0);
        }
    }

    async fn check_closed(client: &mut DuplexStream) {
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
    }

    #[tokio::test]
    async fn who_asks_for_nothing_is_not_waited_for() {
        for beginning in ["", "G", "GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n"] {
            let (host, mut client) = duplex(1_024);
            client.write_all(beginning.as_bytes()).await.unwrap();
            let stop = CancellationToken::new();
            let spoken = speak(answerer(Duration::ZERO, FOREVER), host, &stop);
            check_closed(&mut client).await;
            spoken.await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_asked_once_may_be_silent() {
        let (host, mut client) = duplex(1_024);
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        let stop = CancellationToken::new();
        // Its first request is there at once, so this patience is never asked for.
        let spoken = speak(answerer(Duration::ZERO, FOREVER), host, &stop);
        ask(&mut client, "").await;
        ask(&mut client, LAST_REQUEST).await;
        check_closed(&mut client).await;
        spoken.await.unwrap();
    }

    #[tokio::test]
    async fn silence_between_requests_has_its_own_end() {
        let (host, mut client) = duplex(1_024);
        let stop = CancellationToken::new();
        let spoken = speak(answerer(FOREVER, Duration::ZERO), host, &stop);
        ask(&mut client, REQUEST).await;
        check_closed(&mut client).await;
        spoken.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_has_an_end() {
        let (host, mut client) = duplex(8);
        let stop = CancellationToken::new();
        let patient = answerer(FOREVER, FOREVER);
        let hasty = Answerer {
            patience: Patience {
                write: Duration::ZERO,
                ..patient.patience
            },
            ..patient
        };
        client.write_all(b"GET / HT").await.unwrap();
        let spoken = speak(hasty, host, &stop);
        client.write_all(&REQUEST.as_bytes()[8..]).await.unwrap();
        spoken.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_is_kept_is_closed_with_the_host() {
        let (host, mut client) = duplex(1_024);
        let stop = CancellationToken::new();
        let spoken = speak(answerer(FOREVER, FOREVER), host, &stop);
        ask(&mut client, REQUEST).await;
        ask(&mut client, REQUEST).await;
        stop.cancel();
        check_closed(&mut client).await;
        spoken.await.unwrap();
    }

    #[tokio::test]
    async fn how_many_streams_there_may_be_is_said_to_the_client() {
        let (host, mut client) = duplex(1_024);
        let stop = CancellationToken::new();
        let spoken = speak(answerer(FOREVER, FOREVER), host, &stop);
        // The preface, and settings that set nothing (RFC 9113 3.4).
        client
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        client
            .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let mut head = [0; 9];
        client.read_exact(&mut head).await.unwrap();
        let [_, high, low, kind, ..] = head;
        assert_eq!(kind, 4, "the first frame has settings: {head:?}");
        let mut settings = vec![0; usize::from(high) << 8 | usize::from(low)];
        client.read_exact(&mut settings).await.unwrap();
        let max_concurrent_streams = [0, 3, 0, 0, 0, 1];
        let mut each = settings.chunks(6);
        assert!(each.any(|it| it == max_concurrent_streams), "{settings:?}");
        drop(client);
        spoken.await.unwrap();
    }
}

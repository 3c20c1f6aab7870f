//! One keep-alive connection of HTTP/1.1.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::{Buf, Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async move {
            // What breaks a connection is told to whoever uses it next.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends a request and takes the whole answer, which must be a success.
    pub(crate) async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Bytes> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// Sends a request whose answer is a stream of events.
    pub(crate) async fn stream(&mut self, request: Request<Full<Bytes>>) -> Result<Events> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        if !response.status().is_success() {
            bail!("the stream was refused: {}", response.status());
        }
        Ok(Events::new(response.into_body()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The events of a stream, as far as a measurement looks at them.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    /// What was read since the last mark that was met.
    rest: BytesMut,
    /// How much was read.
    pub(crate) bytes: usize,
}

impl Events {
    fn new(body: Incoming) -> Self {
        Self {
            body,
            rest: BytesMut::new(),
            bytes: 0,
        }
    }

    /// Reads until `mark` was met `count` times, or to the end of the stream; gives how often it was met.
    pub(crate) async fn until(&mut self, mark: &str, count: usize) -> Result<usize> {
        let finder = memmem::Finder::new(mark);
        let mut met = 0;
        while met < count {
            if let Some(place) = finder.find(&self.rest) {
                self.rest.advance(place + mark.len());
                met += 1;
            } else if !self.more().await? {
                break;
            }
        }
        Ok(met)
    }

    /// Reads to the end and counts how often `mark` was met; `last` must follow the last one.
    pub(crate) async fn all(&mut self, mark: &str, last: &str) -> Result<usize> {
        let met = self.until(mark, usize::MAX).await?;
        if memmem::find(&self.rest, last.as_bytes()).is_none() {
            let rest = String::from_utf8_lossy(&self.rest);
            bail!("the stream did not end with {last}: {rest}");
        }
        Ok(met)
    }

    /// Reads to the end, whatever there is.
    pub(crate) async fn drain(&mut self) -> Result<()> {
        while self.more().await? {
            self.rest.clear();
        }
        Ok(())
    }

    /// The data of the next event, as far as it is one line.
    pub(crate) async fn line(&mut self) -> Result<Bytes> {
        if self.until("data: ", 1).await? == 0 {
            bail!("the stream has no events");
        }
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.rest) {
                return Ok(self.rest.split_to(end).freeze());
            }
            if !self.more().await? {
                bail!("the stream ended within an event");
            }
        }
    }

    async fn more(&mut self) -> Result<bool> {
        let Some(frame) = self.body.frame().await else {
            return Ok(false);
        };
        if let Ok(data) = frame?.into_data() {
            self.rest.extend_from_slice(&data);
            self.bytes += data.len();
        }
        Ok(true)
    }
}

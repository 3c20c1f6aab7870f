//! Bytes on a socket, for what no client would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Host, in_time};

/// How long the host may take none of what is sent before the rest is not sent.
const STALLED: Duration = Duration::from_secs(2);

/// Host and port of the door for clients.
pub(crate) fn address(host: &Host) -> String {
    address_of(&host.url()).to_owned()
}

/// Host and port of a door.
pub(crate) fn address_of(door: &str) -> &str {
    door.trim_start_matches("http://")
}

/// A connection to the door for clients.
pub(crate) async fn connect(host: &Host) -> TcpStream {
    connect_to(&host.url()).await
}

/// A connection to a door.
pub(crate) async fn connect_to(door: &str) -> TcpStream {
    TcpStream::connect(address_of(door)).await.unwrap()
}

/// Sends until the host does not take more; says whether it took all of it.
pub(crate) async fn send(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    for chunk in bytes.chunks(64 << 10) {
        match timeout(STALLED, stream.write_all(chunk)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return false,
        }
    }
    true
}

/// All that the host says to these bytes until it closes the connection.
pub(crate) async fn answer(host: &Host, bytes: &[u8]) -> String {
    answer_of(&host.url(), bytes).await
}

/// All that is said at a door to these bytes until it closes the connection.
pub(crate) async fn answer_of(door: &str, bytes: &[u8]) -> String {
    let mut stream = connect_to(door).await;
    send(&mut stream, bytes).await;
    rest(&mut stream).await
}

/// All that the host says until it closes the connection.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // The host may close with bytes unread, which some systems tell as a reset.
    let _ = in_time("the end of a connection", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer; nothing if there was none.
pub(crate) fn status(answer: &str) -> &str {
    let rest = answer.strip_prefix("HTTP/1.1 ").unwrap_or_default();
    rest.get(..3).unwrap_or_default()
}

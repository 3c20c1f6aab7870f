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
    host.url().trim_start_matches("http://").to_owned()
}

/// A connection to the door for clients.
pub(crate) async fn connect(host: &Host) -> TcpStream {
    TcpStream::connect(address(host)).await.unwrap()
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
    let mut stream = connect(host).await;
    send(&mut stream, bytes).await;
    let mut answer = Vec::new();
    // The host may close with bytes unread, which some systems tell as a reset.
    let _ = in_time("the end of a connection", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

//! Clients that ask and never read.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::support::{Host, Settings, eventually, message, raw, task};

const MIB: u64 = 1 << 20;

/// A host that has tasks of a megabyte each.
async fn host(settings: Settings) -> Host {
    let host = Host::with(&["echo"], settings).await;
    for _ in 0..16 {
        let text = "x".repeat(1 << 20);
        host.agent("echo").send(message(&text)).await;
    }
    host
}

async fn ask(host: &Host, path: &str) -> TcpStream {
    let address = raw::address(host);
    let mut stream = raw::connect(host).await;
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\na2a-version: 1.0\r\n\r\n");
    assert!(raw::send(&mut stream, head.as_bytes()).await);
    stream
}

#[tokio::test]
async fn answers_that_nobody_reads_cost_little_and_have_an_end() {
    const UNREAD: usize = 24;
    let host = host(Settings::default().set("api.write_timeout_seconds", 1)).await;
    let (memory, files) = (host.resident_bytes(), host.descriptors());
    let mut unread = Vec::new();
    for _ in 0..UNREAD {
        let path = "/agents/echo/tasks?includeArtifacts=true&historyLength=0&pageSize=100";
        let mut stream = ask(&host, path).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        unread.push(stream);
    }
    let grown = host.resident_bytes().saturating_sub(memory);
    assert!(grown < 6 * UNREAD as u64 * MIB, "{} MiB", grown / MIB);
    eventually("the host giving them up", async || {
        (host.descriptors() <= files + 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn streams_that_nobody_reads_cost_little() {
    const UNREAD: usize = 100;
    let host = host(Settings::default()).await;
    let asked = host.agent("echo").send(message(&"y".repeat(1 << 20))).await;
    let id = task::id(&asked);
    let memory = host.resident_bytes();
    let mut unread = Vec::new();
    for _ in 0..UNREAD {
        let path = format!("/agents/echo/tasks/{id}:subscribe");
        unread.push(ask(&host, &path).await);
    }
    for stream in &mut unread {
        let mut answer = [0; 12];
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut answer));
        read.await.unwrap().unwrap();
    }
    let grown = host.resident_bytes().saturating_sub(memory);
    assert!(
        grown < UNREAD as u64 * (256 << 10),
        "{} KiB each",
        grown / UNREAD as u64 / 1024
    );
}

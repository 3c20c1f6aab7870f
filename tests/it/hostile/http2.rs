//! Frames of HTTP/2 that cost their sender little: floods, bombs, and rapid resets.
//!
//! Nothing of the answers is read. Memory stays bounded, and another connection is served.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::interval;

use crate::support::{Host, Settings, eventually, in_time, message, raw, task};

const MIB: u64 = 1 << 20;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET /healthz` in the words of HPACK: three of the static table, and two literals.
fn get(host: &Host) -> Vec<u8> {
    let address = raw::address(host);
    let mut block = vec![0x82, 0x86, 0x04, 8];
    block.extend(b"/healthz");
    block.extend([0x01, u8::try_from(address.len()).unwrap()]);
    block.extend(address.bytes());
    block
}

fn opening() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// The ids of the first `count` streams of a client.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

/// Sends all of it on one connection and reads nothing, and looks at what the host is afterwards.
async fn attack(host: &Host, what: &str, bytes: &[u8]) {
    let before = host.peak_bytes();
    let threads = host.threads();
    let mut stream = raw::connect(host).await;
    raw::send(&mut stream, &opening()).await;
    raw::send(&mut stream, bytes).await;
    let done = host.agent("echo").send(message(what)).await;
    assert_eq!(task::artifact(&done, "echo"), what);
    let grown = host.peak_bytes().saturating_sub(before);
    assert!(grown < 24 * MIB, "{what}: {} MiB", grown / MIB);
    assert!(host.threads() <= threads + 4, "{what}: threads");
}

/// The frames are proper ones: without an attack they are answered.
async fn check_answered(host: &Host, get: &[u8]) {
    let mut stream = raw::connect(host).await;
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, get);
    raw::send(&mut stream, &[opening(), request].concat()).await;
    let mut answer = Vec::new();
    while !answer.windows(3).any(|bytes| bytes == b"ok\n") {
        let read = in_time("an answer", stream.read_buf(&mut answer)).await;
        assert_ne!(read.unwrap(), 0, "closed after {answer:?}");
    }
}

#[tokio::test]
async fn frames_that_cost_their_sender_little_cost_the_host_little() {
    let host = Host::with(&["echo"], Settings::default()).await;
    host.agent("echo").send(message("warm up")).await;
    let get = get(&host);
    check_answered(&host, &get).await;
    let whole = END_STREAM | END_HEADERS;

    let reset = streams(20_000).flat_map(|id| {
        let mut both = frame(HEADERS, whole, id, &get);
        both.extend(frame(RST_STREAM, 0, id, &8u32.to_be_bytes()));
        both
    });
    attack(&host, "rapid resets", &reset.collect::<Vec<_>>()).await;

    let open = streams(20_000).flat_map(|id| frame(HEADERS, END_HEADERS, id, &get));
    attack(&host, "streams without an end", &open.collect::<Vec<_>>()).await;

    let unread = streams(20_000).flat_map(|id| frame(HEADERS, whole, id, &get));
    attack(&host, "answers unread", &unread.collect::<Vec<_>>()).await;

    let ping = frame(PING, 0, 0, &[7; 8]);
    attack(&host, "pings", &ping.repeat(200_000)).await;
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]);
    attack(&host, "settings", &settings.repeat(200_000)).await;
    let table = frame(SETTINGS, 0, 0, &[0, 1, 0xff, 0xff, 0xff, 0xff]);
    attack(&host, "a table of any size", &table.repeat(1_000)).await;
    let priority = frame(PRIORITY, 0, 5, &[0, 0, 0, 3, 16]);
    attack(&host, "priorities", &priority.repeat(200_000)).await;

    let mut empty = frame(HEADERS, END_HEADERS, 1, &get);
    empty.extend(frame(DATA, 0, 1, &[]).repeat(200_000));
    attack(&host, "empty data", &empty).await;

    let window = frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes());
    attack(&host, "a window beyond all", &window.repeat(10)).await;
    attack(
        &host,
        "a frame beyond all",
        &[0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1],
    )
    .await;
}

#[tokio::test]
async fn headers_have_a_limit_however_they_are_sent() {
    let host = Host::with(&["echo"], Settings::default()).await;
    host.agent("echo").send(message("warm up")).await;
    let get = get(&host);

    // A literal that enters no table: 0x00, its name, its value.
    let mut literal = b"\x00\x01x\x7f\xf9\x1e".to_vec();
    literal.extend([b'y'; 4_088]);
    let mut flood = frame(HEADERS, END_STREAM, 1, &get);
    flood.extend(frame(CONTINUATION, 0, 1, &literal).repeat(4_000));
    attack(&host, "continuations", &flood).await;
    let mut empty = frame(HEADERS, END_STREAM, 1, &get);
    empty.extend(frame(CONTINUATION, 0, 1, &[]).repeat(200_000));
    attack(&host, "empty continuations", &empty).await;

    // An entry of 4,000 bytes in the dynamic table, and thousands of references to it.
    let mut bomb = get.clone();
    bomb.extend(b"\x40\x01x\x7f\xa1\x1e");
    bomb.extend([b'y'; 4_000]);
    bomb.extend([0xbe; 12_000]);
    let block = frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb);
    attack(&host, "a bomb of headers", &block).await;
}

/// How often a client that wants nothing says so.
const CHATTER: Duration = Duration::from_millis(50);

/// Asks once, then answers the host's pings and sends `chatter` of its own, until the host closes the connection.
async fn linger(host: &Host, chatter: &[u8]) {
    let mut stream = raw::connect(host).await;
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, &get(host));
    raw::send(&mut stream, &[opening(), request].concat()).await;
    let (mut from, mut to) = stream.into_split();
    let mut heard = Vec::new();
    let mut pause = interval(CHATTER);
    loop {
        tokio::select! {
            read = from.read_buf(&mut heard) => match read {
                Ok(1..) => {
                    for pinged in pings(&mut heard) {
                        let _ = to.write_all(&frame(PING, ACK, 0, &pinged)).await;
                    }
                }
                Ok(0) | Err(_) => return,
            },
            _ = pause.tick() => {
                // Once it is closed, reading says so.
                let _ = to.write_all(chatter).await;
            }
        }
    }
}

/// What the pings among the frames that are there have in them; the rest of the frames is dropped.
fn pings(heard: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut pings = Vec::new();
    while let Some((head, rest)) = heard.split_at_checked(9)
        && let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize
        && let Some((payload, rest)) = rest.split_at_checked(length)
    {
        if head[3] == PING && head[4] & ACK == 0 {
            pings.push(payload.to_vec());
        }
        *heard = rest.to_vec();
    }
    pings
}

#[tokio::test]
async fn a_connection_that_only_chats_is_closed_and_its_descriptor_given_back() {
    let settings = Settings::default().set("api.idle_seconds", 1);
    let host = Host::with(&["echo"], settings).await;
    host.agent("echo").send(message("warm up")).await;
    let files = host.descriptors();
    let chatter = [
        Vec::new(),
        frame(PING, 0, 0, &[7; 8]),
        frame(PING, ACK, 0, &[7; 8]),
        frame(SETTINGS, 0, 0, &[]),
        frame(SETTINGS, ACK, 0, &[]),
        frame(PRIORITY, 0, 5, &[0, 0, 0, 3, 16]),
        frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()),
        frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes()),
    ];
    let lingering = chatter.iter().map(|chatter| linger(&host, chatter));
    in_time("all connections being closed", join_all(lingering)).await;
    eventually("all descriptors being given back", async || {
        (host.descriptors() <= files).then_some(())
    })
    .await;
}

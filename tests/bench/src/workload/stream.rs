//! Streams: ten events, and ten thousand tokens.

use std::cell::Cell;
use std::slice::from_mut;

use anyhow::{Result, ensure};

use super::{Scale, busy_clients};
use crate::load::closed;
use crate::report::{Better, Limit, Section};
use crate::server::{Client, Contender};

const CHUNKY: &str = "guests/misbehaving";
const TOKEN_BYTES: usize = 16;
const ALL: [Contender; 5] = [
    Contender::Taskyard,
    Contender::BareLoop,
    Contender::RustFramework,
    Contender::PythonMemory,
    Contender::PythonSqlite,
];

/// Without the one that needs minutes for a stream.
const LONG: [Contender; 4] = [
    Contender::Taskyard,
    Contender::BareLoop,
    Contender::RustFramework,
    Contender::PythonMemory,
];

pub(crate) async fn ten_events(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "ten-events",
        "A stream of ten events",
        "Each client sends a message and reads the stream of its task to the end: an artifact in ten chunks of \
         16 bytes (closed loop). The bare loop writes the same bytes and stores nothing.",
    )
    .measure("32 connections", "streams/s", Better::Higher)
    .measure("p50", "ms", Better::Lower)
    .measure("p99", "ms", Better::Lower)
    .beside(Contender::Taskyard.name());
    for contender in scale.contenders(&ALL) {
        let figures = busy_clients(scale, contender, CHUNKY, read_ten).await;
        section = section.contender(contender, figures)?;
    }
    Ok(section)
}

async fn read_ten(client: &mut Client) -> Result<()> {
    let streamed = client.stream("chunks 10 16").await?;
    ensure!(streamed.chunks >= 10, "{} chunks of 10", streamed.chunks);
    Ok(())
}

pub(crate) async fn tokens(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "token-stream",
        "A token stream",
        "One task streams an artifact in 10,000 chunks of 16 bytes to one client, again and again. The bare \
         loop writes the same bytes through axum's SSE and stores nothing.",
    )
    .measure("chunks", "chunks/s", Better::Higher)
    .measure("whole stream, p50", "ms", Better::Lower)
    .measure("sent for each chunk", "bytes", Better::Neither)
    .measure("written to disk for each streamed byte", "bytes", Better::Lower)
    .beside(Contender::Taskyard.name());
    for contender in scale.contenders(&LONG) {
        section = section.contender(contender, tokens_of(scale, contender).await)?;
    }
    let speed = |row: usize| section.rows.get(row)?.values.first().copied().flatten();
    if let (Some(host), Some(bare)) = (speed(0), speed(1)) {
        let what = "token stream: times slower than SSE without storage";
        section = section.target(what, bare / host, Limit::AtMost(2.0));
    }
    Ok(section)
}

async fn tokens_of(scale: Scale, contender: Contender) -> Result<Vec<f64>> {
    let running = contender.start(CHUNKY).await?;
    let count = scale.count(10_000, 100);
    let text = format!("chunks {count} {TOKEN_BYTES}");
    let mut client = Client::connect(&running.place).await?;
    client.stream(&text).await?;
    let written = running.process().written_bytes()?;
    let (chunks, bytes) = (Cell::new(0), Cell::new(0));
    let seen = closed(from_mut(&mut client), scale.seconds(5), async |client| {
        let streamed = client.stream(&text).await?;
        chunks.set(chunks.get() + streamed.chunks);
        bytes.set(bytes.get() + streamed.bytes);
        Ok(())
    });
    let seen = seen.await?;
    let (chunks, bytes) = (chunks.get() as f64, bytes.get() as f64);
    let written = running.process().written_bytes()? - written;
    Ok(vec![
        chunks / seen.over.as_secs_f64(),
        seen.ms(50.0),
        bytes / chunks,
        written as f64 / (chunks * TOKEN_BYTES as f64),
    ])
}

//! Connections that are opened and left alone.

use crate::support::{Host, Settings, eventually, message, raw, task};

/// Connections that say nothing, and what one of them may cost.
const SILENT: usize = 200;
const BYTES_PER_CONNECTION: u64 = 64 << 10;

#[tokio::test]
async fn silent_connections_cost_little_and_are_given_back() {
    let host = Host::with(&["echo"], Settings::default()).await;
    host.agent("echo").send(message("warm up")).await;
    let (memory, files) = (host.resident_bytes(), host.descriptors());
    let threads = host.threads();
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(raw::connect(&host).await);
    }
    eventually("all connections being taken", async || {
        (host.descriptors() + SILENT / 10 >= files + SILENT).then_some(())
    })
    .await;
    let grown = host.peak_bytes().saturating_sub(memory);
    assert!(grown < SILENT as u64 * BYTES_PER_CONNECTION, "{grown}");
    assert!(host.threads() <= threads + 4, "connections have no threads");
    let done = host.agent("echo").send(message("still there?")).await;
    assert_eq!(task::artifact(&done, "echo"), "still there?");
    drop(silent);
    eventually("all connections being given back", async || {
        (host.descriptors() <= files + SILENT / 10).then_some(())
    })
    .await;
}

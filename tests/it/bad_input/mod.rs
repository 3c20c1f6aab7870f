//! What is wrong is refused precisely, and hurts nobody.
//!
//! Each table lists requests that somebody will send one day, and what they are told: HTTP status,
//! JSON-RPC code and reason. After each table the host works as before.

mod bodies;
mod operators;
mod params;
mod random;

use crate::support::host::SharedHost;
use crate::support::{Host, Settings, message, task};

/// Small enough that a body beyond it fits into the buffers between client and host.
const MAX_BODY_BYTES: usize = 64 << 10;

/// The host that is talked to so badly.
async fn host() -> Host {
    static HOST: SharedHost = SharedHost::new();
    let settings = Settings::default().set("api.max_body_bytes", MAX_BODY_BYTES);
    HOST.get(async || Host::with(&["echo", "approval"], settings).await)
        .await
}

/// The host took no harm.
async fn assert_unharmed(host: &Host) {
    let done = host.agent("echo").send(message("still there?")).await;
    assert_eq!(task::artifact(&done, "echo"), "still there?");
    let agents = host.admin().get("/v1/agents").await.ok();
    let names: Vec<_> = agents["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["name"])
        .collect();
    assert_eq!(names, ["approval", "echo"]);
}

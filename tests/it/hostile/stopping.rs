//! A host ends in every phase: in time when it is told once, and at once when it is told again.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use super::compiling;
use crate::support::{Host, Settings, Shim, eventually, in_time, message};

/// What "at once" may take on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);
/// How long it has until it is told again.
const AGAIN: Duration = Duration::from_millis(50);
/// What stopping may take beyond the grace time, and some more for a busy machine.
const IN_TIME: Duration = Duration::from_secs(15 + 5);

/// A host that is stuck while it starts: it reads a key from a pipe that nobody writes to.
async fn stuck() -> (Host, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("key.pem");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let keys = format!("[\"{}\"]", pipe.display());
    let settings = Settings::default()
        .set("signing.keys", keys)
        .set("shutdown_grace_seconds", 0);
    let host = Host::begin(settings);
    // Opening it for writing works once somebody reads.
    let writer = eventually("the host reading its key", async || {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
        options.open(&pipe).ok()
    })
    .await;
    // Still open when the host has ended, so the host never sees the end of its key.
    std::mem::forget(writer);
    (host, folder)
}

#[tokio::test]
async fn a_second_signal_ends_a_host_that_is_stuck_while_it_starts() {
    let (host, _folder) = stuck().await;
    let told = Instant::now();
    assert_eq!(told_again(&host).await.code(), Some(130));
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
}

/// Tells it again until it has ended: signals that come together count as one.
async fn told_again(host: &Host) -> ExitStatus {
    in_time("the end of a host that is told again", async {
        loop {
            host.terminate();
            if let Ok(status) = timeout(AGAIN, host.exited()).await {
                return status;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_host_that_is_stuck_while_it_starts_ends_in_time() {
    let (host, _folder) = stuck().await;
    let told = Instant::now();
    host.terminate();
    assert_eq!(host.exited().await.code(), Some(1));
    assert!(told.elapsed() < IN_TIME, "{:?}", told.elapsed());
    assert!(
        host.log().contains("did not stop in time"),
        "{}",
        host.log()
    );
}

#[tokio::test]
async fn a_host_ends_while_it_compiles_what_it_starts_with() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("hostile.wasm");
    fs::write(&component, compiling::hostile(0)).unwrap();
    let settings = Settings::default()
        .argument("--load")
        .argument(component.to_str().unwrap());
    let host = Host::begin(settings);
    let process = compiling::compiler(&host).await;
    let told = Instant::now();
    host.terminate();
    let status = host.exited().await;
    assert_eq!(status.code(), Some(0), "{status}: {}", host.log());
    assert!(told.elapsed() < AT_ONCE, "{:?}", told.elapsed());
    compiling::gone(process).await;
}

#[tokio::test]
async fn a_host_whose_disk_hangs_ends_in_time_and_at_once_if_it_is_told_twice() {
    let disk = Shim::build("hang");
    let settings = disk.settings().set("shutdown_grace_seconds", 0);
    let host = Host::with(&["echo"], settings).await;
    // In order, or not: what matters is when.
    for (is_told_again, codes) in [(true, [130; 2]), (false, [0, 1])] {
        let waiting = host.agent("echo");
        disk.tell("");
        let params = json!({"message": message("lost")});
        let sent = tokio::spawn(async move { waiting.try_call("SendMessage", params).await });
        eventually("the disk being slow", async || {
            let answer = host.admin().get("/readyz").await;
            (answer.status == 503).then_some(())
        })
        .await;
        let told = Instant::now();
        let (ended, most) = if is_told_again {
            (told_again(&host).await, AT_ONCE)
        } else {
            host.terminate();
            (host.exited().await, IN_TIME)
        };
        assert!(ended.code().is_some_and(|code| codes.contains(&code)));
        assert!(told.elapsed() < most, "{:?}", told.elapsed());
        sent.abort();
        disk.rest();
        host.restart().await;
    }
}

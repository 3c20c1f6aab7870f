//! What durability costs: journaled calls, replays, and tasks that wait without an instance.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::client::Client;
use crate::host::Host;
use crate::{CONNECTIONS, ECHO_TIME, drive, now, print, report, submit};

const ENTRIES: usize = 50_000;
/// How many of each kind wait at once.
const SUSPENDED: usize = 100_000;
/// Long enough that all of them wait before the first one is due.
const SLEEP: &str = "sleep 240000";

/// A task with three journaled calls, each with a commit of its own.
pub(crate) async fn steps() -> Result<()> {
    let host = Host::start().await?;
    host.load("guests/durable", None).await?;
    let job = ("durable", "steps 3");
    let one = drive(&host, job, 1, Duration::from_secs(3)).await?;
    report("3 durable steps, 1 connection", &one);
    let many = drive(&host, job, CONNECTIONS, ECHO_TIME).await?;
    report(
        &format!("3 durable steps, {CONNECTIONS} connections"),
        &many,
    );
    host.stop().await
}

/// Many journaled calls in one run, and the replay of all of them.
pub(crate) async fn replay() -> Result<()> {
    let host = Host::start().await?;
    host.load("guests/durable", None).await?;
    let mut client = Client::connect(host.address, "durable").await?;
    let idle = {
        let began = now();
        client.send("steps 0", false).await?;
        began.elapsed()
    };
    let began = now();
    let asked = client.send(&format!("entries {ENTRIES}"), false).await?;
    let live = began.elapsed().saturating_sub(idle);
    print(&format!(
        "live: {ENTRIES} journaled calls in {:.3} s, {:.1} us for each",
        live.as_secs_f64(),
        live.as_secs_f64() * 1e6 / ENTRIES as f64,
    ));
    let asked: Value = serde_json::from_str(&asked)?;
    let task = asked.pointer("/result/task/id").and_then(Value::as_str);
    let task = task.context("no task")?;
    let began = now();
    let answer = client.answer(task, "yes").await?;
    let took = began.elapsed().saturating_sub(idle);
    if !answer.contains("TASK_STATE_COMPLETED") {
        bail!("not completed: {answer}");
    }
    print(&format!(
        "replay: {ENTRIES} entries in {:.3} s, {:.0} entries/s",
        took.as_secs_f64(),
        ENTRIES as f64 / took.as_secs_f64(),
    ));
    host.stop().await
}

/// Tasks that wait for an answer, for a moment and for a child, through a restart.
pub(crate) async fn suspended() -> Result<()> {
    let mut host = Host::start().await?;
    host.load("guests/durable", None).await?;
    host.load("guests/misbehaving", None).await?;
    for (what, text) in [
        ("an answer", "ask"),
        ("a moment", SLEEP),
        ("a child", "child misbehaving ask 1"),
    ] {
        let before = host.resident_bytes()?;
        let began = now();
        submit(&host, "durable", text, SUSPENDED).await?;
        host.until_idle().await?;
        print(&format!(
            "suspended: {SUSPENDED} tasks wait for {what} after {:.0} s, resident {} MiB before, {} MiB after",
            began.elapsed().as_secs_f64(),
            before >> 20,
            host.resident_bytes()? >> 20,
        ));
    }
    host.kill().await?;
    let began = now();
    host.restart().await?;
    print(&format!(
        "suspended: ready again after {:.2} s, resident {} MiB",
        began.elapsed().as_secs_f64(),
        host.resident_bytes()? >> 20,
    ));
    let due = now();
    host.until_completed("durable", SUSPENDED).await?;
    print(&format!(
        "suspended: all {SUSPENDED} that waited for a moment were over {:.0} s after the restart",
        due.elapsed().as_secs_f64(),
    ));
    host.stop().await
}

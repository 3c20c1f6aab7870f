//! What a host says of itself while its disk hangs, while it stops, and while it waits for people.

use std::fs;
use std::path::Path;

use crate::cli::taskyard;
use crate::support::{Host, Settings, Shim, eventually, in_time, message, task};

async fn is_logged(host: &Host, text: &str) {
    eventually("the log to say it", async || {
        (lines_with(host, text) == 1).then_some(())
    })
    .await;
}

fn lines_with(host: &Host, text: &str) -> usize {
    let log = host.log();
    log.lines().filter(|line| line.contains(text)).count()
}

#[tokio::test]
async fn a_disk_that_hangs_is_told_and_loses_nothing() {
    let disk = Shim::build("hang");
    let host = Host::with(&["echo"], disk.settings()).await;
    let echo = host.agent("echo");
    let before = echo.begin(message("before")).await;
    echo.ended(&before).await;

    disk.tell("hang");
    let sent = tokio::spawn({
        let echo = host.agent("echo");
        async move { echo.begin(message("meanwhile")).await }
    });
    let why = host.readyz_becomes(503).await;
    assert!(why.contains("does not answer"), "{why}");
    // A restart would not help, and what is there can be read.
    assert_eq!(host.look("/healthz").await.0, 200);
    assert_eq!(echo.get(&before).await["id"], before.as_str());
    let status = taskyard(&host, &["status"]).exits(1).stdout;
    assert!(status.contains("does not answer"), "{status}");
    let figures = host.figures().await;
    let age = figures
        .lines()
        .find_map(|line| line.strip_prefix("taskyard_oldest_commit_seconds "));
    assert!(age.unwrap().parse::<f64>().unwrap() > 1.0);
    is_logged(&host, "does not answer").await;

    disk.rest();
    host.readyz_becomes(200).await;
    let id = in_time("the answer", sent).await.unwrap();
    assert_eq!(task::state(&echo.ended(&id).await), "COMPLETED");
    is_logged(&host, "answers again").await;
    assert_eq!(lines_with(&host, "does not answer"), 1);
}

#[tokio::test]
async fn what_waits_is_shown() {
    let host = Host::with(&["approval", "echo", "reminder"], Settings::default()).await;
    let reminder = host.agent("reminder");
    for _ in 0..2 {
        reminder.begin(message("in 3600 s: tea")).await;
    }
    for tenant in ["", "acme", "globex"] {
        let approval = host.agent("approval").of_tenant(tenant);
        approval.send(message("Deploy")).await;
        host.agent("echo")
            .of_tenant(tenant)
            .send(message("x"))
            .await;
    }
    let status = taskyard(&host, &["status"]).exits(0).stdout;
    assert!(
        status.contains("3 wait for people: 3 for input, 0 for credentials"),
        "{status}"
    );
    eventually("the reminders being suspended", async || {
        let status = taskyard(&host, &["status"]).exits(0).stdout;
        let shown = "2 wait for a timer, a child, a message or their start";
        (status.contains(shown) && status.contains("0 running, 0 in line")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_host_that_will_stop_says_so_while_it_still_serves() {
    let settings = Settings::default().set("shutdown_delay_seconds", 5);
    let host = Host::with(&["echo"], settings).await;
    host.terminate();
    let why = host.readyz_becomes(503).await;
    assert!(why.contains("shutting down"), "{why}");
    let done = host.agent("echo").send(message("still here")).await;
    assert_eq!(task::state(&done), "COMPLETED");
    assert_eq!(host.exited().await.code(), Some(0));
}

/// The figures that the guide for operators lists, but times, sizes, and those with a name of somebody.
fn listed() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operators.md");
    let guide = fs::read_to_string(guide).unwrap();
    let (_, section) = guide.split_once("\n### Metrics\n").unwrap();
    let (section, _) = section.split_once("\n### ").unwrap();
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `taskyard_"));
    let names = rows.filter_map(|row| {
        let mut cells = row.split('|');
        let name = cells.next()?.trim().trim_end_matches('`');
        let labels = cells.next()?;
        let is_gauge = name.starts_with("oldest") || name.starts_with("clock");
        let is_sized = name.ends_with("_seconds") && !is_gauge || name.ends_with("_size");
        let is_named = ["agent", "method", "tenant"].map(|label| labels.contains(label));
        (!is_sized && !is_named.contains(&true)).then(|| format!("taskyard_{name}"))
    });
    names.collect()
}

#[tokio::test]
async fn figures_are_there_from_the_start() {
    let host = Host::start(Settings::default()).await;
    let figures = host.figures().await;
    let names = listed();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let begins = [format!("{name} "), format!("{name}{{")];
        let is_there = |line: &str| begins.iter().any(|begin| line.starts_with(begin));
        assert!(figures.lines().any(is_there), "{name} is not in\n{figures}");
    }
}

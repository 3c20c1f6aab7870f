//! The system's clock is set while the host runs, and while it is off.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::taskyard;
use crate::support::{Agent, Host, Settings, Shim, eventually, message, task};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// The system's clock as one host sees it.
struct SystemClock(Shim);

impl SystemClock {
    /// The right one, until it is set.
    fn new() -> Self {
        let clock = Self(Shim::build("clock"));
        clock.set(0);
        clock
    }

    /// Sets it by so many seconds from the right time.
    fn set(&self, seconds: i64) {
        self.0.tell(&seconds.to_string());
    }

    /// A host that sees it.
    fn settings(&self) -> Settings {
        self.0.settings()
    }
}

async fn clock_of(host: &Host) -> Value {
    host.admin().get("/v1/stats").await.ok()["clock"].clone()
}

async fn notices_a_step(host: &Host) -> i64 {
    eventually("the step to be noticed", async || {
        clock_of(host).await["step_ms"].as_i64()
    })
    .await
        / 1_000
}

async fn follows(host: &Host) {
    eventually("the clock to be followed", async || {
        (clock_of(host).await == json!({"state": "followed"})).then_some(())
    })
    .await;
}

async fn total(agent: &Agent) -> u64 {
    let page = agent.call("ListTasks", json!({})).await;
    page["totalSize"].as_u64().unwrap()
}

async fn updated_at(agent: &Agent, id: &str) -> String {
    let task = agent.get(id).await;
    task["status"]["timestamp"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_hour_back_keeps_no_sleeping_task_waiting() {
    let clock = SystemClock::new();
    let host = Host::with(&["countdown", "echo"], clock.settings()).await;
    let countdown = host.agent("countdown");
    let id = countdown.begin(message("8")).await;
    let echo = host.agent("echo");
    let before = echo.send(message("x")).await;
    clock.set(-HOUR);
    assert!((-HOUR - 5..=-HOUR + 5).contains(&notices_a_step(&host).await));
    assert_eq!(task::state(&countdown.ended(&id).await), "COMPLETED");
    // What comes later is later.
    let after = echo.send(message("x")).await;
    let (before, after) = (task::id(&before), task::id(&after));
    assert!(updated_at(&echo, before).await < updated_at(&echo, after).await);
    clock.set(0);
    follows(&host).await;
}

#[tokio::test]
async fn days_ahead_fail_no_task_and_delete_none() {
    let clock = SystemClock::new();
    let settings = clock
        .settings()
        .set("retention.max_age_seconds", 24 * 3_600);
    let host = Host::with(&["echo", "approval"], settings).await;
    let (echo, approval) = (host.agent("echo"), host.agent("approval"));
    echo.send(message("x")).await;
    let waiting = approval.send(message("wait")).await;
    clock.set(31 * DAY);
    notices_a_step(&host).await;
    let (status, ready) = host.look_as_operator("/readyz").await;
    assert_eq!(status, 200);
    assert!(ready.contains("taskyard clock accept"), "{ready}");
    let figures = host.figures().await;
    let figure = figures
        .lines()
        .find_map(|line| line.strip_prefix("taskyard_clock_step_seconds "));
    assert!(figure.unwrap().parse::<f64>().unwrap() > 30.0 * 86_400.0);

    // Off for a while, it knows as much.
    host.kill();
    host.restart().await;
    notices_a_step(&host).await;
    let id = task::id(&waiting);
    assert_eq!(task::state(&approval.get(id).await), "INPUT_REQUIRED");
    assert_eq!(total(&echo).await, 1);

    let said = taskyard(&host, &["clock", "accept"]).stdout;
    assert!(said.contains("a step of"), "{said}");
    follows(&host).await;
    assert_eq!(task::state(&approval.ended(id).await), "FAILED");
    let said = taskyard(&host, &["clock", "accept"]).stdout;
    assert!(said.contains("already"), "{said}");
}

#[tokio::test]
async fn a_start_with_a_wrong_clock_changes_nothing() {
    for seconds in [-HOUR, 2 * DAY] {
        let clock = SystemClock::new();
        let settings = clock
            .settings()
            .set("retention.max_age_seconds", 24 * 3_600);
        let host = Host::with(&["echo", "approval"], settings).await;
        let (echo, approval) = (host.agent("echo"), host.agent("approval"));
        echo.send(message("x")).await;
        let waiting = approval.send(message("wait")).await;
        host.terminate();
        host.exited().await;
        clock.set(seconds);
        host.restart().await;
        notices_a_step(&host).await;
        let answered = approval.answer(task::id(&waiting), "yes").await;
        assert_eq!(task::state(&answered), "COMPLETED");
        assert_eq!(total(&echo).await, 1);
        clock.set(0);
        follows(&host).await;
        host.terminate();
        let ended = tokio::time::timeout(Duration::from_secs(30), host.exited()).await;
        assert!(ended.unwrap().success());
    }
}

//! Hostile clients of all kinds beside an honest one, for as long as `TASKYARD_SOAK_SECONDS` says.
//!
//! The honest tenant's tasks all end, and memory and descriptors are flat once the host is warm. What it
//! waits beside the others, compared with what it waits alone, is printed, and held against a limit only in
//! a long run (`make soak`): a short one says little about time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

use crate::support::{Agent, Host, Settings, http, in_time, message, raw, task};

const MIB: u64 = 1 << 20;
const CLIENTS: &str = r#"[{ token = "a-token-of-the-honest", tenant = "honest", name = "h" },
 { token = "a-token-of-the-hostile", tenant = "hostile", name = "x" },
 { token = "a-token-that-only-reads", tenant = "hostile", name = "r", scope = { read_only = true } }]"#;
const HONEST: &str = "a-token-of-the-honest";
const HOSTILE: &str = "a-token-of-the-hostile";
const READER: &str = "a-token-that-only-reads";

/// How long it takes if nothing else is said.
const SHORT_SECONDS: u64 = 9;
/// Runs from here on are long enough to judge times.
const LONG_SECONDS: u64 = 60;
/// How often the honest client sends: slowly enough to be no load itself.
const PACE: Duration = Duration::from_millis(20);
/// What each hostile client does not do faster, so that the machine is left to be measured.
const HOSTILE_PACE: Duration = Duration::from_millis(50);
/// Connections that each kind of hostile client holds.
const HELD: usize = 16;
/// Bytes that the bodies are budgeted, so that the bound is one.
const BUDGET: u64 = 64 * MIB;
/// How much more than in its first third the host may hold in its last one.
const GROWTH: u64 = 96 * MIB;

#[tokio::test]
async fn hostile_clients_do_not_spoil_an_honest_one() {
    let seconds = std::env::var("TASKYARD_SOAK_SECONDS").ok();
    let seconds = seconds.map_or(SHORT_SECONDS, |text| text.parse().unwrap());
    let host = host().await;
    let time = Duration::from_secs(seconds);
    let alone = honest(&host, time / 3).await;

    let over = AtomicBool::new(false);
    let (beside, thirds) = thread::scope(|scope| {
        let others = scope.spawn(|| {
            stand_back();
            runtime().block_on(hostile(&host, &over));
        });
        let both = scope.spawn(|| runtime().block_on(measured(&host, time, &over)));
        others.join().unwrap();
        both.join().unwrap()
    });

    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    println!("p99 alone {alone:?}, beside hostile clients {beside:?}: {ratio:.2} times");
    let [first, _, last] = thirds;
    println!("first third {first:?}, last third {last:?}");
    assert!(last.bytes < first.bytes + GROWTH, "memory grows");
    assert!(last.files < first.files + 8 * HELD, "descriptors grow");
    assert!(last.threads <= first.threads + 8, "threads grow");
    if seconds >= LONG_SECONDS {
        assert!(
            ratio < 2.0,
            "the honest client waits {ratio:.2} times as long"
        );
    }
}

/// Lets this thread have only what processor time the others leave: hostile clients bring machines of their own,
/// and what they make the host do is to be measured, not what they do themselves.
fn stand_back() {
    const LEAST: i32 = 19;
    rustix::process::setpriority_process(None, LEAST).unwrap();
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// What the honest client waits, and what the host uses meanwhile. The hostile ones end in any case.
async fn measured(host: &Host, time: Duration, over: &AtomicBool) -> (Duration, [Usage; 3]) {
    let _end = End(over);
    futures::join!(honest(host, time), watch(host, time / 3))
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn host() -> Host {
    let settings = Settings::default()
        .set("api.clients", CLIENTS.replace('\n', " "))
        .set("api.body_timeout_seconds", 1)
        .set("api.write_timeout_seconds", 1)
        .set("memory.budget_bytes", BUDGET);
    Host::with(&["echo"], settings).await
}

fn with_token(host: &Host, token: &str) -> Agent {
    let echo = host.agent("echo");
    echo.with_header("authorization", &format!("Bearer {token}"))
}

/// Sends at a steady pace; each task must end and be right. Returns the 99th percentile of the waits.
async fn honest(host: &Host, time: Duration) -> Duration {
    let agent = with_token(host, HONEST);
    agent.send(message("warm up")).await;
    let mut waits = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < time {
        let sent = Instant::now();
        let text = format!("number {}", waits.len());
        let done = agent.send(message(&text)).await;
        assert_eq!(task::artifact(&done, "echo"), text);
        waits.push(sent.elapsed());
        sleep(PACE).await;
    }
    waits.sort_unstable();
    waits[waits.len() * 99 / 100]
}

/// The most of each that the host had within some time.
#[derive(Debug, Default, Clone, Copy)]
struct Usage {
    bytes: u64,
    files: usize,
    threads: u64,
}

/// What the host uses in each third of the run.
async fn watch(host: &Host, third: Duration) -> [Usage; 3] {
    let mut thirds = [Usage::default(); 3];
    for most in &mut thirds {
        let begin = Instant::now();
        while begin.elapsed() < third {
            most.bytes = most.bytes.max(host.resident_bytes());
            most.files = most.files.max(host.descriptors());
            most.threads = most.threads.max(host.threads());
            sleep(PACE).await;
        }
    }
    thirds
}

async fn hostile(host: &Host, over: &AtomicBool) {
    futures::join!(
        hold(host, over, |_| String::new()),
        hold(host, over, |address| format!(
            "GET /agents/echo/tasks HTTP/1.1\r\nhost: {address}\r\nx-slow: "
        )),
        hold(host, over, |address| post(
            address,
            HOSTILE,
            30 << 20,
            &" ".repeat(1 << 20)
        )),
        hold(host, over, |address| post(
            address,
            "a-token-of-nobody",
            1 << 20,
            "{"
        )),
        hold(host, over, |_| {
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".to_owned()
        }),
        hold(host, over, |address| {
            let path = "/agents/echo/tasks?includeArtifacts=true&pageSize=100";
            format!(
                "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {READER}\r\na2a-version: 1.0\r\n\r\n"
            )
        }),
        refused(host, over),
        large(host, over),
        webhooks(host, over),
        streams(host, over),
        components(host, over),
    );
}

fn post(address: &str, token: &str, length: usize, begin: &str) -> String {
    format!(
        "POST /agents/echo HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{begin}"
    )
}

/// Opens connections one after the other, says something over each, and keeps the newest ones unread.
async fn hold(host: &Host, over: &AtomicBool, what: impl Fn(&str) -> String) {
    let address = raw::address(host);
    let mut held: Vec<TcpStream> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let mut stream = raw::connect(host).await;
        raw::send(&mut stream, what(&address).as_bytes()).await;
        held.push(stream);
        if held.len() > HELD {
            held.remove(0);
        }
        sleep(HOSTILE_PACE).await;
    }
}

/// Asks for what it may not, many at a time.
async fn refused(host: &Host, over: &AtomicBool) {
    let reader = with_token(host, READER);
    while !over.load(Ordering::Relaxed) {
        let sends = (0..HELD).map(|_| async {
            let params = json!({"message": message("no")});
            assert_eq!(reader.refused("SendMessage", params).await.status, 403);
        });
        join_all(sends).await;
        sleep(HOSTILE_PACE).await;
    }
}

/// Sends values that would be large in memory. The host may refuse in the middle.
async fn large(host: &Host, over: &AtomicBool) {
    let body = format!(r#"{{"unknown":[{}]}}"#, vec!["{}"; 1_200_000].join(","));
    let url = format!("{}/agents/echo/message:send", host.url());
    while !over.load(Ordering::Relaxed) {
        let request = http::client()
            .post(&url)
            .header("content-type", "application/json")
            .header("a2a-version", "1.0")
            .bearer_auth(HOSTILE)
            .body(body.clone());
        if let Ok(answer) = in_time("an answer", request.send()).await {
            assert!([413, 503].contains(&answer.status().as_u16()));
        }
        sleep(10 * HOSTILE_PACE).await;
    }
}

/// Registers webhooks inside, and at names that no resolver knows.
async fn webhooks(host: &Host, over: &AtomicBool) {
    let agent = with_token(host, HOSTILE);
    let done = agent.send(message("x")).await;
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        for url in [
            "http://169.254.169.254/".to_owned(),
            format!("http://n{number}.invalid/"),
        ] {
            let config = json!({"taskId": task::id(&done), "id": "same", "url": url});
            let _ = agent
                .try_call("CreateTaskPushNotificationConfig", config)
                .await;
        }
        sleep(HOSTILE_PACE).await;
    }
}

/// Begins streams and goes away.
async fn streams(host: &Host, over: &AtomicBool) {
    let agent = with_token(host, HOSTILE);
    while !over.load(Ordering::Relaxed) {
        drop(agent.stream(message(&"y".repeat(100_000))).await);
        sleep(HOSTILE_PACE).await;
    }
}

/// Loads what is no component, through the operators' door.
async fn components(host: &Host, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let request = http::client()
            .post(format!("{}/v1/agents", host.admin_url()))
            .bearer_auth(crate::support::host::ADMIN_TOKEN)
            .body([&b"\0asm\x0d\0\x01\0"[..], &[7; 100_000]].concat());
        let answer = in_time("an answer", request.send()).await.unwrap();
        assert!(answer.status().is_client_error(), "{}", answer.status());
        sleep(4 * HOSTILE_PACE).await;
    }
}

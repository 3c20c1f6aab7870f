//! Components that take the compiler very long, or very much memory, and pass all that is looked at before.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures::future::select_all;
use reqwest::Method;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::usage::number_in_status;
use crate::support::{Host, Settings, eventually, in_time, message, places, task};

const MIB: u64 = 1 << 20;
/// Loops within each other, and beside each other: 275 KB that take a minute and 5 GB, and more of both if
/// the compiler may have it.
const LOOPS: (u32, u32) = (900, 22);
const LOCALS: u32 = 4_096;
/// What a host may keep of several such components at once.
const GROWTH: u64 = 192 * MIB;

/// A number as WebAssembly writes it.
fn number(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], number(content.len() as u32).as_slice(), content].concat()
}

/// Loops that copy all locals around, so that everything depends on everything.
fn body() -> Vec<u8> {
    let (depth, rows) = LOOPS;
    let mut code = [&[1], number(LOCALS).as_slice(), &[0x7f]].concat();
    let local = |code: &mut Vec<u8>, operation: u8, index: u32| {
        code.push(operation);
        code.extend(number(index % LOCALS));
    };
    for row in 0..rows {
        for level in 0..depth {
            code.extend([0x03, 0x40]);
            local(&mut code, 0x20, level * 7 + row);
            local(&mut code, 0x21, level * 13 + 5 + row);
        }
        for level in 0..depth {
            local(&mut code, 0x20, level * 11 + row);
            code.extend([0x0d, 0, 0x0b]);
        }
    }
    code.push(0x0b);
    code
}

/// The same for each number, under another digest.
pub(super) fn hostile(number_of: u32) -> Vec<u8> {
    let body = body();
    let body = [number(body.len() as u32), body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[1, 0]),
        section(10, &[&[1], body.as_slice()].concat()),
    ];
    let export = [
        &[1, 0, 29][..],
        b"taskyard:worker/handler@0.2.1",
        &[5, 0, 0],
    ];
    let component = [
        b"\0asm\x0d\0\x01\0".to_vec(),
        section(1, &module.concat()),
        section(5, &[1, 1, 0]),
        section(11, &export.concat()),
        section(
            0,
            &[&[1, b'n'], number_of.to_le_bytes().as_slice()].concat(),
        ),
    ];
    component.concat()
}

/// What the host says to a component.
struct Answer {
    status: u16,
    retry_after: Option<String>,
    text: String,
}

/// Begins to load a component.
fn begin(host: &Host, component: Vec<u8>) -> JoinHandle<reqwest::Result<Answer>> {
    let request = host.admin().request(Method::POST, "/v1/agents");
    let request = request.header("content-type", "application/wasm");
    tokio::spawn(async move {
        let answer = request.body(component).send().await?;
        let retry_after = answer.headers().get("retry-after");
        Ok(Answer {
            status: answer.status().as_u16(),
            retry_after: retry_after.map(|it| it.to_str().unwrap().to_owned()),
            text: answer.text().await?,
        })
    })
}

async fn answer(load: JoinHandle<reqwest::Result<Answer>>) -> Answer {
    in_time("an answer", load).await.unwrap().unwrap()
}

/// The process that compiles.
pub(super) async fn compiler(host: &Host) -> u32 {
    eventually("a compiler", async || host.children().first().copied()).await
}

pub(super) async fn gone(process: u32) {
    let folder = format!("/proc/{process}");
    eventually("the end of the compiler", async || {
        let state = fs::read_to_string(format!("{folder}/stat")).unwrap_or_default();
        let is_over = state.is_empty() || state.contains(") Z ");
        is_over.then_some(())
    })
    .await;
}

fn with_seconds(seconds: u64) -> Settings {
    Settings::default().set("engine.compile_timeout_seconds", seconds)
}

#[tokio::test]
async fn what_compiles_for_too_long_is_stopped_and_nobody_waits_for_it() {
    let host = Host::with(&["echo"], with_seconds(5)).await;
    let echo = host.agent("echo");
    echo.send(message("warm up")).await;
    let before = host.resident_bytes();

    let refused = begin(&host, hostile(0));
    let process = compiler(&host).await;
    let other = begin(&host, fs::read(places::plugin("csv-report")).unwrap());

    assert_has_nothing_of_the_host(process).await;
    for text in ["one", "two", "three"] {
        assert_eq!(
            task::artifact(&echo.send(message(text)).await, "echo"),
            text
        );
        assert_eq!(host.admin().get("/healthz").await.status, 200);
    }
    let Answer {
        status, text: said, ..
    } = answer(refused).await;
    assert_eq!(status, 422, "{said}");
    let expected = "it took longer than 5 s (engine.compile_timeout_seconds)";
    assert!(said.contains(expected), "{said}");
    let other = answer(other).await;
    assert_eq!(other.status, 200, "{}", other.text);
    gone(process).await;
    let grown = host.peak_bytes().saturating_sub(before);
    assert!(grown < GROWTH, "{grown}");
}

/// No variables, no files, no other place than the root, and less of the processor than the host.
async fn assert_has_nothing_of_the_host(process: u32) {
    let folder = format!("/proc/{process}");
    // Before it has become another program, it is a copy of the host.
    eventually("the compiler", async || {
        let command = fs::read_to_string(format!("{folder}/cmdline")).ok()?;
        let limits = fs::read_to_string(format!("{folder}/limits")).ok()?;
        let is_limited = limits
            .lines()
            .any(|line| line.starts_with("Max data size") && line.contains("2147483648"));
        (command.contains("compile-component") && is_limited).then_some(())
    })
    .await;
    let variables = fs::read_to_string(format!("{folder}/environ")).unwrap();
    assert!(!variables.contains("TASKYARD"), "{variables}");
    let place = fs::read_link(format!("{folder}/cwd")).unwrap();
    assert_eq!(place, Path::new("/"));
    for file in fs::read_dir(format!("{folder}/fd")).unwrap() {
        let file = fs::read_link(file.unwrap().path()).unwrap();
        // Whoever started the host may have left it something, so only what it opens itself counts.
        let file = file.display().to_string();
        assert!(!file.starts_with("socket:"), "{file}");
        assert!(!file.contains("/data/"), "{file}");
    }
    let first = fs::read_to_string(format!("{folder}/oom_score_adj")).unwrap();
    assert_eq!(first.trim(), "1000");
}

#[tokio::test]
async fn what_takes_too_much_memory_is_stopped() {
    let settings = with_seconds(60).set("engine.compile_memory_bytes", 256 * MIB);
    let host = Host::start(settings).await;
    let before = host.resident_bytes();
    let refused = begin(&host, hostile(0));
    let process = compiler(&host).await;
    let mut most = 0;
    while let Some(bytes) = number_in_status(process, "VmHWM:") {
        most = most.max(bytes << 10);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let Answer {
        status, text: said, ..
    } = answer(refused).await;
    assert_eq!(status, 422, "{said}");
    let expected = "it took more than 268435456 bytes of memory (engine.compile_memory_bytes)";
    assert!(said.contains(expected), "{said}");
    // The program itself is no data.
    assert!(most < 320 * MIB, "{most}");
    assert!(host.peak_bytes() < before + GROWTH);
}

#[tokio::test]
async fn not_many_wait_and_a_client_that_goes_away_frees_no_place() {
    let host = Host::start(with_seconds(3_000)).await;
    let before = host.resident_bytes();
    let first = begin(&host, hostile(0));
    let process = compiler(&host).await;
    let loads = (1..20).map(|it| begin(&host, hostile(it)));
    let (refused, _, waiting) = in_time("a refusal", select_all(loads)).await;
    let refused = refused.unwrap().unwrap();
    assert_eq!(refused.status, 503);
    assert_eq!(refused.retry_after.as_deref(), Some("10"));
    let expected = "another component is being compiled, and 8 wait";
    assert!(refused.text.contains(expected), "{}", refused.text);

    // A deployment that has begun is finished, so what it takes is not free before.
    first.abort();
    for load in &waiting {
        load.abort();
    }
    let refused = answer(begin(&host, hostile(99))).await;
    assert_eq!(refused.status, 503);
    assert_eq!(host.children(), [process], "one at a time");
    assert!(host.peak_bytes() < before + GROWTH);
}

#[tokio::test]
async fn a_host_that_is_told_to_stop_does_not_wait_for_a_compiler() {
    let settings = with_seconds(3_000).set("shutdown_grace_seconds", 1);
    let host = Host::start(settings).await;
    let _load = begin(&host, hostile(0));
    let process = compiler(&host).await;
    let told = Instant::now();
    host.terminate();
    assert_eq!(host.exited().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(17), "{told:?}");
    gone(process).await;
}

#[tokio::test]
async fn a_compiler_ends_with_a_host_that_is_killed() {
    let host = Host::start(with_seconds(3_000)).await;
    let _load = begin(&host, hostile(0));
    let process = compiler(&host).await;
    host.kill();
    gone(process).await;
}

#[tokio::test]
async fn a_task_that_needs_its_component_compiled_does_not_wait_for_those_that_are_loaded() {
    let host = Host::with(&["echo"], with_seconds(3_000)).await;
    host.kill();
    fs::remove_dir_all(host.data().join("components")).unwrap();
    host.restart().await;
    let _load = begin(&host, hostile(0));
    let process = compiler(&host).await;
    let done = host.agent("echo").send(message("first")).await;
    assert_eq!(task::artifact(&done, "echo"), "first");
    assert_eq!(host.children(), [process], "it still compiles");
}

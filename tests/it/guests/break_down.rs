//! Workers that never come back, or come back broken.

use super::{check, check_parked, host};
use crate::support::Event;
use crate::support::task;

#[tokio::test]
async fn an_endless_loop_meets_the_cpu_limit() {
    check("endless-loop", "FAILED", "exceeded the CPU limit of 500 ms").await;
}

#[tokio::test]
async fn a_memory_bomb_meets_the_memory_limit() {
    check(
        "memory-bomb",
        "FAILED",
        "exceeded the memory limit of 33554432 bytes",
    )
    .await;
}

#[tokio::test]
async fn a_worker_that_can_do_without_memory_goes_on() {
    let ended = check("memory-hog", "COMPLETED", " MiB").await;
    let got: u32 = task::says(&ended)
        .strip_suffix(" MiB")
        .unwrap()
        .parse()
        .unwrap();
    assert!((16..=32).contains(&got), "{got} of 32 MiB");
}

#[tokio::test]
async fn a_stack_overflow_is_a_trap() {
    check_parked("stack-overflow", "the worker trapped: ").await;
}

#[tokio::test]
async fn a_panic_tells_its_message() {
    check_parked("trap", "told to panic").await;
}

#[tokio::test]
async fn an_abort_is_a_trap() {
    check_parked("abort", "the worker trapped: ").await;
}

#[tokio::test]
async fn leaving_is_not_returning() {
    check_parked("exit 3", "the worker left with exit code").await;
    check_parked("exit 0", "the worker left with exit code").await;
}

#[tokio::test]
async fn what_was_said_before_a_panic_stays_said_once() {
    let host = host().await;
    let id = check_parked("panic-after-emissions 5", "told to panic after emissions").await;
    let misbehaving = host.agent("misbehaving");
    misbehaving
        .call("CancelTask", serde_json::json!({"id": id}))
        .await;
    let log = misbehaving.subscribe(&id, Some(0)).await.rest().await;
    let said: Vec<_> = log.iter().filter_map(Event::text).collect();
    let expected = [
        "emission 1",
        "emission 2",
        "emission 3",
        "emission 4",
        "emission 5",
    ];
    assert_eq!(said[..5], expected);
    assert_eq!(said.len(), 6, "and that it stands still: {said:?}");
}

#[tokio::test]
async fn a_busy_wait_for_the_clock_ends() {
    let ended = check("spin-ready", "COMPLETED", "").await;
    assert!(task::artifact(&ended, "spun").ends_with(" reads"));
}

#[tokio::test]
async fn a_worker_ends_as_it_says() {
    check("permanent", "FAILED", "failed for good").await;
    check("reject", "REJECTED", "told to reject").await;
    check("reply", "COMPLETED", "told to reply").await;
    check("nothing-of-this-name", "FAILED", "nothing-of-this-name").await;
}

#[tokio::test]
async fn the_sandbox_has_no_input_and_swallows_output() {
    let ended = check("stdin-stdout", "COMPLETED", "").await;
    assert_eq!(task::artifact(&ended, "stdin"), "0 bytes");
}

#[tokio::test]
async fn a_sleep_takes_as_long_as_it_should() {
    let ended = check("sleep 30", "COMPLETED", "").await;
    let slept = task::artifact(&ended, "slept");
    let slept: u64 = slept.strip_suffix(" ms").unwrap().parse().unwrap();
    assert!(slept >= 30, "{slept}");
}

//! The crash test: a host under load is ended again and again, at random moments.
//!
//! Clients send tasks to all example plugins, follow them, answer questions and register webhooks,
//! and simply go on after each crash as real clients would. At the end each task that was acknowledged
//! must exist, have ended once and right, and have been seen the same by everybody. The moments come
//! from a seed, which is printed; `TASKYARD_SEED` repeats them. `TASKYARD_CRASHES` makes it longer.

mod check;
mod client;
mod job;

use std::cell::Cell;
use std::time::Duration;

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use crate::support::host::EXAMPLES;
use crate::support::{Host, Settings, Webhook};
use client::{Client, Finished};
use job::Job;

/// How often the host is killed, if nothing else is said.
const CRASHES: u64 = 15;
/// How long the host lives each time, in milliseconds: sometimes not long enough to get anything done.
const LIFE_MS: std::ops::Range<u64> = 20..900;
/// How long a host lives that is killed while it starts.
const START_MS: std::ops::Range<u64> = 0..40;
/// Clients at once. Each has one task after the other.
const CLIENTS: usize = 32;
/// A client does not begin further tasks beyond this many for each crash, so that checking does not take
/// longer than crashing.
const MAX_JOBS_PER_CRASH: u64 = 66;

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_doubled_or_changed() {
    let seed = seed();
    let crashes = std::env::var("TASKYARD_CRASHES").map_or(CRASHES, |text| text.parse().unwrap());
    let host = start().await;
    let webhook = Webhook::willing().await;
    let over = Cell::new(false);
    let next = Cell::new(0);
    let most = crashes * MAX_JOBS_PER_CRASH;
    let clients = (0..CLIENTS).map(|_| work(&host, &webhook, seed, &next, &over, most));

    let ((), finished) = futures::join!(crash(&host, seed, crashes, &over), join_all(clients));

    let finished: Vec<_> = finished.into_iter().flatten().collect();
    // Once more, so that everything is checked as it is on the disk.
    host.kill();
    host.restart().await;
    for one in &finished {
        check::task(&host, &webhook, one).await;
    }
    check::nothing_else(&host, &finished).await;
    let reconnects: usize = finished.iter().map(|one| one.reconnects).sum();
    println!(
        "{} tasks, {crashes} crashes, {reconnects} reconnects",
        finished.len()
    );
    assert!(
        finished.len() >= CLIENTS && reconnects > 0,
        "there was no load"
    );
}

fn seed() -> u64 {
    let seed = std::env::var("TASKYARD_SEED").ok();
    let seed = seed.map_or_else(rand::random, |seed| seed.parse().unwrap());
    println!("TASKYARD_SEED={seed}");
    seed
}

async fn start() -> Host {
    Host::with(&EXAMPLES, Settings::default().local_webhooks()).await
}

/// Ends the host as often as it must be, and starts it again: mostly by killing it, now and then by
/// asking it to stop, and sometimes it is killed again while it takes up its tasks.
async fn crash(host: &Host, seed: u64, crashes: u64, over: &Cell<bool>) {
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..crashes {
        sleep(Duration::from_millis(rng.random_range(LIFE_MS))).await;
        match rng.random_range(0..4) {
            0 => {
                host.terminate();
                assert_eq!(host.exited().await.code(), Some(0));
            }
            1 => {
                host.kill();
                let life = rng.random_range(START_MS);
                host.false_start(Duration::from_millis(life)).await;
            }
            _ => host.kill(),
        }
        host.restart().await;
    }
    over.set(true);
}

/// One client: a task after the other until there were enough crashes.
async fn work(
    host: &Host,
    webhook: &Webhook,
    seed: u64,
    next: &Cell<u64>,
    over: &Cell<bool>,
    most: u64,
) -> Vec<Finished> {
    let mut finished = Vec::new();
    while !over.get() && next.get() < most {
        let number = next.replace(next.get() + 1);
        let job = Job::random(number, seed);
        let client = Client::new(host, job.agent(), number);
        finished.push(client.see_through(job, webhook).await);
    }
    finished
}

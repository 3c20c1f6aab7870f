//! The closed loop: each client does the next thing when the last one is done.
//!
//! It says what a server can do at most. A slow answer delays the next request, so the latencies are those
//! of clients that wait for each other, not of arrivals: those are the open loop's.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;

use super::Samples;
use crate::now;

/// Lets every client do its job again and again for a time.
pub(crate) async fn closed<C>(
    clients: &mut [C],
    time: Duration,
    job: impl AsyncFn(&mut C) -> Result<()>,
) -> Result<Samples> {
    let samples = RefCell::new(Samples::new()?);
    let (began, job) = (now(), &job);
    try_join_all(clients.iter_mut().map(async |client| {
        while began.elapsed() < time {
            let start = now();
            job(client).await?;
            samples.borrow_mut().add(start.elapsed());
        }
        anyhow::Ok(())
    }))
    .await?;
    let mut samples = samples.into_inner();
    samples.over = began.elapsed();
    Ok(samples)
}

/// Shares `count` jobs among the clients; each gives the number of the job.
pub(crate) async fn each<C>(
    clients: &mut [C],
    count: usize,
    job: impl AsyncFn(&mut C, usize) -> Result<()>,
) -> Result<Samples> {
    let samples = RefCell::new(Samples::new()?);
    let (began, next, job) = (now(), RefCell::new(0..count), &job);
    try_join_all(clients.iter_mut().map(async |client| {
        loop {
            let Some(number) = next.borrow_mut().next() else {
                return anyhow::Ok(());
            };
            let start = now();
            job(client, number).await?;
            samples.borrow_mut().add(start.elapsed());
        }
    }))
    .await?;
    let mut samples = samples.into_inner();
    samples.over = began.elapsed();
    Ok(samples)
}

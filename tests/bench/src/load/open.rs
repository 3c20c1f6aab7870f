//! The open loop: things are due at a fixed rate, whatever becomes of those before.
//!
//! A latency counts from the moment at which its request was due, not from when a client was free to send
//! it: otherwise a server that stalls would be measured once where a hundred people waited (coordinated
//! omission). The timer's own lateness is not the server's: who waited for the moment counts from waking up.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;

use super::Samples;
use crate::now;

/// Does `rate` jobs a second for a time, as far as the clients suffice.
pub(crate) async fn open<C>(
    clients: &mut [C],
    rate: f64,
    time: Duration,
    job: impl AsyncFn(&mut C) -> Result<()>,
) -> Result<Samples> {
    let samples = RefCell::new(Samples::new()?);
    let schedule = RefCell::new(Schedule::new(now(), rate, time));
    let (began, job) = (now(), &job);
    try_join_all(clients.iter_mut().map(async |client| {
        loop {
            let Some(due) = schedule.borrow_mut().next() else {
                return anyhow::Ok(());
            };
            let start = at(due).await;
            job(client).await?;
            samples.borrow_mut().add(start.elapsed());
        }
    }))
    .await?;
    let mut samples = samples.into_inner();
    samples.over = began.elapsed();
    Ok(samples)
}

/// Waits for a moment; gives the moment from which to count.
async fn at(due: Instant) -> Instant {
    if now() >= due {
        return due;
    }
    tokio::time::sleep_until(due.into()).await;
    now()
}

/// The moments at which things are due.
struct Schedule {
    began: Instant,
    every: Duration,
    place: u32,
    count: u32,
}

impl Schedule {
    fn new(began: Instant, rate: f64, time: Duration) -> Self {
        Self {
            began,
            every: Duration::from_secs_f64(1.0 / rate),
            place: 0,
            count: (rate * time.as_secs_f64()) as u32,
        }
    }
}

impl Iterator for Schedule {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        let due = self.began + self.every * self.place;
        self.place += 1;
        (self.place <= self.count).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_due_at_the_rate() {
        let began = now();
        let schedule = Schedule::new(began, 4.0, Duration::from_secs(1));
        let due: Vec<_> = schedule.map(|due| (due - began).as_millis()).collect();
        assert_eq!(due, [0, 250, 500, 750]);
    }

    /// Who waits behind a stalled request has waited since its own moment.
    #[tokio::test]
    async fn a_stall_counts_for_everybody_behind_it() {
        let late = at(now() - Duration::from_secs(2)).await;
        assert!(late.elapsed() >= Duration::from_secs(2));
    }
}

//! The background loop that empties the outbox.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use taskyard_broker::{Broker, Delivery, Lane, NextDelivery};
use taskyard_clock::{Clock, IdSource};
use taskyard_task::Timestamp;
use taskyard_task::commit::DeliveryState;
use taskyard_task::decide::RetryPolicy;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::config::{Config, Error};
use crate::guard::UrlGuard;
use crate::metric::{self, Ended};
use crate::outbox::Outbox;
use crate::post::{Outcome, Poster};
use crate::proof::Issuer;
use crate::schedule::{Schedule, Verdict};

/// How long a lane rests when the broker cannot say or take what is due in it.
const BROKER_PAUSE_MS: u64 = 1_000;
/// The same while the names of its tenant wait to be looked up.
const BUSY_PAUSE_MS: u64 = 5_000;
/// The longest sleep: the clock may be set while the loop waits.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// Delivers notifications.
#[derive(Debug)]
pub struct Notifier {
    dispatcher: Dispatcher<Broker>,
    guard: UrlGuard,
}

impl Notifier {
    /// A notifier for what `broker` has due.
    ///
    /// # Errors
    /// If the configuration is wrong, or no HTTP client can be made.
    pub fn new(
        config: &Config,
        broker: Broker,
        clock: Clock,
        ids: IdSource,
    ) -> Result<Self, Error> {
        let guard = UrlGuard::new(config)?;
        let dispatcher = Dispatcher::new(config, guard.clone(), broker, clock, ids)?;
        Ok(Self { dispatcher, guard })
    }

    /// Signs what it posts. The name of the issuer is known only once the host listens.
    #[must_use]
    pub fn signed_by(mut self, issuer: Issuer) -> Self {
        self.dispatcher.sign_as(issuer);
        self
    }

    /// The guard that it posts through: also the policy for new registrations.
    #[must_use]
    pub fn guard(&self) -> UrlGuard {
        self.guard.clone()
    }

    /// Delivers until `stop` is cancelled, and finishes what is under way then. It may be dropped at
    /// any time: what was not reported to the broker is delivered again after the next start.
    pub async fn run(&self, stop: CancellationToken) {
        self.dispatcher.run(stop).await;
    }
}

/// Serves lanes, many at once, each in order.
#[derive(Debug)]
pub(crate) struct Dispatcher<O> {
    outbox: O,
    poster: Poster,
    clock: Clock,
    ids: IdSource,
    retry: RetryPolicy,
    max_concurrent: usize,
}

impl<O: Outbox> Dispatcher<O> {
    pub(crate) fn new(
        config: &Config,
        guard: UrlGuard,
        outbox: O,
        clock: Clock,
        ids: IdSource,
    ) -> Result<Self, Error> {
        config.check()?;
        Ok(Self {
            outbox,
            poster: Poster::new(config, guard)?,
            clock,
            ids,
            retry: config.retry(),
            max_concurrent: config.max_concurrent,
        })
    }

    /// Signs what it posts from now on.
    pub(crate) fn sign_as(&mut self, issuer: Issuer) {
        self.poster.sign_as(issuer);
    }

    pub(crate) async fn run(&self, stop: CancellationToken) {
        let mut schedule = Schedule::new(self.max_concurrent);
        let mut turns = FuturesUnordered::new();
        loop {
            schedule.advance(self.clock.now());
            while let Some(lane) = schedule.take() {
                turns.push(self.serve(lane));
            }
            metric::lanes(schedule.len());
            tokio::select! {
                () = stop.cancelled() => break,
                Some((lane, verdict)) = turns.next() => schedule.finish(lane, verdict),
                lanes = self.outbox.lanes_ready(), if schedule.has_room() => {
                    lanes.into_iter().for_each(|lane| schedule.wake(lane));
                }
                () = self.sleep_until(schedule.next_due()) => {}
            }
        }
        while turns.next().await.is_some() {}
    }

    async fn sleep_until(&self, due: Option<Timestamp>) {
        let left = due.map(|due| Duration::from_millis(due.millis_since(self.clock.now())));
        tokio::time::sleep(left.unwrap_or(MAX_SLEEP).min(MAX_SLEEP)).await;
    }

    /// One turn of a lane: at most one notification, so that lanes with many take turns.
    pub(crate) async fn serve(&self, lane: Lane) -> (Lane, Verdict) {
        let verdict = match self.outbox.next_delivery(&lane).await {
            Ok(NextDelivery::Nothing) => Verdict::Nothing,
            // Without a moment it is given up: a new registration clears that, and so does an operator.
            Ok(NextDelivery::NotBefore(at)) => at.map_or(Verdict::Nothing, Verdict::Later),
            Ok(NextDelivery::Due(delivery)) => self.attempt(*delivery).await,
            Err(error) => self.pause(&lane, &error),
        };
        (lane, verdict)
    }

    async fn attempt(&self, delivery: Delivery) -> Verdict {
        let outcome = self.poster.post(&delivery).await;
        self.report(&delivery, outcome).await
    }

    async fn report(&self, delivery: &Delivery, outcome: Outcome) -> Verdict {
        let (problem, hopeless) = match outcome {
            Outcome::Delivered => return self.delivered(delivery).await,
            // The webhook is not to blame, and is not given up for it.
            Outcome::Busy => return self.busy(&delivery.lane),
            Outcome::Failed(problem) => (problem, false),
            Outcome::Hopeless(problem) => (problem, true),
        };
        let state = self.after_failure(delivery, problem, hopeless);
        log_failure(delivery, &state);
        match self.outbox.failed(delivery, state.clone()).await {
            Ok(()) => state.retry_at.map_or(Verdict::Nothing, Verdict::Later),
            Err(error) => self.pause(&delivery.lane, &error),
        }
    }

    async fn delivered(&self, delivery: &Delivery) -> Verdict {
        metric::delivery(Ended::Delivered);
        match self.outbox.delivered(delivery).await {
            Ok(()) => Verdict::Delivered,
            Err(error) => self.pause(&delivery.lane, &error),
        }
    }

    fn after_failure(&self, delivery: &Delivery, problem: String, hopeless: bool) -> DeliveryState {
        let before = delivery.state.as_ref().map_or(0, |state| state.attempts);
        let attempts = before.saturating_add(1);
        let jitter = self.ids.up_to(RetryPolicy::JITTER_SCALE);
        let delay = self.retry.delay_ms(attempts, None, jitter);
        let retry_at = delay.map(|millis| self.clock.now().plus_millis(millis));
        DeliveryState {
            attempts,
            last_error: problem,
            retry_at: retry_at.filter(|_| !hopeless),
        }
    }

    fn pause(&self, lane: &Lane, error: &taskyard_broker::Error) -> Verdict {
        debug!(task = %lane.task, config = lane.config, %error, "a delivery is put off");
        self.later(BROKER_PAUSE_MS)
    }

    fn busy(&self, lane: &Lane) -> Verdict {
        debug!(task = %lane.task, config = lane.config, "a delivery waits for its name to be looked up");
        self.later(BUSY_PAUSE_MS)
    }

    fn later(&self, millis: u64) -> Verdict {
        Verdict::Later(self.clock.now().plus_millis(millis))
    }
}

fn log_failure(delivery: &Delivery, state: &DeliveryState) {
    let DeliveryState {
        attempts,
        last_error,
        retry_at,
    } = state;
    let task = delivery.lane.task;
    let config = &delivery.lane.config;
    if retry_at.is_some() {
        metric::delivery(Ended::WillRetry);
        debug!(%task, config, attempts, last_error, "a webhook failed and is tried again");
    } else {
        metric::delivery(Ended::GaveUp);
        warn!(%task, config, attempts, last_error, "a webhook is given up until it is registered anew or retried");
    }
}

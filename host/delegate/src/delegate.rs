//! The background loop that gives each child its turns.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use taskyard_broker::Broker;
use taskyard_clock::{Clock, IdSource};
use taskyard_outbound::Outbound;
use taskyard_task::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::agent::Agents;
use crate::desk::Desk;
use crate::follow::Follower;
use crate::pace::Pace;
use crate::schedule::{Schedule, Turn, Verdict};

/// Turns at once: each is a request under way, or a stream.
const MAX_TURNS: usize = 256;
/// The longest sleep: the clock may be set while the loop waits.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// Looks after children on other hosts. Cheap to clone.
#[derive(Clone)]
pub struct Delegate {
    broker: Broker,
    outbound: Outbound,
    clock: Clock,
    ids: IdSource,
}

impl std::fmt::Debug for Delegate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delegate").finish_non_exhaustive()
    }
}

impl Delegate {
    /// For the children that `broker` keeps; all requests go out through `outbound`.
    #[must_use]
    pub fn new(broker: Broker, outbound: Outbound, clock: Clock, ids: IdSource) -> Self {
        Self {
            broker,
            outbound,
            clock,
            ids,
        }
    }

    /// Looks after children until `stop` is cancelled, and finishes what is under way then. It may be
    /// dropped at any time: what was not reported to the broker is found out after the next start.
    pub async fn run(&self, stop: CancellationToken) {
        let agents = Agents::new(self.outbound.clone(), self.clock.clone());
        let follower = Follower::new(
            self.broker.clone(),
            agents,
            self.clock.clone(),
            self.ids.clone(),
            Pace::default(),
            stop.clone(),
        );
        run(&follower, &self.clock, &stop).await;
    }
}

/// Gives turns until `stop` is cancelled.
pub(crate) async fn run<D: Desk>(follower: &Follower<D>, clock: &Clock, stop: &CancellationToken) {
    let mut schedule = Schedule::new(MAX_TURNS);
    let mut turns = FuturesUnordered::new();
    loop {
        schedule.advance(clock.now());
        while let Some(turn) = schedule.take() {
            turns.push(do_turn(follower, turn));
        }
        metrics::gauge!("taskyard_remote_children").set(schedule.len() as f64);
        tokio::select! {
            () = stop.cancelled() => break,
            Some((turn, verdict)) = turns.next() => schedule.finish(turn, verdict),
            children = follower.desk.ready(), if schedule.has_room() => {
                children.into_iter().for_each(|child| schedule.wake(child));
            }
            () = sleep_until(clock, schedule.next_due()) => {}
        }
    }
    while turns.next().await.is_some() {}
}

async fn do_turn<D: Desk>(follower: &Follower<D>, mut turn: Turn) -> (Turn, Verdict) {
    let verdict = follower.turn(turn.id, &mut turn.memory, &turn.poke).await;
    (turn, verdict)
}

async fn sleep_until(clock: &Clock, due: Option<Timestamp>) {
    let left = due.map(|due| Duration::from_millis(due.millis_since(clock.now())));
    tokio::time::sleep(left.unwrap_or(MAX_SLEEP).min(MAX_SLEEP)).await;
}

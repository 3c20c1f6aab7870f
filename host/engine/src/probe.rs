//! Tries a component against the log of a task: it is replayed, and stopped before it does anything new.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, pending, ready};
use taskyard_broker::{Error, Fit, Probe, Prober, Trial};
use taskyard_clock::Clock;
use taskyard_outbound::Request;
use taskyard_task::decide::{Breakdown, Outcome};
use taskyard_task::http::{HttpError, HttpHead, HttpResponse};
use taskyard_task::{
    AgentName, ChildCall, ContextCall, ContextResult, Entry, Event, InputKind, Seq, StateCall,
    StateResult, Ticket, Timestamp,
};

use crate::inspect::Turns;
use crate::instance::{Performed, Prepared};
use crate::replay::{Body, ChildBegun, Gate, Network, Page, Stop, TaskLog};
use crate::sandbox::Sandbox;
use crate::verdict::{End, Ended};
use crate::workers::{LoadError, Workers};

/// What a probe may take. A replay does not wait, so this also bounds what it computes; logs of a hundred
/// thousand entries take about a second.
const TIME: Duration = Duration::from_secs(60);

/// The engine's side of probes.
pub(crate) struct LogProber {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Clock,
    /// Shared with inspections.
    pub(crate) turns: Turns,
}

impl LogProber {
    async fn try_out(&self, trial: Trial) -> Result<Probe, Error> {
        let header = trial.header().clone();
        let bytes = || trial.component();
        let worker = self.workers.get(header.digest, bytes).await;
        let worker = worker.map_err(|error| match error {
            LoadError::Broker(error) => error,
            LoadError::Unusable(problem) | LoadError::GaveUp(problem) => Error::PluginRefused(
                format!("the component does not run on this host: {problem}"),
            ),
        })?;
        // The semaphore is never closed; without a permit the pool would be short, and say so.
        let _turn = self.turns.acquire().await;
        let log = Arc::new(Past(trial));
        let opened = Prepared::try_out(worker, &header, log, Arc::new(Nowhere), &self.clock).await;
        let prepared = match opened {
            Ok(prepared) => prepared,
            Err(end) => {
                let (replayed, fit) = (0, fit_of_end(end, Seq::ZERO)?);
                return Ok(Probe { replayed, fit });
            }
        };
        let too_long = async {
            tokio::time::sleep(TIME).await;
            Ended::WallLimit(TIME.as_millis() as u64)
        };
        let performed = prepared.perform(&self.sandbox, too_long).await;
        Ok(Probe {
            replayed: performed.ctx().gate().map_or(0, Gate::replayed),
            fit: fit(performed)?,
        })
    }
}

impl Prober for LogProber {
    fn probe(&self, trial: Trial) -> BoxFuture<'_, Result<Probe, Error>> {
        self.try_out(trial).boxed()
    }
}

/// What the end of a trial says about the component.
fn fit(performed: Performed) -> Result<Fit, Error> {
    let gate = performed.ctx().gate();
    let position = gate.map_or(Seq::ZERO, Gate::position);
    let stop = match performed.ended() {
        Ended::Returned(_) => match gate.map(Gate::end) {
            Some(Err(stop)) => Some(stop),
            Some(Ok(())) | None => return Ok(Fit::Compatible),
        },
        Ended::Stopped(stop) => Some(stop.clone()),
        Ended::Broke(error) => error.downcast_ref::<Stop>().cloned(),
        Ended::WallLimit(_) => return Ok(broke("probe-limit", too_long(), position)),
        Ended::Deadline | Ended::CancelGrace => None,
    };
    match stop {
        Some(Stop::EndOfLog) => Ok(Fit::Compatible),
        Some(Stop::Mismatch(difference)) => Ok(Fit::Differs(difference)),
        Some(_) | None => fit_of_end(performed.judge(), position),
    }
}

/// What an end that has nothing to do with the log says about the component.
fn fit_of_end(end: End, position: Seq) -> Result<Fit, Error> {
    match end {
        End::Settled(Outcome::Broke(at) | Outcome::Parked(at)) => Ok(Fit::Broke(at)),
        End::Settled(Outcome::Failed { code, reason, .. }) => Ok(broke(&code, reason, position)),
        End::Abandoned(problem) => Err(Error::Unavailable(problem)),
        End::Settled(_) | End::Suspended | End::Stale => {
            let problem = format!("a probe ended as {:?}", end.word());
            Err(Error::Internal(problem))
        }
    }
}

fn broke(code: &str, reason: String, position: Seq) -> Fit {
    Fit::Broke(Breakdown {
        code: code.to_owned(),
        reason,
        position,
        backtrace: None,
    })
}

fn too_long() -> String {
    let seconds = TIME.as_secs();
    format!("it did not reach the end of the log within {seconds} s")
}

/// A log that can be read.
pub(crate) trait ReadLog: Send + Sync {
    /// At most `most` entries behind `after`.
    fn journal(&self, after: Seq, most: usize) -> Result<Page, Error>;

    /// One entry.
    fn entry(&self, seq: Seq) -> Result<Option<Entry>, Error>;

    /// The oldest entry from outside behind `seq`.
    fn outside_after(&self, seq: Seq) -> Result<Option<(Seq, Entry)>, Error>;
}

impl ReadLog for Trial {
    fn journal(&self, after: Seq, most: usize) -> Result<Page, Error> {
        self.journal(after, most)
    }

    fn entry(&self, seq: Seq) -> Result<Option<Entry>, Error> {
        self.entry(seq)
    }

    fn outside_after(&self, seq: Seq) -> Result<Option<(Seq, Entry)>, Error> {
        self.outside_after(seq)
    }
}

/// The log of a task as it is, and no more: whatever would change something is refused.
pub(crate) struct Past<L>(pub(crate) L);

fn refused<T: Send + 'static>() -> BoxFuture<'static, Result<T, Error>> {
    // The gate stops a worker before it gets here.
    ready(Err(Error::Internal("a probe changes nothing".to_owned()))).boxed()
}

impl<L: ReadLog> TaskLog for Past<L> {
    fn journal(&self, after: Seq, most: usize) -> BoxFuture<'_, Result<Page, Error>> {
        ready(self.0.journal(after, most)).boxed()
    }

    fn entry(&self, seq: Seq) -> BoxFuture<'_, Result<Option<Entry>, Error>> {
        ready(self.0.entry(seq)).boxed()
    }

    fn record(&self, _: Event) -> BoxFuture<'_, Result<(Seq, Timestamp), Error>> {
        refused()
    }

    fn start_child(
        &self,
        _: Ticket,
        _: ChildCall,
        _: Vec<AgentName>,
    ) -> BoxFuture<'_, Result<ChildBegun, Error>> {
        refused()
    }

    fn state(&self, _: StateCall) -> BoxFuture<'_, Result<(Seq, Timestamp, StateResult), Error>> {
        refused()
    }

    fn context(
        &self,
        _: ContextCall,
        _: bool,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp, ContextResult), Error>> {
        refused()
    }

    fn withdraw(
        &self,
        _: Ticket,
        _: Option<InputKind>,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp), Error>> {
        refused()
    }

    fn durable(&self) -> BoxFuture<'static, Result<(), Error>> {
        refused()
    }

    fn cancel_requested(&self) -> bool {
        false
    }

    fn outside_after(&self, seq: Seq) -> BoxFuture<'_, Result<Option<(Seq, Entry)>, Error>> {
        ready(self.0.outside_after(seq)).boxed()
    }

    fn outside_grew(&self, _: Seq) -> BoxFuture<'_, ()> {
        pending().boxed()
    }

    fn suspend(
        &self,
        _: Option<Timestamp>,
        _: Seq,
        _: Option<InputKind>,
        _: u64,
    ) -> BoxFuture<'_, Result<(), Error>> {
        refused()
    }

    fn is_wanted(&self) -> bool {
        false
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        pending().boxed()
    }
}

/// No network.
pub(crate) struct Nowhere;

impl Network for Nowhere {
    fn fetch(&self, _: Request) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
        ready(Err(HttpError::Interrupted)).boxed()
    }

    fn stream(&self, _: Request) -> BoxFuture<'static, Result<(HttpHead, Body), HttpError>> {
        ready(Err(HttpError::Interrupted)).boxed()
    }

    fn new_key(&self) -> String {
        String::new()
    }
}

//! Trying a component against the log of a task, before the task is moved to it.
//!
//! The components run elsewhere: this says what a trial may read, and what comes of it.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use taskyard_task::decide::Breakdown;
use taskyard_task::{Digest, Entry, Header, Seq, TaskId};

use crate::broker::Broker;
use crate::error::Error;

/// Entries that are read at once while looking for what came from outside.
const PAGE: usize = 64;

/// Port: tries a component against the log of a task. Implemented where components are run. Nothing is
/// appended, sent or done.
pub trait Prober: Send + Sync {
    /// Runs the component until it did all that the log says, or something else.
    ///
    /// # Errors
    /// If it could not be tried; that says nothing about the component.
    fn probe(&self, trial: Trial) -> BoxFuture<'_, Result<Probe, Error>>;
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// How many entries the component repeated.
    pub replayed: u64,
    /// What it did then.
    pub fit: Fit,
}

/// Whether a component can go on with a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It does what the log says, to its end.
    Compatible,
    /// It does something else.
    Differs(Difference),
    /// It comes to a halt.
    Broke(Breakdown),
}

/// Where a worker did something else than the log of its task says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The entry.
    pub seq: Seq,
    /// What kind it is.
    pub logged: &'static str,
    /// What the worker did.
    pub did: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, logged, did } = self;
        write!(
            f,
            "at entry {seq}: the log has `{logged}`, the worker did {did}"
        )
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fit {
            Fit::Compatible => write!(f, "it does what the log says"),
            Fit::Differs(difference) => write!(f, "it differs {difference}"),
            Fit::Broke(at) => write!(f, "it broke behind entry {}: {}", at.position, at.reason),
        }
    }
}

/// A component that is tried, and all that it may read: the log of a task as of now. Nothing can be
/// written through it.
#[derive(Debug, Clone)]
pub struct Trial {
    broker: Broker,
    header: Header,
}

impl Trial {
    /// The task as if it ran the component that is tried.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    #[cfg(test)]
    pub(crate) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The bytes of the component.
    ///
    /// # Errors
    /// [`Error::PluginNotFound`].
    pub async fn component(&self) -> Result<Vec<u8>, Error> {
        self.broker.component(self.header.digest).await
    }

    /// At most `most` entries of the log behind `after`; fewer if they are large, none at its end.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if they cannot be read.
    pub fn journal(&self, after: Seq, most: usize) -> Result<Vec<(Seq, Entry)>, Error> {
        let storage = &self.broker.shared.storage;
        let mut page = storage.log(self.header.id, after, most)?;
        page.retain(|(seq, _)| *seq <= self.header.last);
        Ok(page)
    }

    /// One entry of the log.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if it cannot be read.
    pub fn entry(&self, seq: Seq) -> Result<Option<Entry>, Error> {
        let page = self.journal(Seq(seq.0.saturating_sub(1)), 1)?;
        let found = page.into_iter().find(|(found, _)| *found == seq);
        Ok(found.map(|(_, entry)| entry))
    }

    /// The oldest entry from outside behind entry `seq`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if the log cannot be read.
    pub fn outside_after(&self, seq: Seq) -> Result<Option<(Seq, Entry)>, Error> {
        let mut after = seq;
        while self.header.last_outside > after {
            let page = self.journal(after, PAGE)?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after = *last;
            let found = page
                .into_iter()
                .find(|(_, entry)| entry.event.is_from_outside());
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

impl Broker {
    /// Says who tries components. Without, no task can be moved to another one. Only the first call
    /// counts.
    pub fn set_prober(&self, prober: Arc<dyn Prober>) {
        // A second prober would be a mistake of the composition; the first stays.
        let _ = self.shared.prober.set(prober);
    }

    /// Tries whether a component does what the log of a task says.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`], [`Error::PluginNotFound`]; [`Error::Refused`] if the task has ended.
    pub async fn probe(&self, task: TaskId, digest: Digest) -> Result<Probe, Error> {
        self.probe_as_of(self.unfinished(task)?, digest).await
    }

    pub(crate) async fn probe_as_of(&self, header: Header, digest: Digest) -> Result<Probe, Error> {
        if self.shared.storage.plugin(digest)?.is_none() {
            return Err(Error::PluginNotFound);
        }
        let prober = self.shared.prober.get();
        let prober =
            prober.ok_or_else(|| Error::Unavailable("this host runs no plugins".to_owned()))?;
        let trial = Trial {
            broker: self.clone(),
            header: Header { digest, ..header },
        };
        prober.probe(trial).await
    }
}

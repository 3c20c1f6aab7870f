//! Where `tests/instructions/` reaches a replay: the gate and a log in memory, without the sandbox.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use taskyard_broker::Error;
use taskyard_clock::Clock;
use taskyard_task::{Entry, Event, Header, Seq, Timestamp};

use crate::probe::{Nowhere, Past, ReadLog};
use crate::replay::{Gate, Opening, Page};

/// A worker that is about to do once more what its log says.
pub struct Replay {
    gate: Gate,
    did: Vec<Event>,
}

impl Replay {
    /// A replay of the whole log; `None` if it does not begin as logs do.
    #[must_use]
    pub fn of(header: &Header, log: Vec<(Seq, Entry)>) -> Option<Self> {
        let events = log.iter().map(|(_, entry)| &entry.event);
        let did = events.filter(|event| event.is_journaled());
        let did = did.cloned().collect();
        let log = Arc::new(Past(Pages(Mutex::new(log.into()))));
        let opening = Opening::probe(header);
        let clock = Clock::simulated(Timestamp::default());
        let opened = Gate::open(log, Arc::new(Nowhere), clock, opening).now_or_never()?;
        let (gate, _) = opened.ok()?;
        Some(Self { gate, did })
    }

    /// Does it all, and says how many entries that were; `None` if the log has something else.
    #[must_use]
    pub fn run(mut self) -> Option<u64> {
        for event in self.did {
            self.gate.effect(event).now_or_never()?.ok()?;
        }
        Some(self.gate.replayed())
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}

/// A log that is handed out page by page, each once: to copy entries is no part of a replay.
struct Pages(Mutex<VecDeque<(Seq, Entry)>>);

impl ReadLog for Pages {
    fn journal(&self, _: Seq, most: usize) -> Result<Page, Error> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = most.min(log.len());
        Ok(log.drain(..most).collect())
    }

    fn entry(&self, _: Seq) -> Result<Option<Entry>, Error> {
        Ok(None)
    }

    fn outside_after(&self, _: Seq) -> Result<Option<(Seq, Entry)>, Error> {
        Ok(None)
    }
}

//! State of workers: reads and writes, each together with the entry of the task's log that says so.
//!
//! A write and its entry are one commit, so both happen or neither does, and a replay that finds the
//! entry does not write again. A write is decided under the turn of its place, with what was decided
//! before in view, durable or not. That a task can see what is not durable yet does no harm: what it does
//! with it is committed later, and one committer keeps the order.
//!
//! A commit belongs to the partition of its task, yet conversations, agents and tenants have state that
//! tasks of many partitions write. On one host that is the same: one committer writes all partitions, in
//! one order. With several owners of partitions, a place that is not a task's would need a partition of its
//! own, and a write there would be a letter to it and an answer, each a commit of its own side.

mod on_the_way;
mod sweep;
mod write;

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use taskyard_storage::Reservation;
use taskyard_task::commit::StateBefore;
use taskyard_task::kv::MAX_LISTED;
use taskyard_task::{
    Change, Decision, Event, Input, Seq, StateCall, StatePlace, StateResult, StateScope, Stored,
    Timestamp,
};

use crate::error::Error;
use crate::run::Run;

pub(crate) use on_the_way::StateOnTheWay;
use write::{Basis, Effect, Write};

/// What lives until a commit is applied.
type Keep = Arc<dyn Any + Send + Sync>;

impl Run {
    /// Reads or writes state, and appends the entry that says so. Like [`Run::record`], does not wait for
    /// the disk.
    ///
    /// # Errors
    /// As those of [`Run::record`]; [`Error::Internal`] if the state cannot be read.
    pub async fn state(&self, call: StateCall) -> Result<(Seq, Timestamp, StateResult), Error> {
        let place = self.place(call.scope());
        let result = match &call {
            StateCall::Put {
                key,
                value,
                ttl_ms,
                expected,
                ..
            } => {
                let write = Write {
                    key: key.clone(),
                    value: value.as_ref().map(|value| value.to_vec()),
                    ttl_ms: *ttl_ms,
                    expected: *expected,
                };
                return self.write(&place, write, call).await;
            }
            StateCall::Get { key, .. } => StateResult::Found(self.read(&place, key)?),
            StateCall::Keys {
                prefix,
                after,
                limit,
                ..
            } => StateResult::Keys(self.keys(&place, prefix, after.as_deref(), *limit)?),
        };
        let (seq, at) = self
            .record(Event::State {
                call: Box::new(call),
                result: result.clone(),
            })
            .await?;
        Ok((seq, at, result))
    }

    fn place(&self, scope: StateScope) -> StatePlace {
        let tenant = || self.header.tenant.clone();
        match scope {
            StateScope::Task => StatePlace::Task(self.header.id),
            StateScope::Context => StatePlace::Context(tenant(), self.header.context_id.clone()),
            StateScope::Plugin => StatePlace::Plugin(tenant(), self.header.agent.clone()),
            StateScope::Tenant => StatePlace::Tenant(tenant()),
        }
    }

    fn read(&self, place: &StatePlace, key: &str) -> Result<Option<Stored>, Error> {
        let shared = &self.broker.shared;
        let decided = shared.state.turn(place).on_the_way(key).cloned();
        let stored = match decided {
            Some(decided) => decided,
            // What left the way since then can be read.
            None => shared.storage.state(place, key)?,
        };
        let now = shared.sources.clock.now();
        Ok(stored.filter(|stored| is_there(stored.expires_at, now)))
    }

    fn keys(
        &self,
        place: &StatePlace,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, Error> {
        let shared = &self.broker.shared;
        let limit = usize::try_from(limit.min(MAX_LISTED)).unwrap_or(usize::MAX);
        let now = shared.sources.clock.now();
        let tables;
        let (decided, mut durable) = {
            let turn = shared.state.turn(place);
            // One moment of both. Walking the rows takes longer, and shows them as they are now.
            tables = shared.storage.tables()?;
            let durable = tables.state_keys(place, prefix, after)?;
            (turn.keys(prefix, after), durable)
        };
        let mut keys = BTreeSet::new();
        while keys.len() < limit
            && let Some((key, expires_at)) = durable.next_key()?
        {
            if is_there(expires_at, now) && !decided.contains_key(&key) {
                keys.insert(key);
            }
        }
        for (key, stored) in decided {
            if stored.is_some_and(|expires_at| is_there(expires_at, now)) {
                keys.insert(key);
            }
        }
        Ok(keys.into_iter().take(limit).collect())
    }

    async fn write(
        &self,
        place: &StatePlace,
        write: Write,
        call: StateCall,
    ) -> Result<(Seq, Timestamp, StateResult), Error> {
        // The value goes under its key and into the log.
        let size = 2 * call.size();
        let reserved = self.broker.shared.storage.reserve(size).await?;
        self.write_now(place, write, call, reserved)
    }

    /// Decides a write and hands it over, in one turn of its place.
    fn write_now(
        &self,
        place: &StatePlace,
        write: Write,
        call: StateCall,
        reserved: Reservation<'_>,
    ) -> Result<(Seq, Timestamp, StateResult), Error> {
        let shared = &self.broker.shared;
        // IMPORTANT: outlives the turn, because letting go of it takes a turn.
        let mut kept: Option<Keep> = None;
        let mut turn = shared.state.turn(place);
        let key = write.key.clone();
        let (before, held) = turn.look(&shared.storage, &key)?;
        let now = shared.sources.clock.now();
        let basis = Basis {
            now,
            before: before.as_ref(),
            held,
            limit: self.most_keys(),
            version: shared.state.next_version(now, before.as_ref()),
        };
        let (result, effect) = write.decide(&basis);
        let event = Event::State {
            call: Box::new(call),
            result: result.clone(),
        };
        let attempt = self.header.attempt;
        let also = |decision: &mut Decision| -> Keep {
            let slot = Arc::clone(&self.slot);
            let after = match effect {
                Effect::None => return slot,
                Effect::Remove => None,
                Effect::Store(stored) => Some(stored),
            };
            let way = turn.decide(&key, before.is_some(), held, after.clone());
            let keep: Keep = Arc::new((slot, way));
            kept = Some(Arc::clone(&keep));
            decision.add(Change::PutState {
                place: place.clone(),
                key,
                before: StateBefore::of(before.as_ref()),
                after,
            });
            keep
        };
        let input = Input::Record { attempt, event };
        let (changed, _) =
            self.broker
                .change_now_with(&self.slot, reserved, input, |_| Ok(()), also)?;
        drop(turn);
        Ok((changed.last, changed.at, result))
    }

    /// How many keys a place may have, as the operator has it now: what was refused is in the log.
    fn most_keys(&self) -> u64 {
        let agents = self.broker.agents();
        let agent = agents.get(&self.header.agent);
        let limits = agent.map_or(self.broker.shared.config.worker, |agent| agent.limits);
        limits.state_keys
    }
}

/// Whether what expires at `expires_at`, if ever, is still there.
fn is_there(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_none_or(|moment| now < moment)
}

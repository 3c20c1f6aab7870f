//! Counters that the committer, the only writer, keeps exact.
//!
//! A batch changes them in memory and writes each of them once, at its end. One that comes to nothing
//! is no row, so what is counted may come and go for ever.

use std::collections::HashMap;

use taskyard_task::TaskState;

use crate::apply::{ApplyError, Rows};
use crate::table::Table;

/// Counters that are kept in memory between batches, in each table; beyond this many they are read again.
const MAX_KEPT: usize = 20_000;

/// What a counter holds.
pub(crate) trait Counter: Copy + Default + PartialEq {
    /// Where such counters are.
    const TABLE: Table;

    fn to_row(self) -> Vec<u8>;

    /// A row that makes no sense counts nothing.
    fn from_row(row: &[u8]) -> Self;
}

/// A number of things. Never below zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u64);

impl Counter for Number {
    const TABLE: Table = Table::Count;

    fn to_row(self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_row(row: &[u8]) -> Self {
        Self(row.try_into().map_or(0, u64::from_be_bytes))
    }
}

impl Number {
    pub(crate) fn add(&mut self, by: i64) {
        self.0 = self.0.saturating_add_signed(by);
    }
}

const STATES: usize = TaskState::ALL.len();

/// How many tasks are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally([u64; STATES]);

impl Counter for Tally {
    const TABLE: Table = Table::Tally;

    fn to_row(self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|count| count.to_be_bytes())
            .collect()
    }

    fn from_row(row: &[u8]) -> Self {
        let (counts, _) = row.as_chunks::<8>();
        let mut tally = Self::default();
        for (slot, count) in tally.0.iter_mut().zip(counts) {
            *slot = u64::from_be_bytes(*count);
        }
        tally
    }
}

impl Tally {
    pub(crate) fn add(&mut self, state: TaskState, by: i64) {
        // Their numbers begin with 1.
        let place = usize::from(state.number()).saturating_sub(1);
        if let Some(count) = self.0.get_mut(place) {
            *count = count.saturating_add_signed(by);
        }
    }

    /// How many tasks are in `state`, or how many there are.
    pub(crate) fn of(&self, state: Option<TaskState>) -> u64 {
        let in_state = |state: &TaskState| {
            let place = usize::from(state.number()).saturating_sub(1);
            self.0.get(place).copied().unwrap_or_default()
        };
        match state {
            Some(state) => in_state(&state),
            None => TaskState::ALL.iter().map(in_state).sum(),
        }
    }
}

/// The counters of one table, as far as they are known.
#[derive(Default)]
pub(crate) struct Counts<T> {
    known: HashMap<Vec<u8>, Known<T>>,
    /// What this batch changed; some keys more than once.
    changed: Vec<Vec<u8>>,
}

struct Known<T> {
    stored: T,
    now: T,
}

impl<T: Counter> Counts<T> {
    /// A counter as it will be once the batch is written.
    pub(crate) fn current(&self, rows: &Rows<'_>, key: &[u8]) -> Result<T, ApplyError> {
        match self.known.get(key) {
            Some(known) => Ok(known.now),
            None => read(rows, key),
        }
    }

    /// Changes a counter.
    pub(crate) fn change(
        &mut self,
        rows: &Rows<'_>,
        key: Vec<u8>,
        change: impl FnOnce(&mut T),
    ) -> Result<(), ApplyError> {
        if let Some(known) = self.known.get_mut(&key) {
            if known.stored == known.now {
                self.changed.push(key);
            }
            change(&mut known.now);
            return Ok(());
        }
        let stored = read(rows, &key)?;
        let mut now = stored;
        change(&mut now);
        self.changed.push(key.clone());
        self.known.insert(key, Known { stored, now });
        Ok(())
    }

    /// Writes what the batch changed.
    pub(crate) fn write(&mut self, rows: &mut Rows<'_>) -> Result<(), ApplyError> {
        for key in std::mem::take(&mut self.changed) {
            let Some(known) = self.known.get_mut(&key) else {
                continue;
            };
            if known.now == known.stored {
                continue;
            }
            known.stored = known.now;
            match known.now == T::default() {
                true => rows.delete(T::TABLE, &key)?,
                false => rows.put_raw(T::TABLE, &key, &known.now.to_row())?,
            }
        }
        // Only now, when nothing is known that is not in the batch.
        if self.known.len() > MAX_KEPT {
            self.known.clear();
        }
        Ok(())
    }
}

/// A counter as it is on the disk.
fn read<T: Counter>(rows: &Rows<'_>, key: &[u8]) -> Result<T, ApplyError> {
    let stored = rows.db.get_pinned_cf(rows.table(T::TABLE)?, key)?;
    Ok(stored.map_or_else(T::default, |row| T::from_row(&row)))
}

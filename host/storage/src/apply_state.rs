//! Applying what happens to the state of workers: a key's row, when it is gone, and how many keys its
//! place has.

use rocksdb::ReadOptions;
use taskyard_task::commit::StateBefore;
use taskyard_task::{StatePlace, Stored, TaskId};

use crate::apply::{Applier, ApplyError, Rows};
use crate::count::Number;
use crate::key;
use crate::read::end_of_prefix;
use crate::record;
use crate::table::Table;
use crate::usage::length;

/// An ended task's keys are deleted one by one up to this many. A range is one write for any number, but
/// each range that is not in a file yet makes the next reads slower, and many small tasks end.
const FEW: u64 = 32;

impl Applier {
    /// Writes or removes a key.
    pub(crate) fn put_state(
        &mut self,
        rows: &mut Rows<'_>,
        (place, name): (&StatePlace, &str),
        before: StateBefore,
        after: Option<&Stored>,
    ) -> Result<(), ApplyError> {
        let key = key::state(place, name);
        if let Some(moment) = before.expires_at() {
            rows.delete(Table::StateExpiry, &key::state_expiry(moment, place, name))?;
        }
        let value = after.map(record::encode).transpose()?;
        let size = value.as_deref().map_or(0, length);
        self.usages.put_state(rows, (place, &key), before, size)?;
        match after.zip(value) {
            Some((stored, value)) => {
                rows.put_raw(Table::State, &key, &value)?;
                if let Some(moment) = stored.expires_at {
                    let expiry = key::state_expiry(moment, place, name);
                    rows.put(Table::StateExpiry, &expiry, &(place, name))?;
                }
                if let StatePlace::Task(_) = place {
                    self.fresh.insert(key);
                }
            }
            None => rows.delete(Table::State, &key)?,
        }
        let by = i64::from(after.is_some()) - i64::from(before.is_something());
        // What expires after its task was dropped is counted out a second time, which goes below nothing.
        let key = key::state_count(place);
        self.counts.change(rows, key, |count| count.add(by))
    }

    /// Removes what only this task could see. Rows of its expiry stay until their moments: whoever sweeps
    /// them finds that the key is gone already.
    pub(crate) fn drop_state(
        &mut self,
        rows: &mut Rows<'_>,
        task: TaskId,
    ) -> Result<(), ApplyError> {
        let place = StatePlace::Task(task);
        let Number(held) = self.counts.current(rows, &key::state_count(&place))?;
        let prefix = key::place(&place);
        match held {
            0 => return Ok(()),
            1..=FEW => self.drop_each(rows, &prefix)?,
            _ => rows.delete_prefix(Table::State, prefix)?,
        }
        self.usages.dropped_state(rows, task)?;
        let key = key::state_count(&place);
        self.counts.change(rows, key, |count| count.0 = 0)
    }

    fn drop_each(&mut self, rows: &mut Rows<'_>, prefix: &[u8]) -> Result<(), ApplyError> {
        let mut options = ReadOptions::default();
        if let Some(end) = end_of_prefix(prefix) {
            options.set_iterate_upper_bound(end);
        }
        let table = rows.table(Table::State)?;
        let mut written = rows.db.raw_iterator_cf_opt(table, options);
        written.seek(prefix);
        while let Some(key) = written.key() {
            rows.batch.delete_cf(table, key);
            written.next();
        }
        written.status()?;
        // Those that are in this very batch cannot be read yet.
        let fresh = self.fresh.range(prefix.to_vec()..);
        for key in fresh.take_while(|key| key.starts_with(prefix)) {
            rows.batch.delete_cf(table, key);
        }
        Ok(())
    }
}

//! What follows from headers: work items, timers, index rows, counts. Derived here and nowhere else.

use taskyard_task::{Digest, Header};

use crate::apply::{Applier, ApplyError, Move, Rows};
use crate::key;
use crate::read::WorkItem;
use crate::table::Table;

impl Applier {
    /// Writes a task's header, and moves all that follows from it.
    pub(crate) fn derive(
        &mut self,
        rows: &mut Rows<'_>,
        (before, after): Move<'_>,
    ) -> Result<(), ApplyError> {
        rows.header((before, after))?;
        rows.work((before, after))?;
        rows.timer((before, after))?;
        rows.in_flight((before, after))?;
        self.held(rows, (before, after))?;
        self.lists(rows, (before, after))
    }

    /// What is kept so that tasks are found again: by clients in lists, by later tasks of their conversation,
    /// and by those who forget them.
    pub(crate) fn lists(&mut self, rows: &mut Rows<'_>, moved: Move<'_>) -> Result<(), ApplyError> {
        self.index(rows, moved)?;
        rows.reply(moved)?;
        self.ended(rows, moved)
    }

    fn index(&mut self, rows: &mut Rows<'_>, (before, after): Move<'_>) -> Result<(), ApplyError> {
        let listed = |header: &&Header| header.announced;
        let (had, has) = (before.filter(listed), after.filter(listed));
        if had.map(place) == has.map(place) {
            return Ok(());
        }
        for old in had.map(key::index_keys).into_iter().flatten() {
            rows.delete(Table::Index, &old)?;
        }
        for new in has.map(key::index_keys).into_iter().flatten() {
            rows.put_raw(Table::Index, &new, &[])?;
        }
        for (header, by) in [(had, -1), (has, 1)] {
            let Some(header) = header else { continue };
            for key in key::tallies(header) {
                self.tallies
                    .change(rows, key, |tally| tally.add(header.state, by))?;
            }
        }
        Ok(())
    }

    /// The order in which ended tasks are forgotten.
    fn ended(&mut self, rows: &mut Rows<'_>, (before, after): Move<'_>) -> Result<(), ApplyError> {
        let over = |header: &&Header| header.is_ended();
        let (had, has) = (before.filter(over), after.filter(over));
        rows.replace(Table::Ended, had.map(key::ended), has.map(key::ended))?;
        if had.is_some() == has.is_some() {
            return Ok(());
        }
        for (header, by) in [(had, -1), (has, 1)] {
            let Some(header) = header else { continue };
            let key = key::ended_count(&header.tenant);
            self.counts.change(rows, key, |count| count.add(by))?;
        }
        Ok(())
    }

    /// Keeps count of the tasks that hold a component.
    fn held(&mut self, rows: &mut Rows<'_>, (before, after): Move<'_>) -> Result<(), ApplyError> {
        let (had, has) = (before.and_then(component), after.and_then(component));
        if had == has {
            return Ok(());
        }
        for (header, digest, by) in [(before, had, -1), (after, has, 1)] {
            if let (Some(header), Some(digest)) = (header, digest) {
                let key = key::held(&header.agent, digest);
                self.counts.change(rows, key, |count| count.add(by))?;
            }
        }
        Ok(())
    }
}

impl Rows<'_> {
    fn header(&mut self, (before, after): Move<'_>) -> Result<(), ApplyError> {
        match (before, after) {
            (_, Some(after)) => self.put(Table::Header, &key::task(after.id), after),
            (Some(before), None) => self.delete(Table::Header, &key::task(before.id)),
            (None, None) => Ok(()),
        }
    }

    fn work(&mut self, (before, after): Move<'_>) -> Result<(), ApplyError> {
        let place = |header: &Header| header.phase.has_work().then_some(header.queued_at);
        let (had, has) = (before.and_then(place), after.and_then(place));
        if had == has {
            return Ok(());
        }
        match (before, after, has) {
            (_, Some(after), Some(queued_at)) => {
                let item = WorkItem {
                    task: after.id,
                    tenant: after.tenant.clone(),
                    agent: after.agent.clone(),
                    queued_at,
                    priority: after.priority,
                };
                self.put(Table::Work, &key::work(after.id), &item)
            }
            (Some(before), _, _) => self.delete(Table::Work, &key::work(before.id)),
            (None, _, _) => Ok(()),
        }
    }

    fn timer(&mut self, (before, after): Move<'_>) -> Result<(), ApplyError> {
        let row = |header: &Header| Some(key::timer(header.timer()?, header.id));
        self.replace(Table::Timer, before.and_then(row), after.and_then(row))
    }

    fn reply(&mut self, (before, after): Move<'_>) -> Result<(), ApplyError> {
        let row = |header: &Header| header.is_reply().then(|| key::reply(header));
        self.replace(Table::Index, before.and_then(row), after.and_then(row))
    }

    fn in_flight(&mut self, (before, after): Move<'_>) -> Result<(), ApplyError> {
        let row = |header: &Header| Some(key::in_flight(component(header)?, header.id));
        self.replace(Table::InFlight, before.and_then(row), after.and_then(row))
    }

    /// Puts a row without a value in the place of another.
    fn replace(
        &mut self,
        table: Table,
        had: Option<Vec<u8>>,
        has: Option<Vec<u8>>,
    ) -> Result<(), ApplyError> {
        if had == has {
            return Ok(());
        }
        if let Some(key) = had {
            self.delete(table, &key)?;
        }
        match has {
            Some(key) => self.put_raw(table, &key, &[]),
            None => Ok(()),
        }
    }
}

/// What decides where a task is in lists; the rest never changes.
fn place(header: &Header) -> (taskyard_task::TaskState, taskyard_task::Timestamp) {
    (header.state, header.status_at)
}

/// The component that a task holds, until it ends.
fn component(header: &Header) -> Option<Digest> {
    (!header.is_ended()).then_some(header.digest)
}

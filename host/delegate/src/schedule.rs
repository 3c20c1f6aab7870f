//! Which child is looked after next. Pure: it is told the time and what happened.
//!
//! A child is in line, has its turn, or waits for a moment; never two of these.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use taskyard_task::{RemoteId, Timestamp};
use tokio::sync::Notify;

use crate::follow::Memory;

/// How many children are remembered: about 200 bytes each. Further ones stay with the broker until some
/// of these are over.
const MAX_CHILDREN: usize = 1_000_000;

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The child needs no more turns.
    Over,
    /// There is more to do at once.
    Again,
    /// There is something to do at this moment.
    Later(Timestamp),
}

/// Which child is looked after next.
#[derive(Debug)]
pub(crate) struct Schedule {
    slots: usize,
    children: HashMap<RemoteId, Child>,
    line: VecDeque<RemoteId>,
    waiting: BTreeMap<Due, RemoteId>,
    waits: u64,
    turns: usize,
}

/// A child whose turn it is.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Which.
    pub(crate) id: RemoteId,
    /// What the turns before this one left.
    pub(crate) memory: Memory,
    /// Told when something changed meanwhile.
    pub(crate) poke: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Child {
    place: Place,
    /// With the turn, while it has one.
    memory: Memory,
}

/// A moment, and a number that tells apart what is due at the same one.
type Due = (Timestamp, u64);

#[derive(Debug, Default)]
enum Place {
    #[default]
    InLine,
    Turn {
        woken: bool,
        poke: Arc<Notify>,
    },
    Waiting(Due),
}

impl Schedule {
    /// A schedule of at most `slots` turns at once.
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots,
            children: HashMap::new(),
            line: VecDeque::new(),
            waiting: BTreeMap::new(),
            waits: 0,
            turns: 0,
        }
    }

    /// How many children there are.
    pub(crate) fn len(&self) -> usize {
        self.children.len()
    }

    /// Whether more children can be remembered.
    pub(crate) fn has_room(&self) -> bool {
        self.children.len() < MAX_CHILDREN
    }

    /// A child is new, or something about it changed.
    pub(crate) fn wake(&mut self, id: RemoteId) {
        let Some(child) = self.children.get_mut(&id) else {
            self.children.insert(id, Child::default());
            self.line.push_back(id);
            return;
        };
        match &mut child.place {
            Place::InLine => {}
            Place::Turn { woken, poke } => {
                *woken = true;
                poke.notify_one();
            }
            Place::Waiting(due) => {
                self.waiting.remove(due);
                self.line_up(id);
            }
        }
    }

    /// Lines up what waited until `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(due) = self.waiting.first_entry() {
            if due.key().0 > now {
                break;
            }
            let id = due.remove();
            self.line_up(id);
        }
    }

    /// When [`Schedule::advance`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next turn, if a slot is free.
    pub(crate) fn take(&mut self) -> Option<Turn> {
        if self.turns >= self.slots {
            return None;
        }
        let id = self.line.pop_front()?;
        let child = self.children.get_mut(&id)?;
        let poke = Arc::<Notify>::default();
        child.place = Place::Turn {
            woken: false,
            poke: Arc::clone(&poke),
        };
        self.turns += 1;
        Some(Turn {
            id,
            memory: std::mem::take(&mut child.memory),
            poke,
        })
    }

    /// A turn is over.
    pub(crate) fn finish(&mut self, turn: Turn, verdict: Verdict) {
        let Some(child) = self.children.get_mut(&turn.id) else {
            return;
        };
        self.turns -= 1;
        child.memory = turn.memory;
        let woken = matches!(child.place, Place::Turn { woken: true, .. });
        match verdict {
            Verdict::Over => {
                self.children.remove(&turn.id);
            }
            Verdict::Again => self.line_up(turn.id),
            Verdict::Later(_) if woken => self.line_up(turn.id),
            Verdict::Later(at) => self.wait(turn.id, at),
        }
    }

    fn line_up(&mut self, id: RemoteId) {
        if let Some(child) = self.children.get_mut(&id) {
            child.place = Place::InLine;
            self.line.push_back(id);
        }
    }

    fn wait(&mut self, id: RemoteId, at: Timestamp) {
        self.waits += 1;
        let due = (at, self.waits);
        if let Some(child) = self.children.get_mut(&id) {
            child.place = Place::Waiting(due);
            self.waiting.insert(due, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use taskyard_clock::IdSource;
    use taskyard_task::Seq;

    use super::*;

    fn child(since: u64) -> RemoteId {
        RemoteId {
            parent: IdSource::seeded(1).task_id(None),
            since: Seq(since),
        }
    }

    fn take(schedule: &mut Schedule) -> Option<u64> {
        schedule.take().map(|turn| turn.id.since.0)
    }

    #[test]
    fn a_child_has_one_turn_at_a_time() {
        let mut schedule = Schedule::new(8);
        schedule.wake(child(1));
        schedule.wake(child(1));
        let turn = schedule.take().unwrap();
        assert_eq!(take(&mut schedule), None);

        // What came meanwhile is told at once, and not forgotten.
        schedule.wake(child(1));
        assert!(turn.poke.notified().now_or_never().is_some());
        schedule.finish(turn, Verdict::Later(Timestamp(500)));
        let turn = schedule.take().unwrap();
        schedule.finish(turn, Verdict::Over);
        assert_eq!((take(&mut schedule), schedule.len()), (None, 0));
    }

    #[test]
    fn there_are_so_many_turns_at_once_and_children_take_them_in_order() {
        let mut schedule = Schedule::new(1);
        schedule.wake(child(1));
        schedule.wake(child(2));
        for expected in [1, 2, 1, 2] {
            let turn = schedule.take().unwrap();
            assert_eq!(turn.id, child(expected));
            assert_eq!(take(&mut schedule), None, "there is one slot");
            schedule.finish(turn, Verdict::Again);
        }
    }

    #[test]
    fn a_child_waits_without_a_slot_and_can_be_woken_early() {
        let mut schedule = Schedule::new(1);
        for number in [1, 2] {
            schedule.wake(child(number));
            let turn = schedule.take().unwrap();
            schedule.finish(turn, Verdict::Later(Timestamp(100 * number)));
        }
        assert_eq!(schedule.next_due(), Some(Timestamp(100)));
        schedule.wake(child(2));
        assert_eq!(take(&mut schedule), Some(2));
        schedule.slots = 2;
        schedule.advance(Timestamp(99));
        assert_eq!(take(&mut schedule), None);
        schedule.advance(Timestamp(100));
        assert_eq!((take(&mut schedule), schedule.next_due()), (Some(1), None));
    }
}

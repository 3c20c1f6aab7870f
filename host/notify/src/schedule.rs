//! Which lane is served next. Pure: it is told the time and what happened.
//!
//! A lane is in line, being served, or waiting for a moment; never two of these, so what is due to one
//! webhook is posted strictly in order and one at a time.

use std::collections::{BTreeMap, HashMap, VecDeque};

use taskyard_broker::Lane;
use taskyard_task::Timestamp;

/// How many lanes are remembered: names only, about 150 bytes each. Further ones stay with the broker
/// until some of these are done.
const MAX_LANES: usize = 1_000_000;

/// How serving a lane ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// One notification was delivered; there may be more.
    Delivered,
    /// Nothing is due, or the webhook was given up.
    Nothing,
    /// It is tried again at this moment.
    Later(Timestamp),
}

/// Which lane is served next.
#[derive(Debug)]
pub(crate) struct Schedule {
    slots: usize,
    lanes: HashMap<Lane, Place>,
    fresh: VecDeque<Lane>,
    troubled: VecDeque<Lane>,
    waiting: BTreeMap<Due, Lane>,
    waits: u64,
    served: usize,
    served_troubled: usize,
}

/// A moment, and a number that tells apart what is due at the same one.
type Due = (Timestamp, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    InLine,
    Served { troubled: bool, woken: bool },
    Waiting(Due),
}

impl Schedule {
    /// A schedule that serves at most `slots` lanes at once.
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots,
            lanes: HashMap::new(),
            fresh: VecDeque::new(),
            troubled: VecDeque::new(),
            waiting: BTreeMap::new(),
            waits: 0,
            served: 0,
            served_troubled: 0,
        }
    }

    /// How many lanes have something to deliver, now or later.
    pub(crate) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Whether more lanes can be remembered.
    pub(crate) fn has_room(&self) -> bool {
        self.lanes.len() < MAX_LANES
    }

    /// Something new is due in `lane`, or its webhook was registered anew. A lane that waits is looked
    /// at early for the latter's sake; if nothing changed it goes on waiting.
    pub(crate) fn wake(&mut self, lane: Lane) {
        match self.lanes.get_mut(&lane) {
            None => self.line_up(lane, Line::Fresh),
            Some(Place::InLine) => {}
            Some(Place::Served { woken, .. }) => *woken = true,
            Some(Place::Waiting(due)) => {
                let due = *due;
                self.waiting.remove(&due);
                self.line_up(lane, Line::Troubled);
            }
        }
    }

    /// Lines up what waited until `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(due) = self.waiting.first_entry() {
            if due.key().0 > now {
                break;
            }
            let lane = due.remove();
            self.line_up(lane, Line::Troubled);
        }
    }

    /// When [`Schedule::advance`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next lane to serve, if a slot is free. Webhooks in trouble get at most half of the slots:
    /// they tend to be slow, and must not hold up the others.
    pub(crate) fn take(&mut self) -> Option<Lane> {
        if self.served >= self.slots {
            return None;
        }
        let troubled = self.served_troubled < self.slots.div_ceil(2) && !self.troubled.is_empty();
        let line = if troubled {
            &mut self.troubled
        } else {
            &mut self.fresh
        };
        let lane = line.pop_front()?;
        self.served += 1;
        self.served_troubled += usize::from(troubled);
        let woken = false;
        self.lanes
            .insert(lane.clone(), Place::Served { troubled, woken });
        Some(lane)
    }

    /// A lane that was taken has been served.
    pub(crate) fn finish(&mut self, lane: Lane, verdict: Verdict) {
        let Some(Place::Served { troubled, woken }) = self.lanes.remove(&lane) else {
            return;
        };
        self.served -= 1;
        self.served_troubled -= usize::from(troubled);
        match verdict {
            Verdict::Delivered => self.line_up(lane, Line::Fresh),
            Verdict::Nothing if woken => self.line_up(lane, Line::Fresh),
            Verdict::Nothing => {}
            Verdict::Later(_) if woken => self.line_up(lane, Line::Troubled),
            Verdict::Later(at) => self.wait(lane, at),
        }
    }

    fn line_up(&mut self, lane: Lane, line: Line) {
        self.lanes.insert(lane.clone(), Place::InLine);
        match line {
            Line::Fresh => self.fresh.push_back(lane),
            Line::Troubled => self.troubled.push_back(lane),
        }
    }

    fn wait(&mut self, lane: Lane, at: Timestamp) {
        self.waits += 1;
        let due = (at, self.waits);
        self.lanes.insert(lane.clone(), Place::Waiting(due));
        self.waiting.insert(due, lane);
    }
}

enum Line {
    Fresh,
    Troubled,
}

#[cfg(test)]
mod tests {
    use taskyard_clock::IdSource;

    use super::*;

    fn lane(number: u64) -> Lane {
        Lane {
            task: IdSource::seeded(number).task_id(None),
            config: "hook".to_owned(),
        }
    }

    #[test]
    fn a_lane_is_served_once_at_a_time() {
        let mut schedule = Schedule::new(8);
        schedule.wake(lane(1));
        schedule.wake(lane(1));
        assert_eq!(schedule.take(), Some(lane(1)));
        assert_eq!(schedule.take(), None);

        // What came while it was served is not forgotten.
        schedule.wake(lane(1));
        schedule.finish(lane(1), Verdict::Nothing);
        assert_eq!(schedule.take(), Some(lane(1)));
        schedule.finish(lane(1), Verdict::Nothing);
        assert_eq!((schedule.take(), schedule.len()), (None, 0));
    }

    #[test]
    fn lanes_take_turns() {
        let mut schedule = Schedule::new(1);
        schedule.wake(lane(1));
        schedule.wake(lane(2));
        for expected in [1, 2, 1, 2] {
            assert_eq!(schedule.take(), Some(lane(expected)));
            assert_eq!(schedule.take(), None, "there is one slot");
            schedule.finish(lane(expected), Verdict::Delivered);
        }
    }

    #[test]
    fn a_failed_lane_waits_without_a_slot() {
        let mut schedule = Schedule::new(1);
        schedule.wake(lane(1));
        schedule.take();
        schedule.finish(lane(1), Verdict::Later(Timestamp(500)));
        assert_eq!(schedule.next_due(), Some(Timestamp(500)));

        schedule.wake(lane(2));
        assert_eq!(schedule.take(), Some(lane(2)));
        schedule.finish(lane(2), Verdict::Nothing);

        schedule.advance(Timestamp(499));
        assert_eq!(schedule.take(), None);
        schedule.advance(Timestamp(500));
        assert_eq!(schedule.take(), Some(lane(1)));
        assert_eq!(schedule.next_due(), None);
    }

    #[test]
    fn a_waiting_lane_that_is_woken_is_looked_at_early() {
        let mut schedule = Schedule::new(1);
        schedule.wake(lane(1));
        schedule.take();
        schedule.finish(lane(1), Verdict::Later(Timestamp(500)));
        schedule.wake(lane(1));
        assert_eq!(schedule.next_due(), None);
        assert_eq!(schedule.take(), Some(lane(1)));
    }

    #[test]
    fn webhooks_in_trouble_get_half_of_the_slots() {
        let mut schedule = Schedule::new(4);
        for number in 0..4 {
            schedule.wake(lane(number));
            schedule.take();
            schedule.finish(lane(number), Verdict::Later(Timestamp(1)));
        }
        schedule.advance(Timestamp(1));
        let troubled = std::iter::from_fn(|| schedule.take()).count();
        assert_eq!(troubled, 2);
        for number in 10..20 {
            schedule.wake(lane(number));
        }
        let fresh = std::iter::from_fn(|| schedule.take()).count();
        assert_eq!(fresh, 2);
    }
}

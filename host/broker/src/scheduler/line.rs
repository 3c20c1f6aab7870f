//! The line of one tenant's tasks for one agent: the most urgent first, and first come, first served
//! among those that are as urgent.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use taskyard_storage::WorkItem;
use taskyard_task::{Priority, Timestamp};

/// Tasks in line. Costs nothing where all are as urgent: there is one queue per priority in use.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// None of them is empty.
    queues: BTreeMap<Reverse<Priority>, VecDeque<WorkItem>>,
    len: usize,
}

impl Line {
    /// Puts a task behind those that are at least as urgent.
    pub(super) fn push(&mut self, item: WorkItem) {
        let queue = self.queues.entry(Reverse(item.priority)).or_default();
        queue.push_back(item);
        self.len += 1;
    }

    /// Takes the first task.
    pub(super) fn pop(&mut self) -> Option<WorkItem> {
        let mut queue = self.queues.first_entry()?;
        let item = queue.get_mut().pop_front();
        if queue.get().is_empty() {
            queue.remove();
        }
        self.len = self.len.saturating_sub(1);
        item
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// When the task that waits longest joined; not always the first one.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let heads = self.queues.values().filter_map(VecDeque::front);
        heads.map(|item| item.queued_at).min()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use taskyard_task::TaskId;

    use super::*;

    fn item(number: u8, priority: i8) -> WorkItem {
        WorkItem {
            task: TaskId::from_bytes([number; 16]),
            tenant: "acme".parse().unwrap(),
            agent: "echo".parse().unwrap(),
            queued_at: Timestamp(u64::from(number)),
            priority: Priority::try_from(priority).unwrap(),
        }
    }

    fn line(priorities: &[i8]) -> Line {
        let mut line = Line::default();
        for (number, priority) in priorities.iter().enumerate() {
            line.push(item(number as u8, *priority));
        }
        line
    }

    fn numbers(mut line: Line) -> Vec<u8> {
        let taken = std::iter::from_fn(|| line.pop());
        taken.map(|item| item.task.to_bytes()[0]).collect()
    }

    #[test]
    fn the_most_urgent_go_first_and_the_rest_in_the_order_they_came() {
        for (priorities, order) in [
            (vec![], vec![]),
            (vec![0, 0, 0], vec![0, 1, 2]),
            (vec![0, 9, 0, 9], vec![1, 3, 0, 2]),
            (vec![-9, 0, 5, -1], vec![2, 1, 3, 0]),
        ] {
            assert_eq!(numbers(line(&priorities)), order, "{priorities:?}");
        }
    }

    #[test]
    fn who_waits_longest_need_not_be_first() {
        let mut line = line(&[0, 9]);
        assert_eq!(line.oldest(), Some(Timestamp(0)));
        line.pop();
        assert_eq!((line.oldest(), line.len()), (Some(Timestamp(0)), 1));
        line.pop();
        assert_eq!((line.oldest(), line.is_empty()), (None, true));
    }

    proptest! {
        #[test]
        fn it_is_a_stable_sort(priorities in prop::collection::vec(-9..=9i8, 0..50)) {
            let mut sorted: Vec<u8> = (0..priorities.len() as u8).collect();
            sorted.sort_by_key(|number| Reverse(priorities[usize::from(*number)]));
            prop_assert_eq!(numbers(line(&priorities)), sorted);
        }
    }
}

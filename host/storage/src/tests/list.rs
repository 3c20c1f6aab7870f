//! Lists against a naive model: all filters, while tasks move.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use taskyard_task::{Change, Header, Phase, TaskState};

use super::*;
use crate::commit_log::LocalLog;
use crate::marker::{Acknowledged, Marker};

/// What happens to a task: a new state some time later, or that it is forgotten.
#[derive(Debug, Clone)]
struct Step {
    task: u8,
    later: u64,
    state: usize,
    forget: bool,
    /// Whether it is in one group of commits with the one before.
    joined: bool,
}

const TASKS: Range<u8> = 1..9;

/// Spans that are counted begin and end between these.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let later = prop_oneof![
        Just(0_u64),
        Just(1),
        1..1_100_u64,
        1..70_000_u64,
        1..5_000_000_u64,
        Just(300_000_000),
    ];
    let step = (
        TASKS,
        later,
        0..8_usize,
        prop::bool::weighted(0.1),
        any::<bool>(),
    );
    let step = step.prop_map(|(task, later, state, forget, joined)| Step {
        task,
        later,
        state,
        forget,
        joined,
    });
    vec(step, 1..40)
}

/// Tables, and what they are to hold.
struct World {
    storage: Storage,
    log: LocalLog,
    tasks: BTreeMap<TaskId, Header>,
    now: Timestamp,
    number: u64,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let storage = Storage::open(&config(&folder), |_| {}).unwrap();
        let told = Acknowledged::default();
        let marker = Marker::start(folder.path(), 0, &told).unwrap();
        let log = LocalLog::new(Arc::clone(&storage.db), false, marker, told);
        Self {
            log,
            storage,
            tasks: BTreeMap::new(),
            now: Timestamp(1_700_000_000_000),
            number: 0,
            _folder: folder,
        }
    }

    fn apply(&mut self, steps: &[Step]) {
        for group in steps.chunk_by(|_, next| next.joined) {
            let commits: Vec<_> = group.iter().map(|step| self.take(step)).collect();
            self.log.append(&commits).unwrap();
        }
    }

    fn take(&mut self, step: &Step) -> Numbered {
        self.now = self.now.plus_millis(step.later);
        self.number += 1;
        let id = task_id(step.task);
        let before = self.tasks.remove(&id);
        let change = match before {
            Some(header) if step.forget => Change::Forget {
                header: Box::new(header),
                keys: Vec::new(),
            },
            before => {
                let mut after = before.clone().unwrap_or_else(|| fresh(step.task));
                after.announced = before.is_some() || step.state.is_multiple_of(2);
                after.state = TaskState::ALL[step.state];
                after.status_at = self.now;
                after.phase = match after.state.is_terminal() {
                    true => Phase::Ended,
                    false => Phase::Parked,
                };
                self.tasks.insert(id, after.clone());
                Change::Header {
                    before: before.map(Box::new),
                    after: Box::new(after),
                }
            }
        };
        Numbered {
            number: self.number,
            commit: Commit::new(id.partition(), 1, vec![change]),
        }
    }

    /// The tasks that match, in order.
    fn expected(&self, query: &ListQuery) -> Vec<&Header> {
        let is_meant = |header: &&Header| {
            let ListQuery {
                context_id,
                state,
                updated_since,
                ..
            } = query;
            header.announced
                && context_id
                    .as_ref()
                    .is_none_or(|it| *it == header.context_id)
                && state.is_none_or(|state| state == header.state)
                && updated_since.is_none_or(|since| since <= header.status_at)
        };
        let mut tasks: Vec<_> = self.tasks.values().filter(is_meant).collect();
        tasks.sort_by_key(|header| (std::cmp::Reverse(header.status_at), header.id));
        tasks
    }

    /// Every combination of filters, with moments at, before and behind those of tasks.
    fn queries(&self) -> Vec<ListQuery> {
        let moments: BTreeSet<_> = self.tasks.values().map(|task| task.status_at.0).collect();
        let moments = moments.into_iter().flat_map(|at| [at, at + 1]);
        let moments: Vec<_> = moments.chain([0, u64::MAX]).map(Timestamp).collect();
        let mut queries = Vec::new();
        for context in [None, Some("c0")] {
            for state in std::iter::once(None).chain(TaskState::ALL.map(Some)) {
                for since in std::iter::once(None).chain(moments.iter().copied().map(Some)) {
                    let mut query = query(None, 3);
                    query.context_id = context.map(str::to_owned);
                    query.state = state;
                    query.updated_since = since;
                    queries.push(query);
                }
            }
        }
        queries
    }
}

fn fresh(number: u8) -> Header {
    let commit = new_task(number);
    let header = commit.changes.iter().find_map(|change| match change {
        Change::Header { after, .. } => Some(after.clone()),
        _ => None,
    });
    *header.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn every_filter_finds_and_counts_what_it_says(steps in steps()) {
        let mut world = World::new();
        for half in steps.chunks(steps.len().div_ceil(2)) {
            world.apply(half);
            for mut query in world.queries() {
                let expected = world.expected(&query);
                let mut found = Vec::new();
                loop {
                    let page = world.storage.list(&query).unwrap();
                    prop_assert_eq!(page.total, expected.len() as u64, "{:?}", query);
                    found.extend(page.tasks);
                    query.after = page.next;
                    if query.after.is_none() {
                        break;
                    }
                }
                let found: Vec<_> = found.iter().collect();
                prop_assert_eq!(found, expected, "{:?}", query);
            }
        }
    }

    #[test]
    fn pages_show_once_what_stays_while_others_move(steps in steps(), later in steps()) {
        let mut world = World::new();
        world.apply(&steps);
        let before = world.tasks.clone();
        let (mut seen, mut query) = (Vec::new(), query(None, 1));
        for step in later {
            let page = world.storage.list(&query).unwrap();
            seen.extend(ids(&page));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
            world.now = world.now.plus_millis(1);
            world.apply(&[step]);
        }
        let all: BTreeSet<_> = seen.iter().collect();
        prop_assert_eq!(all.len(), seen.len(), "one was seen twice");
        for (id, header) in &before {
            let stayed = header.announced && world.tasks.get(id) == Some(header);
            let whole = query.after.is_none();
            prop_assert!(!stayed || !whole || seen.contains(id));
        }
    }

    #[test]
    fn what_is_gone_left_no_row(steps in steps()) {
        let mut world = World::new();
        world.apply(&steps);
        let tasks: Vec<_> = TASKS.collect();
        for task in tasks {
            if world.tasks.contains_key(&task_id(task)) {
                world.apply(&[Step { task, later: 1, state: 0, forget: true, joined: false }]);
            }
        }
        for table in [Table::Header, Table::Index, Table::Tally, Table::Count, Table::Ended, Table::InFlight, Table::Timer] {
            let open = world.storage.tables().unwrap();
            let mut rows = open.rows(table, &[], &[]).unwrap();
            prop_assert!(rows.next().unwrap().is_none(), "{:?}", table);
        }
    }
}

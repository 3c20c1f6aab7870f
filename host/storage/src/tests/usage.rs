//! What tenants keep is counted as if all of it were read, whatever happened.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use taskyard_task::commit::StateBefore;
use taskyard_task::{Change, Entry, Event, Header, StatePlace, Stored, Tenant};

use super::*;

/// What happens, one after the other. Numbers are of tasks, sizes are of what is written.
#[derive(Debug, Clone)]
enum Step {
    /// A task begins, or goes on with an entry.
    Append(u8, usize),
    /// A key of a task, or of what tenants share, is written or removed.
    State(Option<u8>, u8, Option<usize>),
    /// A task ends: its own state goes.
    End(u8),
    /// A task is forgotten.
    Forget(u8),
}

fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    let task = || 0..3_u8;
    let size = || prop_oneof![0..100_usize, Just(100_000)];
    let step = prop_oneof![
        4 => (task(), size()).prop_map(|(task, size)| Step::Append(task, size)),
        4 => (proptest::option::of(task()), 0..3_u8, proptest::option::of(size()))
            .prop_map(|(task, key, size)| Step::State(task, key, size)),
        1 => task().prop_map(Step::End),
        1 => task().prop_map(Step::Forget),
    ];
    proptest::collection::vec((step, any::<bool>()), 0..40)
}

/// The tasks and the state that there are, as those know them that decide.
#[derive(Default)]
struct World {
    tasks: BTreeMap<u8, Header>,
    state: HashMap<(Option<u8>, u8), Stored>,
}

impl World {
    fn commit(&mut self, step: &Step) -> Option<Commit> {
        let changes = match *step {
            Step::Append(number, size) => self.append(number, size),
            Step::State(task, key, size) => {
                if task.is_some_and(|task| !self.tasks.contains_key(&task)) {
                    return None;
                }
                self.put(task, key, size)
            }
            Step::End(number) => {
                self.tasks.get(&number)?;
                self.state.retain(|(task, _), _| *task != Some(number));
                let task = task_id(number);
                vec![Change::DropState { task }]
            }
            Step::Forget(number) => {
                let header = self.tasks.remove(&number)?;
                self.state.retain(|(task, _), _| *task != Some(number));
                let (task, header, keys) = (header.id, Box::new(header), Vec::new());
                vec![Change::DropState { task }, Change::Forget { header, keys }]
            }
        };
        Some(Commit::new(task_id(0).partition(), 1, changes))
    }

    fn append(&mut self, number: u8, size: usize) -> Vec<Change> {
        let task = task_id(number);
        let Some(before) = self.tasks.get(&number).cloned() else {
            let changes = new_task(number).changes;
            for change in &changes {
                if let Change::Header { after, .. } = change {
                    self.tasks.insert(number, Header::clone(after));
                }
            }
            return changes;
        };
        let mut after = before.clone();
        after.last = after.last.next();
        self.tasks.insert(number, after.clone());
        let event = Event::ArtifactAppended {
            id: "a".to_owned(),
            spec: None,
            chunk: Part::text("x".repeat(size)),
            last: false,
        };
        let at = Timestamp(1);
        vec![
            Change::Append {
                task,
                seq: after.last,
                entry: Entry { at, event },
            },
            Change::Header {
                before: Some(Box::new(before)),
                after: Box::new(after),
            },
        ]
    }

    fn put(&mut self, task: Option<u8>, key: u8, size: Option<usize>) -> Vec<Change> {
        let place = task.map_or_else(
            || StatePlace::Tenant("acme".parse().unwrap()),
            |number| StatePlace::Task(task_id(number)),
        );
        let before = StateBefore::of(self.state.get(&(task, key)));
        let after = size.map(|size| Stored {
            value: vec![7; size],
            version: 1,
            expires_at: None,
        });
        match after.clone() {
            Some(after) => self.state.insert((task, key), after),
            None => self.state.remove(&(task, key)),
        };
        vec![Change::PutState {
            place,
            key: key.to_string(),
            before,
            after,
        }]
    }
}

/// All of a table, row by row.
fn rows(storage: &Storage, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let open = storage.tables().unwrap();
    let mut rows = open.rows(table, &[], &[]).unwrap();
    let mut all = Vec::new();
    while let Some((key, value)) = rows.next().unwrap() {
        all.push((key.to_vec(), value.to_vec()));
    }
    all
}

/// What is kept, as it is read from the disk: all of it is of one tenant.
fn read(storage: &Storage) -> Usage {
    let bytes = |table| {
        rows(storage, table)
            .iter()
            .map(|row| row.1.len() as u64)
            .sum()
    };
    Usage {
        tasks: rows(storage, Table::Header).len() as u64,
        log_bytes: bytes(Table::Log),
        content_bytes: bytes(Table::Content),
        state_bytes: bytes(Table::State),
    }
}

fn acme() -> Tenant {
    "acme".parse().unwrap()
}

/// The tallies as format 4 had them: not at all.
fn as_format_4(storage: &Storage) {
    let tables = storage.tables().unwrap();
    let put = |table, key: &[u8], value: &[u8]| {
        let table = tables.table(table).unwrap();
        tables.db().put_cf(table, key, value).unwrap();
    };
    // Left by a host that was killed in the middle of bringing the folder forward.
    put(Table::Usage, &key::usage_of(&acme()), &[9; 32]);
    put(Table::Meta, key::FORMAT, &4_u32.to_be_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_counted_is_what_is_there(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = TempDir::new().unwrap();
        let mut unsynced = config(&folder);
        unsynced.sync = false;
        let storage = Storage::open(&unsynced, |_| {}).unwrap();
        let mut world = World::default();
        runtime.block_on(async {
            let mut durable: Vec<Durable> = Vec::new();
            for (step, waits) in &steps {
                let forgets = matches!(step, Step::Forget(_));
                // A task is forgotten long after its last entry.
                if forgets {
                    for durable in durable.drain(..) {
                        durable.await.unwrap();
                    }
                }
                let Some(commit) = world.commit(step) else { continue };
                let place = storage.reserve(1).await.unwrap();
                durable.push(place.submit(commit, Arc::new(())));
                if *waits || forgets {
                    for durable in durable.drain(..) {
                        durable.await.unwrap();
                    }
                }
            }
            for durable in durable {
                durable.await.unwrap();
            }
        });
        let kept = storage.usage(&acme()).unwrap();
        prop_assert_eq!(kept, read(&storage));
        let counted = rows(&storage, Table::Usage);
        prop_assert_eq!(
            counted.iter().filter(|row| row.0.starts_with(b"t")).count() as u64,
            kept.tasks
        );

        as_format_4(&storage);
        drop(storage);
        let storage = Storage::open(&unsynced, |_| {}).unwrap();
        prop_assert_eq!(rows(&storage, Table::Usage), counted);
        let largest = storage.largest_tenants(1).unwrap();
        prop_assert!(largest.iter().all(|it| *it == (acme(), kept)));
    }
}

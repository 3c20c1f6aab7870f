//! What a client adds up from the events is the task, wherever it joins, in both versions of the protocol.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Place, Projection, event_to_a2a, task_to_a2a, v1, v03};
use crate::content::{ArtifactSpec, Part, PartBody};
use crate::entry::{Entry, Event, InputKind};
use crate::fold::TaskView;
use crate::header::{counts, is_taken_back};
use crate::id::{Seq, TaskId, Timestamp};

/// Something that happens to a task.
#[derive(Debug, Clone)]
enum Step {
    Put(u8, Vec<u8>),
    Append(u8, u8),
    /// With whether the newest chunk was still held back.
    Close(u8, bool),
    Say,
    Report(u8),
    Ask,
    Work,
    Park,
    Resume,
    /// Back to an entry, counted from the end.
    Rewind(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 0..3_u8;
    prop_oneof![
        1 => (id(), prop::collection::vec(any::<u8>(), 1..3)).prop_map(|(id, of)| Step::Put(id, of)),
        6 => (id(), any::<u8>()).prop_map(|(id, of)| Step::Append(id, of)),
        2 => (id(), any::<bool>()).prop_map(|(id, held)| Step::Close(id, held)),
        1 => Just(Step::Say),
        1 => any::<u8>().prop_map(Step::Report),
        1 => Just(Step::Ask),
        1 => Just(Step::Work),
        1 => Just(Step::Park),
        1 => Just(Step::Resume),
        1 => any::<u8>().prop_map(Step::Rewind),
    ]
}

/// How far an artifact is, as its worker knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Growing,
    Sealed,
}

type Stages = BTreeMap<u8, Stage>;

/// A log that steps make.
#[derive(Debug, Default)]
struct Log {
    entries: Vec<(Seq, Entry)>,
    rewound: Vec<(Seq, Seq)>,
    /// Of the artifacts, after each entry.
    stages: Vec<Stages>,
}

impl Log {
    fn of(steps: Vec<Step>) -> Self {
        let mut log = Self::default();
        log.add(Event::Working, Stages::new());
        for step in steps {
            log.step(step);
        }
        log.add(Event::Completed { message: vec![] }, Stages::new());
        log
    }

    fn last(&self) -> Seq {
        self.entries.last().map_or(Seq::ZERO, |(seq, _)| *seq)
    }

    fn add(&mut self, event: Event, stages: Stages) {
        let seq = self.last().next();
        let at = Timestamp(1_000 * seq.0);
        self.entries.push((seq, Entry { at, event }));
        self.stages.push(stages);
    }

    fn step(&mut self, step: Step) {
        let mut stages = self.stages.last().cloned().unwrap_or_default();
        let event = match step {
            Step::Put(id, of) => {
                stages.insert(id, Stage::Sealed);
                let parts = of.into_iter().map(part).collect();
                Event::ArtifactPut {
                    spec: spec(id),
                    parts,
                }
            }
            Step::Append(id, of) => {
                let spec = match stages.get(&id) {
                    Some(Stage::Sealed) => return,
                    Some(Stage::Growing) => None,
                    None => Some(spec(id)),
                };
                stages.insert(id, Stage::Growing);
                let (id, chunk, last) = (name(id), part(of), false);
                Event::ArtifactAppended {
                    id,
                    spec,
                    chunk,
                    last,
                }
            }
            Step::Close(id, held) => {
                if stages.get(&id) != Some(&Stage::Growing) {
                    return;
                }
                stages.insert(id, Stage::Sealed);
                if held {
                    self.seal(&name(id));
                }
                Event::ArtifactClosed { id: name(id) }
            }
            Step::Say => Event::Said {
                parts: vec![Part::text("so")],
            },
            Step::Report(percent) => Event::Progress {
                percent: Some(percent % 101),
                text: None,
            },
            Step::Ask => Event::Asked {
                kind: InputKind::Input,
                prompt: vec![Part::text("?")],
            },
            Step::Work => Event::Working,
            Step::Park => Event::Parked {
                code: "trap".to_owned(),
                reason: String::new(),
                position: Seq(1),
                backtrace: None,
            },
            Step::Resume => {
                self.add(Event::Resumed, stages.clone());
                Event::Working
            }
            Step::Rewind(by) => {
                let until = self.last();
                let to = Seq(until.0.saturating_sub(u64::from(by % 8)).max(1));
                stages = self.stages_after(to);
                self.rewound.push((to, until));
                self.add(Event::Rewound { to }, stages.clone());
                Event::Working
            }
        };
        self.add(event, stages);
    }

    /// What the worker is back at.
    fn stages_after(&self, to: Seq) -> Stages {
        let counted = (1..=to.0)
            .rev()
            .find(|seq| counts(&self.rewound, Seq(*seq)));
        let index = usize::try_from(counted.unwrap_or(1) - 1).unwrap();
        self.stages[index].clone()
    }

    fn seal(&mut self, id: &str) {
        let newest = self
            .entries
            .iter_mut()
            .rev()
            .find_map(|(_, entry)| match &mut entry.event {
                Event::ArtifactAppended { id: of, last, .. } if of == id => Some(last),
                _ => None,
            });
        *newest.unwrap() = true;
    }

    /// What operators had taken back by the time of entry `seq`.
    fn rewound_by(&self, seq: Seq) -> Vec<(Seq, Seq)> {
        let known = self.rewound.iter().filter(|(_, until)| *until < seq);
        known.copied().collect()
    }
}

fn name(id: u8) -> String {
    format!("a{id}")
}

fn spec(id: u8) -> ArtifactSpec {
    ArtifactSpec {
        id: name(id),
        name: Some("a name".to_owned()),
        description: None,
        metadata: None,
    }
}

/// Parts of all kinds, some of them empty.
fn part(of: u8) -> Part {
    let body = match of % 5 {
        0 => PartBody::Text(of.to_string()),
        1 => PartBody::Text(String::new()),
        2 => PartBody::Bytes(vec![of]),
        3 => PartBody::Url("https://a.example".to_owned()),
        _ => PartBody::Data(format!("{{\"n\":{of}}}")),
    };
    Part {
        body,
        media_type: of.is_multiple_of(2).then(|| "text/plain".to_owned()),
        filename: None,
        metadata: None,
    }
}

/// A version of the protocol.
#[derive(Debug, Clone, Copy)]
enum Version {
    V1,
    V03,
}

/// What a client knows of a task.
#[derive(Debug, Clone, PartialEq)]
struct Client {
    artifacts: Vec<Value>,
    status: Value,
}

impl Version {
    fn place() -> Place<'static> {
        Place {
            task: TaskId::from_bytes([7; 16]),
            context_id: "c",
        }
    }

    /// What a client knows that is shown the task as of entry `seq`.
    fn join(self, log: &Log, seq: Seq) -> Client {
        let mut view = TaskView::default();
        let rewound = log.rewound_by(seq.next());
        for (at, entry) in log.entries.iter().take_while(|(at, _)| *at <= seq) {
            view.apply_counting(&rewound, *at, entry.clone());
        }
        let task = task_to_a2a(Self::place(), &view, Projection::WHOLE);
        let mut task = match self {
            Self::V1 => json!(v1::Task::from(&task)),
            Self::V03 => json!(v03::Task::from(&task)),
        };
        Client {
            artifacts: task["artifacts"].as_array().cloned().unwrap(),
            status: task["status"].take(),
        }
    }

    /// The event as it is sent: the change of a status, or that of an artifact.
    fn event(self, seq: Seq, entry: &Entry) -> Option<(Value, Value)> {
        let event = event_to_a2a(Self::place(), seq, entry)?;
        let mut sent = match self {
            Self::V1 => json!(v1::Event::from(&event)),
            Self::V03 => json!(v03::Shown::event(&event, false)),
        };
        Some(match self {
            Self::V1 => (sent["statusUpdate"].take(), sent["artifactUpdate"].take()),
            Self::V03 if sent["kind"] == "status-update" => (sent, Value::Null),
            Self::V03 => (Value::Null, sent),
        })
    }
}

impl Client {
    /// Adds an event as the protocol says, and as the official clients do.
    fn add(&mut self, (status, artifact): (Value, Value)) {
        if status.is_object() {
            self.status = status["status"].clone();
        }
        if artifact.is_object() {
            self.add_artifact(&artifact);
        }
    }

    fn add_artifact(&mut self, update: &Value) {
        let artifact = &update["artifact"];
        let parts = artifact["parts"].as_array().unwrap();
        assert!(!parts.is_empty(), "A2A 4.1.7: {update}");
        let known = self.artifacts.iter_mut();
        let known = known
            .rev()
            .find(|known| known["artifactId"] == artifact["artifactId"]);
        match (known, update["append"] == true) {
            (Some(known), true) => {
                known["parts"]
                    .as_array_mut()
                    .unwrap()
                    .extend(parts.iter().cloned());
            }
            (Some(known), false) => *known = artifact.clone(),
            (None, false) => self.artifacts.push(artifact.clone()),
            (None, true) => {
                panic!("the client knows nothing that this could be added to: {update}")
            }
        }
    }
}

/// A client that joins after entry `from` and follows live. When an operator takes something back, its stream is
/// cut, and it begins anew.
fn follow_live(version: Version, log: &Log, from: Seq) -> Client {
    let mut client = version.join(log, from);
    for (seq, entry) in log.entries.iter().filter(|(seq, _)| *seq > from) {
        match entry.event {
            Event::Rewound { .. } => client = version.join(log, *seq),
            _ => version
                .event(*seq, entry)
                .into_iter()
                .for_each(|event| client.add(event)),
        }
    }
    client
}

/// A client that knows all up to entry `from`, and resumes there when everything is over.
fn resume(version: Version, log: &Log, from: Seq) -> Client {
    let knows_too_much = |(to, until): &(Seq, Seq)| *to < from && from <= *until;
    if log.rewound.iter().any(knows_too_much) {
        return version.join(log, log.last());
    }
    let mut client = version.join(log, from);
    for (seq, entry) in log.entries.iter().filter(|(seq, _)| *seq > from) {
        if !is_taken_back(&log.rewound, *seq, &entry.event) {
            version
                .event(*seq, entry)
                .into_iter()
                .for_each(|event| client.add(event));
        }
    }
    client
}

proptest! {
    #[test]
    fn what_a_client_adds_up_is_the_task(steps in prop::collection::vec(step(), 0..24)) {
        let log = Log::of(steps);
        for version in [Version::V1, Version::V03] {
            let task = version.join(&log, log.last());
            for from in (1..=log.last().0).map(Seq) {
                prop_assert_eq!(&follow_live(version, &log, from), &task, "{:?} from {}", version, from);
                prop_assert_eq!(&resume(version, &log, from), &task, "{:?} after {}", version, from);
            }
        }
    }

    /// The one empty part that a client gets is one that the worker wrote.
    #[test]
    fn a_close_adds_nothing(chunks in prop::collection::vec(any::<u8>(), 1..5), held: bool) {
        let mut steps: Vec<_> = chunks.iter().map(|of| Step::Append(0, *of)).collect();
        steps.push(Step::Close(0, held));
        let log = Log::of(steps);
        for version in [Version::V1, Version::V03] {
            let events = log.entries.iter().filter_map(|(seq, entry)| version.event(*seq, entry));
            let updates: Vec<_> = events.map(|(_, update)| update).filter(Value::is_object).collect();
            prop_assert_eq!(updates.len(), chunks.len());
            let last = |update: &Value| update["lastChunk"] == true;
            prop_assert_eq!(updates.last().is_some_and(last), held);
            prop_assert!(!updates.split_last().unwrap().1.iter().any(last));
            prop_assert_eq!(updates[0]["append"].clone(), Value::Null);
        }
    }
}

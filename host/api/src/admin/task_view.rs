//! Tasks as operators see them, as JSON. The command line reads the same types.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use taskyard_broker::{
    Fit, FlightPage, LogPage, ParkedPage, ParkedTask, Probe, TaskInFlight, TaskStatus,
};
use taskyard_task::decide::Breakdown;
use taskyard_task::{Header, Phase, Plugin, TaskState};

use super::view::moment;

/// What every list of tasks says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskBrief {
    /// Which task.
    pub id: String,
    /// Whose work it is; empty for the default tenant.
    pub tenant: String,
    /// The agent that it was sent to.
    pub agent: String,
    /// What the host does with it: `queued`, `running`, `delayed`, `suspended`, `parked`, `ended`.
    pub phase: String,
    /// What clients see, such as `working` or `input-required`.
    pub state: String,
    /// SHA-256 of the component that runs it, in hexadecimal digits.
    pub digest: String,
    /// The version that the component says it has, if it is known here.
    pub version: Option<String>,
    /// When it was submitted (RFC 3339).
    pub created_at: String,
}

/// A page of tasks that stand still.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParkedList {
    /// Those that stand still for longest first.
    pub tasks: Vec<ParkedView>,
    /// Where the next page begins; empty on the last one.
    pub next_page_token: String,
}

/// A task that stands still until an operator looks at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParkedView {
    /// The task.
    #[serde(flatten)]
    pub task: TaskBrief,
    /// Since when (RFC 3339).
    pub since: String,
    /// The entry that says so.
    pub entry: u64,
    /// Why.
    #[serde(flatten)]
    pub why: StuckView,
}

/// How and where a worker came to a halt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StuckView {
    /// For programs, such as `trap`.
    pub code: String,
    /// For people.
    pub reason: String,
    /// The last entry that it reached.
    pub position: u64,
    /// Where in its code it was, if that is known.
    pub backtrace: Option<String>,
}

/// A page of tasks that have not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlightList {
    /// The tasks, by component.
    pub tasks: Vec<TaskBrief>,
    /// Where the next page begins; empty on the last one.
    pub next_page_token: String,
}

/// What a task does, and why it does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskStatusView {
    /// The task.
    #[serde(flatten)]
    pub task: TaskBrief,
    /// Its conversation.
    pub context_id: String,
    /// When it fails if it has not ended (RFC 3339).
    pub deadline: String,
    /// The moment that it waits for, if it waits for one (RFC 3339).
    pub waits_until: Option<String>,
    /// Whether the client asked to cancel.
    pub cancel_requested: bool,
    /// How many runs began.
    pub attempts: u32,
    /// How many of them failed in a row.
    pub failures: u32,
    /// Its children that have not ended.
    pub children: Vec<ChildView>,
    /// The task that it is a child of.
    pub parent: Option<String>,
    /// Why it is parked, if it is.
    pub parked: Option<ParkedView>,
    /// How often the worker broke at the same place, if it broke last.
    pub broken: Option<u32>,
    /// What operators took back: behind the first entry of each pair, up to the second.
    pub taken_back: Vec<(u64, u64)>,
    /// The last failure that it is or was tried again after, if that is not long ago.
    pub last_retry: Option<EntryView>,
    /// The last entry of its log.
    pub last_entry: EntryView,
}

/// A child that has not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildView {
    /// Its parent's name for it.
    pub ticket: u64,
    /// Its task, if that is on this host.
    pub task: Option<String>,
    /// Whether it goes on when the parent ends.
    pub detached: bool,
}

/// A page of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogView {
    /// In order.
    pub entries: Vec<EntryView>,
    /// The last entry of the log.
    pub last: u64,
}

/// An entry of a log: what it was, not what it held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryView {
    /// Its number.
    pub seq: u64,
    /// When it was decided (RFC 3339).
    pub at: String,
    /// What kind it is.
    pub kind: String,
    /// How many bytes of content it carries.
    pub bytes: u64,
    /// What it was, in a line for people.
    pub what: String,
    /// Whether an operator took it back.
    pub taken_back: bool,
    /// What it was, for programs; depends on the kind.
    pub facts: Map<String, Value>,
}

/// Whether a component can go on with a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeView {
    /// SHA-256 of the component, in hexadecimal digits.
    pub digest: String,
    /// The version that it says it has.
    pub version: String,
    /// Whether it does what the log says, to its end.
    pub compatible: bool,
    /// How many entries it repeated.
    pub replayed: u64,
    /// The first thing that it did differently, if it did.
    pub difference: Option<DifferenceView>,
    /// How it broke, if it did.
    pub broke: Option<StuckView>,
    /// The result in words.
    pub what: String,
}

/// Where a component does something else than a log says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DifferenceView {
    /// The entry.
    pub entry: u64,
    /// What kind it is.
    pub logged: String,
    /// What the component did.
    pub did: String,
}

impl TaskBrief {
    pub(super) fn of(header: &Header, version: Option<String>) -> Self {
        Self {
            id: header.id.to_string(),
            tenant: header.tenant.to_string(),
            agent: header.agent.to_string(),
            phase: phase_word(header.phase).to_owned(),
            state: state_word(header.state).to_owned(),
            digest: header.digest.to_string(),
            version,
            created_at: moment(header.created_at),
        }
    }
}

impl From<ParkedTask> for ParkedView {
    fn from(parked: ParkedTask) -> Self {
        Self {
            task: TaskBrief::of(&parked.header, parked.version),
            since: moment(parked.since),
            entry: parked.entry.0,
            why: parked.why.into(),
        }
    }
}

impl From<ParkedPage> for ParkedList {
    fn from(page: ParkedPage) -> Self {
        Self {
            tasks: page.tasks.into_iter().map(ParkedView::from).collect(),
            next_page_token: page.next_page_token,
        }
    }
}

impl From<FlightPage> for FlightList {
    fn from(page: FlightPage) -> Self {
        let brief = |TaskInFlight { header, version }| TaskBrief::of(&header, version);
        Self {
            tasks: page.tasks.into_iter().map(brief).collect(),
            next_page_token: page.next_page_token,
        }
    }
}

impl From<TaskStatus> for TaskStatusView {
    fn from(status: TaskStatus) -> Self {
        let header = &status.header;
        let waits_until = match header.phase {
            Phase::Delayed { until } => Some(until),
            Phase::Suspended { until } => until,
            Phase::Queued | Phase::Running | Phase::Parked | Phase::Ended => None,
        };
        let children = header.children.iter().map(|child| ChildView {
            ticket: child.ticket.0,
            task: child.task.map(|task| task.to_string()),
            detached: child.detached,
        });
        let taken_back = header.rewound.iter().map(|(to, until)| (to.0, until.0));
        Self {
            context_id: header.context_id.clone(),
            deadline: moment(header.deadline),
            waits_until: waits_until.map(moment),
            cancel_requested: header.cancel_requested,
            attempts: header.attempt,
            failures: header.failures,
            children: children.collect(),
            parent: header.parent.map(|parent| parent.task.to_string()),
            broken: header.broken.as_ref().map(|broken| broken.times),
            taken_back: taken_back.collect(),
            parked: status.parked.map(ParkedView::from),
            last_retry: status.last_retry.as_ref().map(EntryView::from),
            last_entry: EntryView::from(&status.last_entry),
            task: TaskBrief::of(header, status.version),
        }
    }
}

impl From<LogPage> for LogView {
    fn from(page: LogPage) -> Self {
        Self {
            entries: page.entries.iter().map(EntryView::from).collect(),
            last: page.last.0,
        }
    }
}

impl From<Breakdown> for StuckView {
    fn from(at: Breakdown) -> Self {
        Self {
            code: at.code,
            reason: at.reason,
            position: at.position.0,
            backtrace: at.backtrace,
        }
    }
}

impl ProbeView {
    pub(super) fn new(plugin: &Plugin, probe: Probe) -> Self {
        let what = probe.to_string();
        let (difference, broke) = match probe.fit {
            Fit::Compatible => (None, None),
            Fit::Differs(difference) => (Some(difference), None),
            Fit::Broke(at) => (None, Some(at)),
        };
        Self {
            digest: plugin.digest.to_string(),
            version: plugin.manifest.version.clone(),
            compatible: difference.is_none() && broke.is_none(),
            replayed: probe.replayed,
            difference: difference.map(|difference| DifferenceView {
                entry: difference.seq.0,
                logged: difference.logged.to_owned(),
                did: difference.did,
            }),
            broke: broke.map(StuckView::from),
            what,
        }
    }
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Queued => "queued",
        Phase::Running => "running",
        Phase::Delayed { .. } => "delayed",
        Phase::Suspended { .. } => "suspended",
        Phase::Parked => "parked",
        Phase::Ended => "ended",
    }
}

/// A state, as people say it.
pub(super) fn state_word(state: TaskState) -> &'static str {
    match state {
        TaskState::Submitted => "submitted",
        TaskState::Working => "working",
        TaskState::InputRequired => "input-required",
        TaskState::AuthRequired => "auth-required",
        TaskState::Completed => "completed",
        TaskState::Failed => "failed",
        TaskState::Canceled => "canceled",
        TaskState::Rejected => "rejected",
    }
}

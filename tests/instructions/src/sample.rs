//! The task that is measured: a worker writes a report, line by line.

use taskyard_task::decide::{NewTask, Outcome, RetryPolicy, Rules, submit};
use taskyard_task::entry::REPLAY_CONTRACT;
use taskyard_task::{
    ArtifactSpec, Commit, Decision, Digest, Entry, Event, Header, Input, Message, Part, Partition,
    Priority, RunLimits, Seq, Submission, TaskId, Tenant, Timestamp, decide,
};
use uuid::Uuid;

/// When everything happens.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// What the worker does before it is done: with what the host adds, the log has a hundred entries then.
const LINES: usize = 96;

/// A task, and what it left so far.
pub(crate) struct Task {
    pub(crate) header: Header,
    pub(crate) log: Vec<(Seq, Entry)>,
    pub(crate) commits: Vec<Commit>,
}

impl Task {
    /// One that waits for its worker.
    pub(crate) fn submitted(number: u128) -> Self {
        let decision = submit(NOW, new_task(number));
        let mut task = Self {
            header: decision.header.clone(),
            log: Vec::new(),
            commits: Vec::new(),
        };
        task.take(decision);
        task
    }

    /// One that a worker has begun.
    pub(crate) fn running(number: u128) -> Self {
        let mut task = Self::submitted(number);
        task.apply(Input::Start);
        task
    }

    /// One whose worker has written so many lines.
    pub(crate) fn written(number: u128, lines: usize) -> Self {
        let mut task = Self::running(number);
        for line in 0..lines {
            task.apply(write(line));
        }
        task
    }

    /// One that is over, with a hundred entries.
    pub(crate) fn completed() -> Self {
        let mut task = Self::written(1, LINES);
        task.apply(complete());
        assert_eq!(task.log.len(), 100);
        task
    }

    fn apply(&mut self, input: Input) {
        let decision = decide(&rules(), NOW, &self.header, input);
        self.take(decision.expect("the task allows it"));
    }

    fn take(&mut self, decision: Decision) {
        self.header = decision.header.clone();
        let entries = decision.entries();
        self.log
            .extend(entries.map(|(seq, entry)| (seq, entry.clone())));
        self.commits.push(decision.into_commit());
    }
}

pub(crate) fn rules() -> Rules {
    let retry = RetryPolicy::default();
    Rules { retry }
}

/// A task to be. All have the same agent and the same conversation.
pub(crate) fn new_task(number: u128) -> NewTask {
    NewTask {
        id: TaskId::new(Uuid::from_u128(number), Partition::of_hash(1)),
        submission: submission(),
        epoch: 1,
        deadline: NOW.plus_millis(3_600_000),
        priority: Priority::default(),
        not_before: None,
        announced: true,
        push: None,
        remember: None,
    }
}

fn submission() -> Submission {
    Submission {
        message: Message {
            id: "0195b7e0-6f0a-7a7c-8d43-4b1a3a3f2c11".to_owned(),
            parts: vec![Part::text("Please write the report of this quarter.")],
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        },
        tenant: Tenant::default(),
        agent: "report".parse().expect("a name"),
        context_id: "0195b7e0-6f0a-7a7c-8d43-4b1a3a3f2c12".to_owned(),
        digest: Digest::of(b"report"),
        config: "{}".to_owned(),
        limits: RunLimits::default(),
        accepted_output_modes: vec!["text/plain".to_owned()],
        metadata: None,
        contract: REPLAY_CONTRACT,
        seed: [7; 32],
        parent: None,
        lineage: Vec::new(),
    }
}

/// The worker writes a line; every tenth time it says instead how far it is.
pub(crate) fn write(line: usize) -> Input {
    let event = match line % 10 {
        9 => Event::Progress {
            percent: u8::try_from(line).ok(),
            text: Some(format!("line {line}")),
        },
        _ => Event::ArtifactAppended {
            id: "report".to_owned(),
            spec: (line == 0).then(report),
            chunk: Part::text(format!(
                "Line {line} of the report says that all is well.\n"
            )),
            last: false,
        },
    };
    Input::Record { attempt: 1, event }
}

fn report() -> ArtifactSpec {
    ArtifactSpec {
        id: "report".to_owned(),
        name: Some("report.txt".to_owned()),
        description: None,
        metadata: None,
    }
}

/// The worker is done.
pub(crate) fn complete() -> Input {
    Input::Settle {
        attempt: 1,
        outcome: Outcome::Completed {
            message: vec![Part::text("The report is written.")],
        },
        jitter: 0,
    }
}

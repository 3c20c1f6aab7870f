//! The rules about children as a table: what happened, and what it leads to.

use super::super::*;
use crate::Submission;
use crate::child::{ChildCall, ChildTarget, News, ParentLink};
use crate::content::Part;
use crate::id::{Partition, TaskId, Ticket};
use crate::limits::RunLimits;

const NOW: Timestamp = Timestamp(1_000_000);
const RULES: Rules = Rules {
    retry: RetryPolicy {
        max_attempts: 2,
        initial_ms: 100,
        factor: 2.0,
        max_ms: 1_000,
        jitter: 0.0,
    },
};

/// Tasks by number: 0 is the one that things happen to, 99 its parent, others its children.
fn task(number: u64) -> TaskId {
    TaskId::new(
        uuid::Uuid::from_u128(u128::from(number) << 8),
        Partition::of_hash(1),
    )
}

fn number(task: TaskId) -> u128 {
    uuid::Uuid::from_bytes(task.to_bytes()).as_u128() >> 8
}

fn new_task() -> Header {
    let submission = Submission {
        message: Message {
            id: "m".to_owned(),
            parts: vec![Part::text("hello")],
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        },
        tenant: crate::Tenant::default(),
        agent: "parent".parse().unwrap(),
        context_id: "c".to_owned(),
        digest: Digest::of(b"parent"),
        config: "{}".to_owned(),
        limits: RunLimits::default(),
        accepted_output_modes: Vec::new(),
        metadata: None,
        contract: 2,
        seed: [7; 32],
        parent: Some(ParentLink {
            task: task(99),
            ticket: Ticket(5),
        }),
        lineage: Vec::new(),
    };
    let new = NewTask {
        id: task(0),
        submission,
        epoch: 1,
        deadline: NOW.plus_millis(10_000),
        announced: true,
        priority: crate::Priority::default(),
        not_before: None,
        push: None,
        remember: None,
    };
    submit(NOW, new).header
}

fn started(
    ticket: u64,
    target: ChildTarget,
    detached: bool,
    begun: Result<Option<TaskId>, String>,
) -> Event {
    Event::ChildStarted {
        ticket: Ticket(ticket),
        call: Box::new(ChildCall {
            target,
            message: vec![Part::text("go")],
            metadata: None,
            detached,
        }),
        begun,
    }
}

fn end() -> Box<ChildEnd> {
    Box::new(ChildEnd::failed("so it goes"))
}

/// The inputs of the table: a word, and a number where one is needed. `here` and `away` start the child
/// with this ticket, `end` is a letter of it, `gone` is the end of the one elsewhere that this entry
/// started.
fn input(word: &str, attempt: u32) -> Input {
    let (word, number) = word.split_once(':').unwrap_or((word, "0"));
    let number: u64 = number.parse().unwrap();
    let record = |event| Input::Record { attempt, event };
    let here = |detached| {
        let target = ChildTarget::Agent("child".parse().unwrap());
        record(started(number, target, detached, Ok(Some(task(number)))))
    };
    let away = |detached| {
        let target = ChildTarget::Remote("https://example.com".to_owned());
        record(started(number, target, detached, Ok(None)))
    };
    let letter = |from, ticket, news, end| Input::Letter {
        letter: Letter {
            to: task(0),
            from: task(from),
            ticket: Ticket(ticket),
            news,
        },
        end,
    };
    match word {
        "start" => Input::Start,
        "cancel" => Input::Cancel,
        "here" => here(false),
        "here-detached" => here(true),
        "away" => away(false),
        "away-detached" => away(true),
        "nobody" => {
            let target = ChildTarget::Agent("nobody".parse().unwrap());
            record(started(
                number,
                target,
                false,
                Err("no such agent".to_owned()),
            ))
        }
        "give-up" => record(Event::GaveUp {
            ticket: Ticket(number),
        }),
        "end" => letter(number, number, News::ChildEnded, Some(end())),
        "end-unread" => letter(number, number, News::ChildEnded, None),
        "end-of-stranger" => letter(77, number, News::ChildEnded, Some(end())),
        "gone" => Input::RemoteEnded {
            since: Seq(number),
            end: end(),
        },
        "unwanted" => letter(99, 5, News::Cancel, None),
        "unwanted-away" => {
            let since = Seq(number);
            letter(0, 1, News::CancelRemote { since }, None)
        }
        "rest" => Input::Suspend {
            attempt,
            until: None,
            seen: Seq::ZERO,
            asking: None,
            told: 0,
        },
        "complete" => Input::Settle {
            attempt,
            outcome: Outcome::Completed {
                message: Vec::new(),
            },
            jitter: 0,
        },
        "fail" => Input::Fail {
            reason: "enough".to_owned(),
        },
        "renew" => Input::Settle {
            attempt,
            outcome: Outcome::ContinuedAsNew(Box::new(Continuation {
                state: Vec::new(),
                inbox: Vec::new(),
                read: Seq::ZERO,
                artifacts: Vec::new(),
                artifact_bytes: 0,
                canceled: false,
            })),
            jitter: 0,
        },
        "park" => Input::Settle {
            attempt,
            outcome: Outcome::Parked(Breakdown {
                code: "trap".to_owned(),
                reason: "unreachable".to_owned(),
                position: Seq(3),
                backtrace: None,
            }),
            jitter: 0,
        },
        "rewind" => Input::Rewind { to: Seq(number) },
        other => panic!("unknown word {other}"),
    }
}

/// What a change is about, if it is about children.
fn describe(change: &Change) -> Option<String> {
    match change {
        Change::Append { entry, .. } => Some(entry.event.kind().to_owned()),
        Change::Post { letter } => Some(match letter.news {
            News::ChildEnded => format!("ended>{}", number(letter.to)),
            News::Cancel => format!("cancel>{}", number(letter.to)),
            News::CancelRemote { since } => format!("cancel-away@{since}"),
        }),
        Change::Taken { .. } => Some("taken".to_owned()),
        Change::DeleteRemote { child } => Some(format!("forget@{}", child.since)),
        _ => None,
    }
}

/// Applies `words` and describes the last decision, then the phase and the children that are left.
fn check(words: &str) -> String {
    let mut header = new_task();
    let mut last = String::new();
    for word in words.split_whitespace() {
        match decide(&RULES, NOW, &header, input(word, header.attempt)) {
            Ok(decision) => {
                header = decision.header.clone();
                let commit = decision.into_commit();
                let changes: Vec<_> = commit.changes.iter().filter_map(describe).collect();
                let left = header.children.iter().map(|child| child.ticket.0);
                let left: Vec<_> = left.collect();
                last = format!("{} -> {:?} {left:?}", changes.join(" "), header.phase);
            }
            Err(refusal) => last = format!("refused: {refusal:?}"),
        }
    }
    last
}

#[test]
fn the_rules_about_children() {
    let resting = "Suspended { until: None }";
    #[rustfmt::skip]
    let table = [
        // Beginning. Entry 4 is the first one of the worker.
        ("start here:1", "child-started -> Running [1]".to_owned()),
        ("start away:1", "child-started -> Running [1]".to_owned()),
        ("start nobody:1", "child-started -> Running []".to_owned()),
        // The end of a child reaches its parent, whatever that does.
        ("start here:1 end:1", "taken child-ended -> Running []".to_owned()),
        ("start here:1 rest end:1", "taken child-ended -> Queued []".to_owned()),
        ("start here:1 here:2 rest end:2", "taken child-ended -> Queued [1]".to_owned()),
        ("start here:1 end:1 rest", " -> Queued []".to_owned()),
        ("start here:1 park end:1", "taken child-ended -> Parked []".to_owned()),
        ("start away:1 rest gone:4", "forget@4 child-ended -> Queued []".to_owned()),
        // Once.
        ("start here:1 end:1 end:1", "taken -> Running []".to_owned()),
        ("start here:1 rest end:1 end:1", "taken -> Queued []".to_owned()),
        ("start away:1 gone:4 gone:4", "forget@4 -> Running []".to_owned()),
        ("start here:1 end-unread:1", "taken -> Running [1]".to_owned()),
        // Only its own child, even under the same name.
        ("start here:1 end-of-stranger:1", "taken -> Running [1]".to_owned()),
        ("start here:1 gone:4", "forget@4 -> Running [1]".to_owned()),
        ("start away:1 end:1", "taken -> Running [1]".to_owned()),
        ("start away-detached:1 renew start away:1 gone:4", "forget@4 -> Running [1]".to_owned()),
        ("start away-detached:1 renew start away:1 gone:7", "forget@7 child-ended -> Running []".to_owned()),
        // Structured: the end of a parent, however it comes, cancels what is not detached.
        ("start here:1 away:2 here-detached:3 away-detached:4 complete",
            "completed cancel>1 cancel-away@5 ended>99 -> Ended []".to_owned()),
        ("start here:1 fail", "failed cancel>1 ended>99 -> Ended []".to_owned()),
        ("start here:1 park cancel", "canceled cancel>1 ended>99 -> Ended []".to_owned()),
        ("start here:1 end:1 complete", "completed ended>99 -> Ended []".to_owned()),
        ("start here:1 complete end:1", "taken -> Ended []".to_owned()),
        ("start away:1 complete gone:4", "forget@4 -> Ended []".to_owned()),
        ("start here-detached:1 renew", "continued-as-new -> Queued []".to_owned()),
        // A child that is given up is asked to cancel, and still ends.
        ("start here:1 give-up:1", "gave-up cancel>1 -> Running [1]".to_owned()),
        ("start away:1 give-up:1", "gave-up cancel-away@4 -> Running [1]".to_owned()),
        ("start here-detached:1 give-up:1", "gave-up cancel>1 -> Running [1]".to_owned()),
        ("start here:1 end:1 give-up:1", "gave-up -> Running []".to_owned()),
        ("start give-up:1", "gave-up -> Running []".to_owned()),
        // An operator takes back that children were started.
        ("start here:1 away:2 park rewind:4", "cancel-away@5 rewound working -> Queued [1]".to_owned()),
        ("start here:1 park rewind:3 end:1", "taken -> Queued []".to_owned()),
        // A child whose parent wants it no more.
        ("unwanted", "taken canceled ended>99 -> Ended []".to_owned()),
        ("start unwanted", "taken cancel-requested -> Running []".to_owned()),
        ("start rest unwanted", "taken cancel-requested -> Queued []".to_owned()),
        ("start unwanted unwanted", "taken -> Running []".to_owned()),
        ("start complete unwanted", "taken -> Ended []".to_owned()),
        ("start away:1 unwanted-away:4", "taken -> Running [1]".to_owned()),
        // Nothing comes in between.
        ("start here:1 rest", format!(" -> {resting} [1]")),
    ];
    for (words, expected) in table {
        assert_eq!(check(words), expected, "{words}");
    }
}

#[test]
fn a_task_has_only_so_many_open_children() {
    let mut words = "start".to_owned();
    for ticket in 1..=1_024 {
        words.push_str(&format!(" here:{ticket}"));
    }
    assert!(check(&words).starts_with("child-started -> Running [1, 2,"));
    assert_eq!(
        check(&format!("{words} here:1025")),
        "refused: TooManyChildren"
    );
    let refused = check(&format!("{words} nobody:1025"));
    assert!(
        refused.starts_with("child-started -> Running"),
        "a refusal is recorded"
    );
}

#[test]
fn results_that_are_too_large_are_left_out_and_that_is_said() {
    let view = |text: &str| crate::TaskView {
        state: TaskState::Completed,
        status_message: Some((Seq(9), vec![Part::text("done")])),
        artifacts: vec![crate::fold::ArtifactView {
            spec: crate::ArtifactSpec {
                id: "a".to_owned(),
                name: None,
                description: None,
                metadata: None,
            },
            parts: vec![Part::text(text)],
        }],
        ..crate::TaskView::default()
    };
    let small = ChildEnd::of(view("x"), 100);
    assert_eq!(
        (small.message, small.artifacts.len()),
        (vec![Part::text("done")], 1)
    );

    let large = ChildEnd::of(view(&"x".repeat(100)), 100);
    assert_eq!(
        (large.state, large.artifacts.len()),
        (TaskState::Completed, 0)
    );
    let [message] = large.message.as_slice() else {
        panic!("{:?}", large.message);
    };
    assert!(
        format!("{message:?}").contains("more than the 100"),
        "{message:?}"
    );
}

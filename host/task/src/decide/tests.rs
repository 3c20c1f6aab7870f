//! The rules as tables: a history of inputs, and what it leads to.

use proptest::prelude::*;

use super::*;
use crate::content::{ArtifactSpec, Part};
use crate::entry::{InputKind, Observation, Submission};
use crate::id::{Partition, TaskId};
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

fn message() -> Message {
    Message {
        id: "m".to_owned(),
        parts: vec![Part::text("hello")],
        metadata: None,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    }
}

fn new_task(announced: bool) -> Header {
    let submission = Submission {
        message: message(),
        tenant: crate::Tenant::default(),
        agent: "echo".parse().unwrap(),
        context_id: "c".to_owned(),
        digest: Digest::of(b"echo"),
        config: "{}".to_owned(),
        limits: RunLimits::default(),
        accepted_output_modes: Vec::new(),
        metadata: None,
        contract: 1,
        seed: [7; 32],
        parent: None,
        lineage: Vec::new(),
    };
    let id = TaskId::new(uuid::Uuid::from_u128(1), Partition::of_hash(1));
    let deadline = NOW.plus_millis(10_000);
    submit(
        NOW,
        NewTask {
            id,
            submission,
            epoch: 1,
            deadline,
            announced,
            priority: crate::Priority::default(),
            not_before: None,
            push: None,
            remember: None,
        },
    )
    .header
}

/// The inputs of the tables, by one word each.
fn input(word: &str, attempt: u32, header: &Header) -> Input {
    let record = |event| Input::Record { attempt, event };
    let settle = |outcome| Input::Settle {
        attempt,
        outcome,
        jitter: 0,
    };
    let failed = |after_ms| Outcome::Transient {
        code: "busy".to_owned(),
        reason: "busy".to_owned(),
        after_ms,
    };
    let suspend = |until, asking| Input::Suspend {
        attempt,
        until,
        seen: header.last_outside,
        asking,
        told: 3,
    };
    let breakdown = || Breakdown {
        code: "trap".to_owned(),
        reason: "unreachable".to_owned(),
        position: header.last,
        backtrace: None,
    };
    match word {
        "rest" => suspend(None, None),
        "sleep" => suspend(Some(NOW.plus_millis(300)), None),
        "await" => suspend(None, Some(InputKind::Input)),
        "rest-unaware" => Input::Suspend {
            attempt,
            until: None,
            seen: Seq::ZERO,
            asking: None,
            told: 3,
        },
        "break" => settle(Outcome::Broke(Breakdown {
            position: Seq(7),
            ..breakdown()
        })),
        "break-elsewhere" => settle(Outcome::Broke(breakdown())),
        "park" => settle(Outcome::Parked(breakdown())),
        "renew" => settle(Outcome::ContinuedAsNew(Box::new(Continuation {
            state: Vec::new(),
            inbox: Vec::new(),
            read: Seq::ZERO,
            artifacts: Vec::new(),
            artifact_bytes: 0,
            canceled: false,
        }))),
        "resume" => Input::Resume,
        "rewind" => Input::Rewind { to: Seq(2) },
        "rewind-too-far" => Input::Rewind {
            to: header.last.next(),
        },
        "move" => Input::Move {
            digest: Digest::of(b"other"),
        },
        "give-up" => Input::Fail {
            reason: "enough".to_owned(),
        },
        "message" => Input::Message {
            message: message(),
            push: None,
            remember: None,
        },
        "provide" => Input::Provide { message: message() },
        "withdraw" => Input::Withdraw {
            attempt,
            ticket: Ticket(1),
            asking: None,
        },
        "withdraw-one" => Input::Withdraw {
            attempt,
            ticket: Ticket(1),
            asking: Some(InputKind::Input),
        },
        "ask-auth" => record(Event::Asked {
            kind: InputKind::Auth,
            prompt: vec![Part::text("who are you?")],
        }),
        "announce" => Input::Announce,
        "cancel" => Input::Cancel,
        "start" => Input::Start,
        "due" => Input::Due,
        "say" => record(Event::Said {
            parts: vec![Part::text("hi")],
        }),
        "put" => record(Event::ArtifactPut {
            spec: ArtifactSpec {
                id: "a".to_owned(),
                name: None,
                description: None,
                metadata: None,
            },
            parts: vec![Part::text("x")],
        }),
        "ask" => record(Event::Asked {
            kind: InputKind::Input,
            prompt: vec![Part::text("?")],
        }),
        "observe" => record(Event::Observed {
            call: 1,
            what: Observation::Cancel,
        }),
        "forge" => record(Event::Canceled),
        "complete" => settle(Outcome::Completed {
            message: Vec::new(),
        }),
        "reject" => settle(Outcome::Rejected {
            reason: "no".to_owned(),
        }),
        "reply" => settle(Outcome::Replied {
            parts: vec![Part::text("pong")],
        }),
        "fail" => settle(Outcome::Failed {
            blame: Blame::Worker,
            code: "broken".to_owned(),
            reason: "broken".to_owned(),
        }),
        "transient" => settle(failed(None)),
        "transient-after" => settle(failed(Some(500))),
        "stopped" => settle(Outcome::Canceled),
        "forget" => Input::Forget {
            keys: vec![Digest::of(b"key")],
        },
        other => panic!("unknown word {other}"),
    }
}

/// Applies `words` and describes the last decision: entries, state, phase.
/// `stale-X` is input X of a run that is no longer current; `@N` waits N milliseconds.
fn check(announced: bool, words: &str) -> String {
    let mut header = new_task(announced);
    let mut now = NOW;
    let mut last = String::new();
    for word in words.split_whitespace() {
        if let Some(millis) = word.strip_prefix('@') {
            now = now.plus_millis(millis.parse().unwrap());
            continue;
        }
        let (word, attempt) = match word.strip_prefix("stale-") {
            Some(word) => (word, header.attempt.wrapping_sub(1)),
            None => (word, header.attempt),
        };
        match decide(&RULES, now, &header, input(word, attempt, &header)) {
            Ok(decision) => {
                let kinds: Vec<_> = decision.entries().map(|(_, e)| e.event.kind()).collect();
                header = decision.header;
                last = format!(
                    "{} -> {:?} {:?}",
                    kinds.join(" "),
                    header.state,
                    header.phase
                );
            }
            Err(refusal) => last = format!("refused: {refusal:?}"),
        }
    }
    last
}

#[test]
fn the_rules() {
    let until = |millis: u64| format!("Delayed {{ until: Timestamp({}) }}", NOW.0 + millis);
    let suspended_until =
        |millis: u64| format!("Suspended {{ until: Some(Timestamp({})) }}", NOW.0 + millis);
    #[rustfmt::skip]
    let table = [
        // A run, quiet until something is visible.
        (false, "start", "started -> Submitted Running".to_owned()),
        (true, "start", "started working -> Working Running".to_owned()),
        (false, "start say", "working said -> Working Running".to_owned()),
        (false, "start put", "working artifact-put -> Working Running".to_owned()),
        (false, "start complete", "completed -> Completed Ended".to_owned()),
        (false, "start reject", "rejected -> Rejected Ended".to_owned()),
        (false, "start fail", "failed -> Failed Ended".to_owned()),
        (false, "start start", "started -> Submitted Running".to_owned()),
        (false, "say", "refused: StaleRun".to_owned()),
        (false, "start forge", "refused: NotJournaled(\"canceled\")".to_owned()),
        // A direct answer only where no task was shown.
        (false, "start reply", "replied -> Completed Ended".to_owned()),
        (false, "start announce reply", "completed -> Completed Ended".to_owned()),
        (true, "start reply", "completed -> Completed Ended".to_owned()),
        // Asking and being answered.
        (false, "start ask", "working asked -> InputRequired Running".to_owned()),
        (false, "start ask await", " -> InputRequired Suspended { until: None }".to_owned()),
        (false, "start ask message", "received working -> Working Running".to_owned()),
        (false, "start ask message say await", "still-asking -> InputRequired Suspended { until: None }".to_owned()),
        (false, "start ask await message", "received working -> Working Queued".to_owned()),
        (false, "start ask rest-unaware", "working -> Working Suspended { until: None }".to_owned()),
        (false, "start ask message rest-unaware", " -> Working Queued".to_owned()),
        (false, "start ask await say", "refused: StaleRun".to_owned()),
        (false, "start ask await message start", "started -> Working Running".to_owned()),
        (false, "start ask await @20000 due", "failed -> Failed Ended".to_owned()),
        (false, "start ask await due", " -> InputRequired Suspended { until: None }".to_owned()),
        // Being answered out of band.
        (false, "start ask-auth provide", "provided working -> Working Running".to_owned()),
        (false, "start ask await provide", "provided working -> Working Queued".to_owned()),
        (false, "start ask await provide provide", "refused: NotAsking".to_owned()),
        (true, "provide", "refused: NotAsking".to_owned()),
        (true, "start ask complete provide", "refused: Ended(Completed)".to_owned()),
        // Waiting no longer for an answer.
        (false, "start ask-auth withdraw", "gave-up working -> Working Running".to_owned()),
        (false, "start ask-auth withdraw-one", "gave-up still-asking -> InputRequired Running".to_owned()),
        (false, "start ask withdraw-one", "gave-up -> InputRequired Running".to_owned()),
        (false, "start ask message withdraw", "gave-up -> Working Running".to_owned()),
        (true, "start withdraw-one", "gave-up -> Working Running".to_owned()),
        (false, "start ask await withdraw", "refused: StaleRun".to_owned()),
        // Sleeping.
        (true, "start sleep", format!(" -> Working {}", suspended_until(300))),
        (true, "start sleep @200 due", format!(" -> Working {}", suspended_until(300))),
        (true, "start sleep @300 due", " -> Working Queued".to_owned()),
        (true, "start @300 sleep", " -> Working Queued".to_owned()),
        (true, "start sleep message", "received -> Working Queued".to_owned()),
        (true, "start sleep @20000 due", "failed -> Failed Ended".to_owned()),
        // Only what has ended is forgotten.
        (true, "forget", "refused: NotEnded".to_owned()),
        (true, "start park forget", "refused: NotEnded".to_owned()),
        (true, "start complete forget", " -> Completed Ended".to_owned()),
        // Follow-ups in every state.
        (false, "message", "received -> Submitted Queued".to_owned()),
        (true, "start message", "received -> Working Running".to_owned()),
        (false, "start complete message", "refused: MessageAfterEnd { state: Completed, context_id: \"c\" }".to_owned()),
        // Going on with an empty log.
        (true, "start renew", "continued-as-new -> Working Queued".to_owned()),
        (true, "start ask renew", "working continued-as-new -> Working Queued".to_owned()),
        (true, "start say renew start renew", format!("retried -> Working {}", until(100))),
        (true, "start say renew start say renew", "continued-as-new -> Working Queued".to_owned()),
        // Breaking, and standing still.
        (true, "start break", format!("retried -> Working {}", until(100))),
        (true, "start break start break", "refused: StaleRun".to_owned()),
        (true, "start break @100 due start break", "parked -> Submitted Parked".to_owned()),
        (false, "start break @100 due start break", "parked -> Submitted Parked".to_owned()),
        (true, "start break @100 due start say break-elsewhere", format!("retried -> Working {}", until(200))),
        (true, "start park", "parked -> Submitted Parked".to_owned()),
        (true, "start park message", "received -> Submitted Parked".to_owned()),
        (true, "start park resume", "resumed working -> Working Queued".to_owned()),
        (true, "start park resume start", "started -> Working Running".to_owned()),
        (true, "start park rewind", "rewound working -> Working Queued".to_owned()),
        (true, "start park rewind-too-far", "refused: BadPosition { from: Seq(1), until: Seq(4) }".to_owned()),
        (true, "start park move", "moved working -> Working Queued".to_owned()),
        (true, "start park give-up", "failed -> Failed Ended".to_owned()),
        (true, "start park cancel", "canceled -> Canceled Ended".to_owned()),
        (true, "start park @20000 due", "failed -> Failed Ended".to_owned()),
        (true, "start resume", "refused: NotParked".to_owned()),
        (true, "start rewind", "refused: NotParked".to_owned()),
        (true, "start move", "refused: Busy".to_owned()),
        (true, "start sleep move", format!("moved -> Working {}", suspended_until(300))),
        (true, "start complete give-up", "refused: Ended(Completed)".to_owned()),
        // Transient failures.
        (false, "start transient", format!("retried -> Submitted {}", until(100))),
        (false, "start transient-after", format!("retried -> Submitted {}", until(500))),
        (false, "start transient @50 due", format!(" -> Submitted {}", until(100))),
        (false, "start transient @100 due", " -> Submitted Queued".to_owned()),
        (false, "start transient @100 due start transient", "failed -> Failed Ended".to_owned()),
        (false, "start transient @100 due start say transient", format!("retried -> Working {}", until(200))),
        (false, "start transient message", format!("received -> Submitted {}", until(100))),
        (false, "start transient @20000 due", "failed -> Failed Ended".to_owned()),
        (false, "@20000 start", "failed -> Failed Ended".to_owned()),
        // Cancel, in every phase, and its races.
        (true, "cancel", "canceled -> Canceled Ended".to_owned()),
        (true, "cancel cancel", "refused: NotCancelable(Canceled)".to_owned()),
        (true, "start cancel", "cancel-requested -> Working Running".to_owned()),
        (true, "start cancel cancel", " -> Working Running".to_owned()),
        (true, "start cancel complete", "canceled -> Canceled Ended".to_owned()),
        (true, "start cancel transient", "canceled -> Canceled Ended".to_owned()),
        (true, "start cancel stopped", "canceled -> Canceled Ended".to_owned()),
        (true, "start cancel say complete", "canceled -> Canceled Ended".to_owned()),
        (true, "start cancel observe", "observed -> Working Running".to_owned()),
        (true, "start cancel park", "canceled -> Canceled Ended".to_owned()),
        (true, "start cancel break", "canceled -> Canceled Ended".to_owned()),
        (true, "start cancel rest", " -> Working Queued".to_owned()),
        (true, "start cancel rest-unaware", " -> Working Queued".to_owned()),
        (true, "start cancel start", "started -> Working Running".to_owned()),
        (true, "start ask await cancel", "cancel-requested -> InputRequired Queued".to_owned()),
        (true, "start sleep cancel", "cancel-requested -> Working Queued".to_owned()),
        (true, "start transient cancel", "cancel-requested -> Working Queued".to_owned()),
        (true, "start complete cancel", "refused: NotCancelable(Completed)".to_owned()),
        // A run that was superseded changes nothing.
        (true, "start start stale-complete", "refused: StaleRun".to_owned()),
        (true, "start start stale-say", "refused: StaleRun".to_owned()),
        (true, "start complete start", "refused: NotQueued".to_owned()),
    ];
    for (announced, words, expected) in table {
        assert_eq!(
            check(announced, words),
            expected,
            "announced={announced}: {words}"
        );
    }
}

fn hook() -> PushConfig {
    PushConfig {
        on: None,
        version: crate::WireVersion::V1,
        id: "hook".to_owned(),
        url: "https://example.com/".to_owned(),
        token: None,
        scheme: None,
        credentials: None,
        created_at: NOW,
    }
}

#[test]
fn webhooks_hear_of_every_visible_entry_from_registration_on() {
    let header = new_task(true);
    let header = decide(&RULES, NOW, &header, Input::PutPushConfig(hook()))
        .unwrap()
        .header;
    let commit = decide(&RULES, NOW, &header, Input::Start)
        .unwrap()
        .into_commit();
    let notified: Vec<_> = commit
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Notify { config, seq, .. } => Some((config.as_str(), seq.0)),
            _ => None,
        })
        .collect();
    assert_eq!(
        notified,
        [("hook", 3)],
        "the entry `working`, not `started`"
    );
}

#[test]
fn a_webhook_comes_with_its_message_or_not_at_all() {
    let send = |header: &Header| {
        let input = Input::Message {
            message: message(),
            push: Some(hook()),
            remember: None,
        };
        decide(&RULES, NOW, header, input)
    };
    let mut asking = new_task(true);
    for word in ["start", "ask"] {
        let input = input(word, asking.attempt, &asking);
        asking = decide(&RULES, NOW, &asking, input).unwrap().header;
    }
    let decision = send(&asking).unwrap();
    assert_eq!(decision.header.push, ["hook"]);
    let changes = decision.into_commit().changes;
    let [Change::PutPushConfig { .. }, Change::Append { .. }, ..] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    let heard = |change: &Change| matches!(change, Change::Notify { .. });
    assert!(changes.iter().any(heard), "that the task is worked on");

    let full = Header {
        received: MAX_RECEIVED,
        ..asking.clone()
    };
    let many = Header {
        push: (0..MAX_PUSH_CONFIGS).map(|id| id.to_string()).collect(),
        ..asking.clone()
    };
    let complete = input("complete", asking.attempt, &asking);
    let ended = decide(&RULES, NOW, &asking, complete).unwrap().header;
    let after_end = Refusal::MessageAfterEnd {
        state: TaskState::Completed,
        context_id: ended.context_id.clone(),
    };
    for (header, refusal) in [
        (full, Refusal::TooManyMessages),
        (many, Refusal::TooManyPushConfigs),
        (ended, after_end),
    ] {
        assert_eq!(send(&header).unwrap_err(), refusal);
    }
}

proptest! {
    /// Whatever happens in whatever order: numbers have no gap, there is one end at most, nothing
    /// follows it, and a header always says what its entries say.
    #[test]
    fn any_history_is_legal(
        announced: bool,
        words in prop::collection::vec(prop::sample::select(vec![
            "message", "announce", "cancel", "start", "due", "say", "put", "ask", "observe", "complete",
            "reject", "reply", "fail", "transient", "stopped", "stale-say", "stale-complete", "rest",
            "sleep", "await", "rest-unaware", "break", "break-elsewhere", "park", "renew", "resume", "rewind",
            "move", "give-up",
        ]), 0..40),
        pause in 0u64..500,
    ) {
        let mut header = new_task(announced);
        let mut now = NOW;
        let (mut ended, mut visible) = (false, 0);
        for word in words {
            now = now.plus_millis(pause);
            let (word, attempt) = match word.strip_prefix("stale-") {
                Some(word) => (word, header.attempt.wrapping_sub(1)),
                None => (word, header.attempt),
            };
            let Ok(decision) = decide(&RULES, now, &header, input(word, attempt, &header)) else { continue };
            let mut next = header.last;
            for (seq, entry) in decision.entries() {
                prop_assert!(!ended, "{word} added {:?} after the end", entry.event);
                next = next.next();
                prop_assert_eq!(seq, next);
                visible += u64::from(entry.event.is_visible());
                ended |= entry.event.state().is_some_and(TaskState::is_terminal);
            }
            header = decision.header;
            prop_assert_eq!(header.last, next);
            prop_assert_eq!(header.visible, visible);
            prop_assert_eq!(header.is_ended(), ended);
            prop_assert_eq!(header.state.is_terminal(), ended);
            // Nobody is told that a task is worked on while it stands still.
            prop_assert!(header.phase != Phase::Parked || header.state == TaskState::Submitted);
            prop_assert!(header.is_ended() || header.timer().is_some() || header.phase.has_work());
        }
    }
}

#[test]
fn a_forgotten_task_is_one_change() {
    let mut header = new_task(true);
    for word in ["start", "complete"] {
        let input = input(word, header.attempt, &header);
        header = decide(&RULES, NOW, &header, input).unwrap().header;
    }
    let forget = input("forget", 0, &header);
    let decision = decide(&RULES, NOW, &header, forget).unwrap();
    assert!(decision.forgets() && !decision.is_nothing());
    let changes = decision.into_commit().changes;
    let expected = Change::Forget {
        header: Box::new(header),
        keys: vec![Digest::of(b"key")],
    };
    assert_eq!(changes, [expected]);
}

#[test]
fn state_of_its_own_goes_with_the_task_that_wrote_some() {
    use crate::kv::{Scope, StateCall, StateResult};
    let put = |scope, value: Option<&[u8]>, result| Event::State {
        call: Box::new(StateCall::Put {
            scope,
            key: "k".to_owned(),
            value: value.map(|value| value.to_vec().into()),
            ttl_ms: None,
            expected: crate::kv::Expected::Anything,
        }),
        result,
    };
    let table = [
        (put(Scope::Task, Some(b"v"), StateResult::Written(1)), true),
        (
            put(Scope::Task, Some(b"v"), StateResult::Stale(None)),
            false,
        ),
        (put(Scope::Task, None, StateResult::Written(0)), false),
        (
            put(Scope::Tenant, Some(b"v"), StateResult::Written(1)),
            false,
        ),
    ];
    for (event, expected) in table {
        let header = new_task(true);
        let header = decide(&RULES, NOW, &header, Input::Start).unwrap().header;
        let attempt = header.attempt;
        let record = Input::Record { attempt, event };
        let header = decide(&RULES, NOW, &header, record).unwrap().header;
        assert_eq!(header.has_state, expected);
        let end = input("complete", attempt, &header);
        let changes = decide(&RULES, NOW, &header, end)
            .unwrap()
            .into_commit()
            .changes;
        let drops = |change: &Change| matches!(change, Change::DropState { .. });
        assert_eq!(changes.iter().any(drops), expected);
    }
}

#[test]
fn what_the_operator_was_told_counts_from_where_replays_begin() {
    let run = |header: &Header, word: &str| {
        let header = decide(&RULES, NOW, header, Input::Start).unwrap().header;
        let step = input(word, header.attempt, &header);
        decide(&RULES, NOW, &header, step).unwrap().header
    };
    let rested = run(&new_task(true), "rest");
    assert_eq!(rested.told, 3);
    // Tried again, it says the same again; begun anew or taken over by an operator, it does not.
    let woken = decide(&RULES, NOW, &rested, input("message", 0, &rested)).unwrap();
    assert_eq!(run(&woken.header, "transient").told, 3);
    assert_eq!(run(&woken.header, "renew").told, 0);
    let parked = run(&woken.header, "park");
    let resumed = decide(&RULES, NOW, &parked, Input::Resume).unwrap();
    assert_eq!((parked.told, resumed.header.told), (3, 0));
}

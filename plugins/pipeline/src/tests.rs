//! What becomes of jobs, whatever becomes of the children.

use std::time::Duration;

use serde_json::json;
use taskyard_sdk::testing::{Event, Host, Run};

use super::*;

/// A host with an agent that shouts and one that fails.
fn host() -> Host {
    Host::new()
        .child("shout", |message| {
            ChildEnd::completed().with_artifact("loud", message.text().to_uppercase())
        })
        .child("broken", |_| ChildEnd::failed("out of order"))
}

fn joined(run: &Run) -> String {
    run.artifact_text("joined").unwrap()
}

fn reason(run: &Run) -> String {
    match run.outcome() {
        Some(Outcome::Rejected(reason)) => reason.clone(),
        other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn joins_results_in_the_order_given_however_long_they_take() {
    let slow = |message: &Message| ChildEnd::completed().with_artifact("a", message.text());
    let run = host()
        .slow_child("slow", Duration::from_secs(60), slow)
        .message("slow: one\nshout: two\n\n  shout : three  ")
        .run_with_crashes::<Pipeline>();

    let expected = "## 1. slow\n\none\n\n## 2. shout\n\nTWO\n\n## 3. shout\n\nTHREE\n\n";
    assert_eq!(joined(&run), expected);
    assert_eq!(run.final_text().as_deref(), Some("3 of 3 jobs are done"));
    assert_eq!(run.elapsed, Duration::from_secs(60));
}

#[test]
fn reports_progress_with_each_child_that_ends() {
    let run = host()
        .message("shout: a\nshout: b\nshout: c\nshout: d")
        .run::<Pipeline>();

    let is_progress = |event: &&Event| matches!(event, Event::Progress { .. });
    let progress: Vec<&Event> = run.events.iter().filter(is_progress).collect();
    assert_eq!(progress.len(), 4);
    assert_eq!(progress[0], &Event::progress(25, "1 of 4 jobs are over"));
    assert_eq!(progress[3], &Event::progress(100, "4 of 4 jobs are over"));
}

#[test]
fn names_the_children_that_failed_and_goes_on() {
    let run = host()
        .message("shout: a\nbroken: b\nnobody: c\nshout: d")
        .run_with_crashes::<Pipeline>();

    let text = run.final_text().unwrap();
    assert!(
        text.starts_with("2 of 4 jobs are done; failed: 2. broken (out of order), 3. nobody ("),
        "{text}"
    );
    assert!(joined(&run).contains("## 2. broken\n\nfailed: out of order\n\n"));
    assert!(joined(&run).ends_with("## 4. shout\n\nD\n\n"));
}

#[test]
fn fails_when_no_job_was_done() {
    let run = host().message("broken: a\nbroken: b").run::<Pipeline>();

    let error = run.failure().unwrap();
    assert_eq!(error.code(), "all-failed");
    assert!(
        error
            .message()
            .contains("1. broken (out of order), 2. broken"),
        "{error}"
    );
}

#[test]
fn starts_no_more_children_at_once_than_the_operator_allows() {
    let minute = Duration::from_secs(60);
    let run = |at_once| {
        host()
            .slow_child("slow", minute, |_| ChildEnd::completed())
            .config(json!({"at_once": at_once}))
            .message("slow: a\nslow: b\nslow: c\nslow: d\nslow: e\nslow: f")
            .run_with_crashes::<Pipeline>()
    };
    assert_eq!(run(1).elapsed, minute * 6);
    assert_eq!(run(2).elapsed, minute * 3);
    assert_eq!(run(6).elapsed, minute);
    assert_eq!(run(0).elapsed, minute * 6);
}

#[test]
fn a_slow_child_does_not_keep_those_behind_it_from_being_started() {
    let hour = Duration::from_secs(60 * 60);
    let run = host()
        .slow_child("slow", hour, |_| ChildEnd::completed())
        .config(json!({"at_once": 2}))
        .message(format!("slow: a\n{}", "shout: b\n".repeat(99)))
        .run::<Pipeline>();

    // All but those for which there is no place in line.
    assert_eq!(run.elapsed, hour);
    assert_eq!(
        run.final_text().as_deref(),
        Some("100 of 100 jobs are done")
    );
}

#[test]
fn files_go_to_every_agent() {
    let parts = [
        Part::text("shout: look\nshout:"),
        Part::text("a,b\n").media_type("text/csv"),
    ];
    let run = host().message(parts).run::<Pipeline>();
    assert_eq!(
        joined(&run),
        "## 1. shout\n\nLOOK\nA,B\n\n\n## 2. shout\n\nA,B\n\n\n"
    );
}

#[test]
fn the_operator_can_name_the_agents_once_for_all() {
    let run = host()
        .config(json!({"agents": ["shout", "broken"]}))
        .message([Part::text("one"), Part::text("two")])
        .run_with_crashes::<Pipeline>();
    assert!(joined(&run).starts_with("## 1. shout\n\nONE\nTWO\n\n"));
    assert_eq!(run.children.len(), 2);
}

#[test]
fn a_direct_answer_is_a_result_too() {
    let run = Host::new()
        .child("curt", |_| ChildEnd::completed().with_message("yes"))
        .message("curt: well?")
        .run::<Pipeline>();
    assert_eq!(joined(&run), "## 1. curt\n\nyes\n\n");
}

#[test]
fn a_cancel_ends_it_and_its_children() {
    let run = host()
        .slow_child("slow", Duration::from_secs(60), |_| ChildEnd::completed())
        .message("slow: a\nslow: b")
        .cancel_at(Duration::from_secs(10))
        .run::<Pipeline>();

    assert_eq!(run.failure().map(Error::code), Some("canceled"));
    assert_eq!(run.elapsed, Duration::from_secs(10));
    assert!(run.children.iter().all(|child| child.canceled));
}

#[test]
fn rejects_what_is_no_list_of_jobs() {
    for (text, words) in [
        ("", "one job per line"),
        ("good morning", "is not `agent: text`"),
        ("shout: a\nshout:", "does not say what to do"),
        (&"shout: a\n".repeat(101), "more than 100 jobs"),
    ] {
        let run = host().message(text).run::<Pipeline>();
        assert!(reason(&run).contains(words), "{text:?}: {run:?}");
        assert_eq!(run.events, []);
    }
    let picture = Part::bytes([0]).media_type("image/png");
    assert!(reason(&host().message(picture).run::<Pipeline>()).contains("one job per line"));
}

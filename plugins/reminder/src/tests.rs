//! When it reminds, how often, and what can be said meanwhile. Time is that of the tests: it begins in 1970.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use taskyard_sdk::testing::{Host, Reply, Run};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const NOTIFY: &str = "https://notify.example/";

fn remind(text: &str) -> Host {
    Host::new().message(text)
}

fn notifying(text: &str) -> Host {
    remind(text).config(json!({"notify_url": NOTIFY}))
}

fn keys(run: &Run) -> Vec<&str> {
    let keys = run
        .requests
        .iter()
        .map(|request| request.idempotency_key.as_deref());
    keys.map(Option::unwrap).collect()
}

#[test]
fn reminds_after_a_span() {
    let run = remind("in 90 s: tea").run_with_crashes::<Reminders>();

    assert_eq!(
        run.said(),
        ["I will remind you at 1970-01-01T00:01:30Z.", "tea"]
    );
    assert_eq!(run.elapsed, 90 * SECOND);
    assert!(run.is_completed());
    assert!(run.requests.is_empty());
}

#[test]
fn reminds_at_a_moment_months_away() {
    let run =
        remind("1970-12-24T18:00:00Z: buy a tree: a small one").run_with_crashes::<Reminders>();

    assert_eq!(run.said()[1], "buy a tree: a small one");
    assert_eq!(run.elapsed, 357 * 24 * HOUR + 18 * HOUR);
}

#[test]
fn posts_it_and_tries_again_with_the_same_key() {
    let run = notifying("in 1 h 30 min: tea")
        .respond(&format!("POST {NOTIFY}"), Reply::status(503))
        .respond(&format!("POST {NOTIFY}"), Reply::failed("connection reset"))
        .respond(&format!("POST {NOTIFY}"), Reply::status(204))
        .run_with_crashes::<Reminders>();

    let body: Value = run.requests[0].json().unwrap();
    assert_eq!(body, json!({"text": "tea", "due": "1970-01-01T01:30:00Z"}));
    assert_eq!(keys(&run), ["task-1/0"; 3]);
    assert!(run.is_completed());
}

#[test]
fn fails_when_it_could_not_be_posted_but_says_it_all_the_same() {
    let refused = Reply::status(410);
    let run = notifying("in 1 s: tea")
        .respond(&format!("POST {NOTIFY}"), refused)
        .run::<Reminders>();

    assert_eq!(run.said()[1], "tea");
    assert_eq!(run.failure().map(Error::code), Some("http-status"));
}

#[test]
fn snoozes_and_says_until_when() {
    let run = remind("in 1 min: tea")
        .follow_up_at(30 * SECOND, "snooze 10 min")
        .follow_up_at(5 * MINUTE, "Snooze 1h")
        .run_with_crashes::<Reminders>();

    assert_eq!(run.elapsed, HOUR + 11 * MINUTE);
    assert_eq!(
        run.said(),
        [
            "I will remind you at 1970-01-01T00:01:00Z.",
            "I will remind you at 1970-01-01T00:11:00Z.",
            "I will remind you at 1970-01-01T01:11:00Z.",
            "tea",
        ]
    );
}

#[test]
fn the_client_can_take_it_back() {
    let run = remind("in 1 h: tea")
        .follow_up_at(MINUTE, " Cancel ")
        .run_with_crashes::<Reminders>();

    assert_eq!(run.final_text().as_deref(), Some("I will not remind you."));
    assert_eq!(run.elapsed, MINUTE);
}

#[test]
fn what_it_does_not_understand_changes_nothing() {
    let run = remind("in 1 h: tea")
        .follow_up_at(MINUTE, "snooze a bit")
        .follow_up_at(MINUTE, "hello")
        .run_with_crashes::<Reminders>();
    assert_eq!(run.said()[1..], [command::USAGE, command::USAGE, "tea"]);
    assert_eq!(run.elapsed, HOUR);
}

#[test]
fn ends_when_the_task_is_cancelled() {
    let run = remind("in 1 h: tea").cancel_at(MINUTE).run::<Reminders>();
    assert_eq!(run.failure().map(Error::code), Some("canceled"));
    assert_eq!(run.elapsed, MINUTE);
}

#[test]
fn repeats_with_a_new_log_each_time() {
    let run = notifying("every 1 h: stretch")
        .respond(&format!("POST {NOTIFY}"), Reply::status(200))
        .follow_up_at(3 * HOUR + MINUTE, "cancel")
        .run_with_crashes::<Reminders>();

    assert_eq!(run.said()[1..], ["stretch", "stretch", "stretch"]);
    assert_eq!(keys(&run), ["task-1/0", "task-1/1", "task-1/2"]);
    assert_eq!(run.continued, 3);
    assert_eq!(run.final_text().as_deref(), Some("I will not remind you."));
}

#[test]
fn a_repeating_one_survives_a_time_that_cannot_be_posted() {
    let run = notifying("every 1 h: stretch")
        .respond(&format!("POST {NOTIFY}"), Reply::status(400))
        .respond(&format!("POST {NOTIFY}"), Reply::status(200))
        .follow_up_at(2 * HOUR + MINUTE, "cancel")
        .run_with_crashes::<Reminders>();

    let said = run.said();
    assert!(said[2].starts_with("It could not be sent: "), "{said:?}");
    assert_eq!(said[3..], ["stretch"]);
}

#[test]
fn times_that_were_missed_are_left_out() {
    let due = |secs| SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
    for (late, next) in [(0, 3_700), (3_599, 3_700), (3_600, 7_300), (40_000, 43_300)] {
        let mut reminder = Reminder::parse("every 1 h: stretch", due(0)).unwrap();
        reminder.due = due(100);
        assert_eq!(
            reminder.again(due(100 + late)).unwrap().due,
            due(next),
            "{late} s late"
        );
    }
}

#[test]
fn a_client_that_talks_without_end_gets_a_new_log_too() {
    let host = remind("in 1 h: tea").suggest_continue_after(8);
    let host = (1..=20).fold(host, |host, n| host.follow_up_at(n * SECOND, "snooze 1 s"));
    let run = host.run_with_crashes::<Reminders>();

    assert!(run.continued > 0);
    assert_eq!(run.elapsed, HOUR + 20 * SECOND);
}

#[test]
fn rejects_what_is_no_reminder() {
    for (text, words) in [
        ("tea", "say `in 90 s: tea`"),
        ("tomorrow: tea", "say `in 90 s: tea`"),
        ("in 90 s: ", "between 1 and 4096 bytes"),
        ("in a while: tea", "is no span of time"),
        ("in 11 years: tea", "more than ten years"),
        ("1969-12-24T18:00:00Z: tea", "say `in 90 s: tea`"),
        ("1985-12-24T18:00:00Z: tea", "more than ten years away"),
        ("every 100 ms: tea", "more than once in a second"),
    ] {
        let run = remind(text).run::<Reminders>();
        let Some(Outcome::Rejected(reason)) = run.outcome() else {
            panic!("{text:?} was not rejected: {run:?}");
        };
        assert!(reason.contains(words), "{text:?}: {reason}");
        assert_eq!(run.events, []);
    }
    let run = remind("1970-01-01T00:00:00Z: tea").starts_at(SystemTime::UNIX_EPOCH + HOUR);
    assert!(
        run.run::<Reminders>()
            .final_text()
            .unwrap()
            .contains("is over")
    );
}

//! That the behaviours keep their contracts, as far as that can be seen outside of the sandbox.

use taskyard_sdk::Disposition;
use taskyard_sdk::testing::{Host, Run};

use super::*;

fn run(text: &str) -> Run {
    Host::new().message(text).run::<Misbehaving>()
}

fn limit() -> OpError {
    OpError::LimitExceeded("events = 10".to_owned())
}

#[test]
fn every_behaviour_has_a_name_of_its_own() {
    let mut names: Vec<&str> = BEHAVIOURS.iter().map(|(name, _, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), BEHAVIOURS.len());
}

#[test]
fn an_unknown_behaviour_fails() {
    assert_eq!(
        run("dance").failure().map(Error::code),
        Some("unknown-behaviour")
    );
}

#[test]
fn chunks_streams_text_into_one_artifact() {
    let run = run("chunks 3 4");
    let chunks: Vec<_> = run
        .artifact("chunks")
        .into_iter()
        .map(Part::as_text)
        .collect();
    assert_eq!(chunks, [Some("xxxx"); 3]);
}

#[test]
fn ask_streams_the_answers() {
    let host = Host::new().message("ask 2").answer("one").answer("two");
    let run = host.run_with_crashes::<Misbehaving>();
    assert_eq!(run.artifact_text("answers").as_deref(), Some("one\ntwo\n"));
}

#[test]
fn event_flood_says_what_it_was_told() {
    let host = Host::new()
        .message("event-flood")
        .refuse_from_call(11, limit());
    let run = host.run::<Misbehaving>();
    assert_eq!(run.events.len(), 10);
    let words = "1000 x limit exceeded: events = 10";
    assert_eq!(run.final_text().as_deref(), Some(words));
}

#[test]
fn huge_artifact_fails_with_the_refusal() {
    let host = Host::new()
        .message("huge-artifact")
        .refuse_from_call(3, limit());
    let run = host.run::<Misbehaving>();
    assert_eq!(
        run.failure().map(Error::message),
        Some("limit exceeded: events = 10")
    );
}

#[test]
fn wrong_calls_are_refused_one_by_one() {
    let words = run("bad-calls").final_text().unwrap();
    let passed: Vec<&str> = words
        .lines()
        .filter(|line| line.ends_with(": ok"))
        .collect();
    assert_eq!(passed, ["put an open one: ok"]);
}

#[test]
fn random_divergence_puts_the_same_values_twice() {
    let host = Host::new().message("random-divergence").answer("yes");
    let run = host.run::<Misbehaving>();
    assert_eq!(run.artifact_text("before"), run.artifact_text("after"));
}

#[test]
fn a_panic_reaches_the_test() {
    let panic = std::panic::catch_unwind(|| run("trap")).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"told to panic"));
}

#[test]
fn endings_say_whether_another_try_helps() {
    let disposition = |text| run(text).failure().map(Error::disposition);
    let after = Disposition::TransientAfter(std::time::Duration::from_millis(250));

    assert_eq!(disposition("permanent"), Some(Disposition::Permanent));
    assert_eq!(disposition("transient"), Some(Disposition::Transient));
    assert_eq!(disposition("transient-after 250"), Some(after));
}

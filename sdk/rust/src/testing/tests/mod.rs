//! That the scripted host finds the mistakes that the real one would.

use std::cell::Cell;
use std::panic::catch_unwind;
use std::time::Duration;

use serde_json::json;

use super::{End, Event, Host, Run};
use crate::prelude::*;
use crate::{InputKind, Level};

mod outside;
mod programs;
mod waiting;

/// Makes a worker of a function body.
macro_rules! worker {
    ($name:ident, |$task:ident, $input:ident| $body:block) => {
        struct $name;

        impl Worker for $name {
            fn describe() -> Manifest {
                Manifest::new("test", "1.0.0", "Tests the testing host.")
            }

            fn run($task: &Task, $input: Message) -> Result<Outcome> $body
        }
    };
}
use worker;

worker!(Conversation, |task, input| {
    task.say(format!("you said {}", input.text()))?;
    let mut answers = task.artifact("answers").media_type("text/plain").open()?;
    answers.append(task.ask("first?")?.text())?;
    task.sleep(Duration::from_secs(60))?;
    answers.append(task.ask_for_auth("second?")?.text())?;
    answers.close()?;
    task.log().field("answers", 2).info("done");
    Ok(Outcome::completed())
});

#[test]
fn a_run_waits_for_the_first_answer_that_is_missing() {
    let run = Host::new().answer("one").run_with_crashes::<Conversation>();

    assert_eq!(run.end, End::Waiting);
    let question = run.waiting().unwrap();
    assert_eq!(question.text(), "second?");
    assert_eq!(question.kind, InputKind::AuthRequired);
    assert_eq!(run.artifact_text("answers").as_deref(), Some("one"));
}

#[test]
fn a_run_goes_on_after_each_crash_as_if_nothing_happened() {
    let run = Host::new()
        .answer("one")
        .answer("two")
        .run_with_crashes::<Conversation>();

    assert!(run.is_completed());
    assert_eq!(run.said(), ["you said hello"]);
    assert_eq!(run.elapsed, Duration::from_secs(60));
    assert_eq!(run.logs.len(), 1);
    assert_eq!(run.logs[0].level, Level::Info);
    assert_eq!(run.logs[0].fields, [("answers".to_owned(), "2".to_owned())]);
    let chunks = run.artifact("answers");
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.media_type.as_deref() == Some("text/plain"))
    );
}

thread_local! {
    /// How often workers ran that count it.
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

worker!(Forgetful, |task, _input| {
    let runs = RUNS.replace(RUNS.get() + 1);
    task.progress_note(&format!("run {runs}"))?;
    Ok(Outcome::completed())
});

#[test]
fn a_worker_that_does_something_else_after_a_crash_is_found() {
    let panic = catch_unwind(|| Host::new().crash_after(1).run::<Forgetful>()).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("after a crash the worker does something else"),
        "{message}"
    );
}

worker!(Listener, |task, _input| {
    for _ in 0..3 {
        match task.next_message()? {
            Some(message) => task.say(message.text())?,
            None => task.progress_note("nothing yet")?,
        }
    }
    task.check_cancel()?;
    Ok(Outcome::completed())
});

#[test]
fn follow_ups_arrive_after_the_given_number_of_calls() {
    let run = Host::new().follow_up_after(2, "late").run::<Listener>();
    let note = Event::Progress {
        percent: None,
        text: Some("nothing yet".to_owned()),
    };
    let said = Event::Said(vec![Part::text("late")]);
    assert_eq!(run.events, [note.clone(), said, note]);
}

#[test]
fn a_cancel_and_a_refusal_reach_the_worker_as_values() {
    let code = |run: &Run| run.failure().map(|error| error.code().to_owned());

    let run = Host::new().cancel_at_call(7).run::<Listener>();
    assert_eq!(code(&run).as_deref(), Some("canceled"));

    let limit = OpError::LimitExceeded("messages = 0".to_owned());
    let run = Host::new().refuse_from_call(1, limit).run::<Listener>();
    assert_eq!(code(&run).as_deref(), Some("limit-exceeded"));
    assert_eq!(run.events, []);
}

worker!(Configured, |task, _input| {
    let config = task.config();
    let size: u32 = config.get_or("size", 7)?;
    let words: Option<Vec<String>> = config.get("words")?;
    let text = config.text("words").unwrap_or_default();
    Ok(Outcome::completed_with(format!("{size} {words:?} {text}")))
});

#[test]
fn configuration_is_typed() {
    let run = Host::new()
        .config(json!({"words": ["a"]}))
        .run::<Configured>();
    assert_eq!(run.final_text().as_deref(), Some("7 Some([\"a\"]) [\"a\"]"));

    let run = Host::new().config(json!({"size": -1})).run::<Configured>();
    let error = run.failure().unwrap();
    assert_eq!(error.code(), "invalid-config");
    assert!(error.message().starts_with("key \"size\": "), "{error}");
}

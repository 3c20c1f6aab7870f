//! Tickets, timers, messages, a cancel.

use std::time::Duration;

use super::worker;
use crate::prelude::*;
use crate::testing::{End, Host};

const SECOND: Duration = Duration::from_secs(1);

worker!(AsksInAHurry, |task, _input| {
    let question = task.ask_later("yes or no?")?;
    let limit = wait::timer(60 * SECOND);
    match select(question, limit)? {
        Either::First(answer) => Ok(Outcome::completed_with(answer.text())),
        Either::Second(()) => {
            question.cancel()?;
            let late = task.messages().within(60 * SECOND)?;
            let late = late.map_or("nothing".to_owned(), |message| message.text());
            Ok(Outcome::rejected(format!("too late: {late}")))
        }
    }
});

#[test]
fn the_first_of_an_answer_and_a_timer_wins() {
    for (seconds, ending, elapsed) in [
        (0, "yes", 0),
        (59, "yes", 59),
        (61, "too late: yes", 61),
        (121, "too late: nothing", 120),
    ] {
        let host = Host::new().answer_after(seconds * SECOND, "yes");
        let run = host.run_with_crashes::<AsksInAHurry>();
        assert_eq!(
            run.final_text().as_deref(),
            Some(ending),
            "after {seconds} s"
        );
        assert_eq!(run.elapsed, elapsed * SECOND, "after {seconds} s");
    }
}

worker!(AsksTwice, |task, _input| {
    let first = task.ask_later("first?")?;
    let second = task.ask_for_auth_later("second?")?;
    let (second, first) = join(second, first)?;
    let again = task.ask_later("third?")?;
    task.say(format!("{} {}", first.text(), second.text()))?;
    Ok(Outcome::completed_with(again.take()?.parts))
});

#[test]
fn each_message_answers_the_oldest_open_question() {
    let host = Host::new()
        .answer_after(5 * SECOND, "one")
        .answer_after(SECOND, "two")
        .answer("three");
    let run = host.run_with_crashes::<AsksTwice>();
    // The second answer comes first, so it answers the first question.
    assert_eq!(run.said(), ["two one"]);
    assert_eq!(run.final_text().as_deref(), Some("three"));

    let run = Host::new().answer("one").run_with_crashes::<AsksTwice>();
    assert_eq!(run.end, End::Waiting);
    assert_eq!(run.waiting().unwrap().text(), "second?");
}

worker!(Orders, |task, _input| {
    let timers: Vec<_> = [3, 1, 2]
        .map(|seconds| wait::timer(seconds * SECOND))
        .into();
    let (first, ()) = select_all(&timers)?;
    task.say(format!("timer {first} at {:?}", task.now()))?;
    if join_all_within(timers.clone(), SECOND)?.is_none() {
        task.say("not all in time")?;
    }
    join_all(timers)?;
    wait::sleep_until(std::time::SystemTime::UNIX_EPOCH + 10 * SECOND)?;
    task.sleep_until(std::time::SystemTime::UNIX_EPOCH)?;
    Ok(Outcome::completed())
});

#[test]
fn timers_complete_in_the_order_of_their_moments() {
    let run = Host::new().run_with_crashes::<Orders>();
    assert!(run.said()[0].starts_with("timer 1 "), "{:?}", run.said());
    assert_eq!(run.said()[1], "not all in time");
    assert_eq!(run.elapsed, 10 * SECOND);
}

worker!(Listener, |task, _input| {
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(task.messages().take()?.text());
        task.progress_note(heard.last().unwrap())?;
    }
    Ok(Outcome::completed_with(heard.join(" ")))
});

#[test]
fn messages_are_waited_for_in_line() {
    let host = Host::new()
        .follow_up_at(5 * SECOND, "two")
        .follow_up_at(SECOND, "one");
    let run = host.clone().run_with_crashes::<Listener>();
    assert_eq!((run.end, run.events.len()), (End::Waiting, 2));

    let run = host
        .follow_up_after(8, "three")
        .run_with_crashes::<Listener>();
    assert_eq!(run.final_text().as_deref(), Some("one two three"));
    assert_eq!(run.elapsed, 5 * SECOND);
}

worker!(CleansUp, |task, _input| {
    match task.sleep(100 * SECOND) {
        Err(OpError::Canceled) => task.say("cleaning up")?,
        slept => return Err(slept.unwrap_err().into()),
    }
    // Told once: this waits again.
    task.sleep(SECOND)?;
    let answer = task.ask("anybody there?");
    task.say(format!("{answer:?}, {}", task.cancel_requested()))?;
    Ok(Outcome::completed())
});

#[test]
fn a_cancel_is_told_once_and_questions_stay_refused() {
    for host in [
        Host::new().cancel_at_call(1),
        Host::new().cancel_at(20 * SECOND),
    ] {
        let run = host.run_with_crashes::<CleansUp>();
        assert_eq!(run.said(), ["cleaning up", "Err(Canceled), true"]);
    }
}

worker!(Polls, |task, _input| {
    while !task.cancel_requested() {
        task.progress_note("still here")?;
    }
    // Who knows of the cancel need not be told.
    task.sleep(SECOND)?;
    task.check_cancel()?;
    Ok(Outcome::completed())
});

#[test]
fn who_looked_for_a_cancel_is_not_told_again() {
    let run = Host::new().cancel_at_call(5).run_with_crashes::<Polls>();
    assert_eq!(run.failure().unwrap().code(), "canceled");
    assert_eq!((run.events.len(), run.elapsed), (2, SECOND));
}

worker!(WaitsForNothing, |task, _input| {
    let nothing: [Ticket<()>; 0] = [];
    let empty = select_all(&nothing).map(|(index, ())| index);
    let forgotten = wait::timer(SECOND);
    forgotten.cancel()?;
    let withdrawn = task.ask_later("?")?;
    withdrawn.cancel()?;
    join_all(nothing)?;
    let answers = [
        empty.unwrap_err(),
        forgotten.take().unwrap_err(),
        withdrawn.take().map(drop).unwrap_err(),
    ];
    assert_eq!(answers.map(|error| error.code()), ["invalid-call"; 3]);
    // With a time limit it ends.
    assert!(withdrawn.within(SECOND)?.is_none());
    assert!(matches!(
        select(withdrawn, wait::timer(SECOND))?,
        Either::Second(())
    ));
    Ok(Outcome::completed())
});

#[test]
fn a_wait_that_can_never_end_is_refused() {
    assert!(
        Host::new()
            .run_with_crashes::<WaitsForNothing>()
            .is_completed()
    );
}

worker!(Continues, |task, _input| {
    let mut words: Vec<String> = task.continued_state()?.unwrap_or_default();
    let mut artifact = task.artifact(format!("part-{}", words.len())).open()?;
    artifact.append(task.messages().take()?.text())?;
    words.push(task.messages().take()?.text());
    task.say(format!("{} {}", words.join(" "), wait::random()))?;
    if task.should_continue_as_new() && words.len() < 3 {
        return Outcome::continue_as_new(&words);
    }
    Ok(Outcome::completed())
});

#[test]
fn a_continued_task_keeps_its_state_and_what_nobody_took() {
    let words = ["a", "b", "c", "d", "e", "f", "g"];
    let add = |host: Host, word| host.follow_up_at(Duration::ZERO, word);
    let host = words.into_iter().fold(Host::new(), add);
    let run = host
        .suggest_continue_after(4)
        .run_with_crashes::<Continues>();

    assert_eq!(run.continued, 2);
    let said = run.said();
    let numbers: Vec<&str> = said
        .iter()
        .filter_map(|said| said.rsplit(' ').next())
        .collect();
    assert!(said[2].starts_with("b d f "), "{said:?}");
    assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2]);
    assert_eq!(run.artifact_text("part-2").as_deref(), Some("e"));
}

worker!(Pauses, |_task, _input| {
    Err(Error::permanent("no-credit", "the account is empty")).pause()
});

#[test]
fn a_pause_parks_the_task() {
    let run = Host::new().run_with_crashes::<Pauses>();
    assert_eq!(run.paused().unwrap().code(), "no-credit");
}

worker!(Remembers, |task, input| {
    let calls = super::RUNS.replace(super::RUNS.get() + 1);
    let text = input.text();
    let first: usize = memo("length", &text, || text.len())?;
    let second: Vec<u32> = memo("length", &7, || vec![7, 7])?;
    let failed: Result<u32> = try_memo("fails", &(), || Err("not today".into()));
    task.say(format!(
        "{first} {second:?} {}",
        failed.unwrap_err().message()
    ))?;
    assert!(calls < 100);
    Ok(Outcome::completed())
});

#[test]
fn kept_work_is_what_it_was() {
    let run = Host::new().run_with_crashes::<Remembers>();
    assert_eq!(run.said(), ["5 [7, 7] not today"]);
}

worker!(WorksOnce, |task, _input| {
    let runs = super::RUNS.replace(super::RUNS.get() + 1);
    let kept: u32 = memo("runs", &(), || runs)?;
    task.say(kept.to_string())?;
    Ok(Outcome::completed())
});

#[test]
fn kept_work_is_not_done_again() {
    super::RUNS.set(1);
    // The second run sees what the first one counted.
    let run = Host::new().crash_after(1).run::<WorksOnce>();
    assert_eq!(run.said(), ["1"]);
    // The result was lost with the crash.
    super::RUNS.set(1);
    let run = Host::new().crash_before(1).run::<WorksOnce>();
    assert_eq!(run.said(), ["2"]);
}

worker!(TellsTheTime, |task, _input| {
    let id = wait::new_id();
    wait::sleep(Duration::from_micros(1))?;
    let now = humantime(task.now());
    Ok(Outcome::completed_with(format!(
        "{} {now} {}",
        id.len(),
        id != wait::new_id()
    )))
});

fn humantime(moment: std::time::SystemTime) -> u128 {
    moment
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis()
}

#[test]
fn time_begins_where_the_script_says_and_spans_are_rounded_up() {
    let moment = std::time::SystemTime::UNIX_EPOCH + 5 * SECOND;
    let run = Host::new()
        .starts_at(moment)
        .run_with_crashes::<TellsTheTime>();
    assert_eq!(run.final_text().as_deref(), Some("36 5001 true"));
    assert_eq!(run.elapsed, Duration::from_millis(1));
}

#[test]
#[should_panic(expected = "the host is there only while a worker runs")]
fn functions_need_a_run() {
    wait::now();
}

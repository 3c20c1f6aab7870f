//! Workers are replayed after a crash, and see what they saw before.

use super::{settings, start};
use crate::support::{message, task};

#[tokio::test]
async fn time_and_chance_are_the_same_after_a_crash() {
    let host = start(settings()).await;
    let misbehaving = host.agent("misbehaving");
    let asked = misbehaving.send(message("random-divergence")).await;
    assert_eq!(task::state(&asked), "INPUT_REQUIRED", "{asked}");

    host.kill();
    host.restart().await;

    let done = misbehaving.answer(task::id(&asked), "yes").await;
    assert_eq!(task::state(&done), "COMPLETED", "{done}");
    let before = task::artifact(&done, "before");
    assert_eq!(before, task::artifact(&asked, "before"));
    let after = task::artifact(&done, "after");
    let chance = |text: &str| {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines[..2].to_vec()
    };
    assert_eq!(
        chance(&before),
        chance(&after),
        "the worker replayed with other chances"
    );
}

#[tokio::test]
async fn tasks_differ_in_what_they_draw() {
    let host = start(settings()).await;
    let misbehaving = host.agent("misbehaving");
    let one = misbehaving.send(message("random-divergence")).await;
    let other = misbehaving.send(message("random-divergence")).await;
    assert_ne!(
        task::artifact(&one, "before"),
        task::artifact(&other, "before")
    );
}

#[tokio::test]
async fn every_answer_is_heard_once_over_many_crashes() {
    let host = start(settings()).await;
    let misbehaving = host.agent("misbehaving");
    let asked = misbehaving.send(message("ask 5")).await;
    let id = task::id(&asked).to_owned();
    let mut expected = String::new();
    for number in 1..=5 {
        host.kill();
        host.restart().await;
        let answered = misbehaving.answer(&id, &format!("answer {number}")).await;
        expected += &format!("answer {number}\n");
        assert_eq!(task::artifact(&answered, "answers"), expected);
    }
    assert_eq!(task::state(&misbehaving.get(&id).await), "COMPLETED");
}

#[tokio::test]
async fn a_sleep_goes_on_after_a_crash() {
    let host = start(settings()).await;
    let misbehaving = host.agent("misbehaving");
    let id = misbehaving.begin(message("sleep 1000")).await;
    host.kill();
    host.restart().await;
    let done = misbehaving.ended(&id).await;
    assert_eq!(task::state(&done), "COMPLETED", "{done}");
}

#[tokio::test]
async fn the_operator_is_told_each_line_once_however_often_a_task_waits() {
    let host = start(settings().set("log", "info,taskyard_worker=debug")).await;
    let misbehaving = host.agent("misbehaving");
    let asked = misbehaving.send(message("talk 3")).await;
    let id = task::id(&asked);
    for _ in 0..3 {
        misbehaving.answer(id, "go on").await;
    }
    let done = misbehaving.ended(id).await;
    assert_eq!(task::state(&done), "COMPLETED", "{done}");
    let log = host.log();
    let lines: Vec<String> = (1..=3)
        .flat_map(|number| {
            [
                format!("logged {number}"),
                format!("printed {number}"),
                format!("begun {number}, ended {number}"),
            ]
        })
        .chain(["never ended".to_owned()])
        .collect();
    for line in lines {
        assert_eq!(log.matches(&line).count(), 1, "{line}: {log}");
    }
}

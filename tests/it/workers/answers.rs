//! Answers and messages on the real binary: credentials that come out of band, questions that are given up, and
//! the order of what many clients say.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::cli::{Done, taskyard};
use crate::support::agent::follow_up;
use crate::support::{Agent, Host, Settings, message, places, task};

const SECRET: &str = "hunter2-s3cret";

async fn host() -> (Host, Agent) {
    let host = Host::start(Settings::default()).await;
    host.admin().load(&places::guest("durable"), &[]).await;
    let agent = host.agent("durable");
    (host, agent)
}

/// An operator's answer to a task.
async fn provide(host: &Host, id: &str, order: Value) -> (u16, String) {
    let path = format!("/v1/tasks/{id}/answer");
    let answer = host.admin().order(&path, order).await;
    (answer.status, answer.code().to_owned())
}

/// What a worker expected to find in its state is in the log like everything else that it did.
#[tokio::test]
async fn a_worker_that_counts_in_its_state_goes_on_after_a_question() {
    let (host, agent) = host().await;
    for restarts in [false, true] {
        let asked = agent.send(message("count")).await;
        assert_eq!(task::state(&asked), "INPUT_REQUIRED");
        if restarts {
            host.kill();
            host.restart().await;
        }
        let answered = agent.send(follow_up(task::id(&asked), "go on")).await;
        let done = agent.ended(task::id(&answered)).await;
        assert_eq!(task::state(&done), "COMPLETED", "{done}");
        assert_eq!(task::says(&done), "1, 2");
    }
}

#[tokio::test]
async fn credentials_come_out_of_band_and_nobody_sees_them() {
    let (host, agent) = host().await;
    // The blocking call is over, and the stream is not (A2A 3.2.2, 4.1.3).
    let mut events = agent.stream(message("auth")).await;
    let asked = loop {
        let event = events.next().await.expect("the stream stays open");
        if event.state() == Some("TASK_STATE_AUTH_REQUIRED") {
            break event;
        }
    };
    let id = asked.result()["statusUpdate"]["taskId"].as_str().unwrap();
    let blocking = agent.send(message("auth")).await;
    assert_eq!(task::state(&blocking), "AUTH_REQUIRED");
    let mut subscribed = agent.subscribe(id, None).await;
    let first = subscribed.next().await.unwrap();
    assert_eq!(first.state(), Some("AUTH_REQUIRED"));

    host.kill();
    host.restart().await;
    let (status, _) = provide(&host, id, json!({"text": SECRET})).await;
    assert_eq!(status, 200);
    let done = agent.ended(id).await;
    assert_eq!(task::state(&done), "COMPLETED");
    assert_eq!(task::says(&done), format!("{} bytes", SECRET.len()));

    let Done { stdout: log, .. } = taskyard(&host, &["task", "log", id]).exits(0);
    assert!(log.contains("provided"), "{log}");
    let Done { stdout: shown, .. } = taskyard(&host, &["task", "show", id, "--json"]).exits(0);
    let path = format!("/v1/tasks/{id}/log");
    let listed = host.admin().get(&path).await.ok().to_string();
    let list = agent.call("ListTasks", json!({})).await.to_string();
    for seen in [&done.to_string(), &log, &shown, &listed, &list, &host.log()] {
        assert!(!seen.contains(SECRET), "{seen}");
    }
    let (status, code) = provide(&host, id, json!({"text": SECRET})).await;
    assert_eq!((status, code.as_str()), (409, "ended"));
}

#[tokio::test]
async fn streams_stay_open_until_the_credentials_are_there() {
    let (host, agent) = host().await;
    let mut events = agent.stream(message("auth")).await;
    let mut id = None;
    let mut states = Vec::new();
    while let Some(event) = events.next().await {
        states.push(task::short(event.state().unwrap()).to_owned());
        if states.last().is_some_and(|state| state == "AUTH_REQUIRED") {
            let task = event.result()["statusUpdate"]["taskId"].as_str();
            id = task.map(str::to_owned);
            let id = id.as_deref().unwrap();
            taskyard(&host, &["task", "answer", id, SECRET, "--out-of-band"]).exits(0);
        }
        assert!(!event.response.to_string().contains(SECRET));
    }
    let tail = &states[states.len() - 3..];
    assert_eq!(
        tail,
        ["AUTH_REQUIRED", "WORKING", "COMPLETED"],
        "{states:?}"
    );
    let task = agent.get(id.as_deref().unwrap()).await;
    let history = task["history"].as_array().unwrap();
    let users = history.iter().filter(|said| said["role"] == "ROLE_USER");
    assert_eq!(users.count(), 1, "{task}");
}

#[tokio::test]
async fn only_what_asks_is_answered() {
    let (host, agent) = host().await;
    let busy = agent.begin(message("hear 1")).await;
    agent
        .reached(&busy, |state| state.contains("WORKING"))
        .await;
    let (status, code) = provide(&host, &busy, json!({"text": "x"})).await;
    assert_eq!((status, code.as_str()), (409, "not-asking"));
    for wrong in [
        json!({}),
        json!(SECRET),
        json!({"text": 1}),
        json!({"text": "a", "data": 1}),
    ] {
        let path = format!("/v1/tasks/{busy}/answer");
        let answer = host.admin().order(&path, wrong).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(!answer.message().contains(SECRET), "{answer:?}");
    }
    let (status, _) = provide(&host, "nobody", json!({"text": "x"})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn who_waits_no_longer_works_again() {
    let (_host, agent) = host().await;
    let asked = agent.send(message("auth-within 300")).await;
    assert_eq!(task::state(&asked), "AUTH_REQUIRED");
    let id = task::id(&asked);
    let working = |state: &str| task::short(state) == "WORKING";
    agent.reached(id, working).await;
    // What comes now is no answer any more.
    let done = agent.answer(id, "go on").await;
    assert_eq!(task::says(&done), "without a token");
}

#[tokio::test]
async fn follow_ups_arrive_in_order_whoever_sends_them_and_whatever_happens() {
    const SENDERS: usize = 8;
    const EACH: usize = 12;
    let (host, agent) = host().await;
    let all = SENDERS * EACH;
    let id = agent.begin(message(&format!("hear {all}"))).await;

    let sender = async |number: usize| {
        for round in 0..EACH {
            let text = format!("{number}:{round}");
            let key = format!("{id}-{text}");
            let agent = agent.with_header("idempotency-key", &key);
            let said = follow_up(&id, &text);
            // A client that got no answer says it again.
            while agent.try_begin(said.clone()).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    };
    let crashes = async {
        for heard in [all / 4, all / 2] {
            said(&agent, &id, heard).await;
            host.kill();
            host.restart().await;
        }
    };
    futures::join!(join_all((0..SENDERS).map(sender)), crashes);

    let done = agent.ended(&id).await;
    let heard = task::artifact(&done, "heard");
    let heard: Vec<&str> = heard.lines().collect();
    // As the log has them, which is as everybody sees them, and each sender's in its order.
    let history = done["history"].as_array().unwrap().iter();
    let texts = history.filter_map(|said| said["parts"][0]["text"].as_str());
    let logged: Vec<&str> = texts.filter(|text| text.contains(':')).collect();
    assert_eq!(heard, logged);
    for number in 0..SENDERS {
        let mine = format!("{number}:");
        let of_mine = heard.iter().filter_map(|text| text.strip_prefix(&mine));
        let rounds: Vec<usize> = of_mine.map(|round| round.parse().unwrap()).collect();
        assert_eq!(rounds, (0..EACH).collect::<Vec<_>>(), "of sender {number}");
    }
}

/// Waits until the task was told so many things.
async fn said(agent: &Agent, id: &str, so_many: usize) {
    crate::support::eventually("messages", async || {
        let task = agent.try_call("GetTask", json!({"id": id})).await.ok()?;
        let history = task["history"].as_array()?;
        (history.len() > so_many).then_some(())
    })
    .await;
}

//! Tasks that stand still until an operator looks at them: seen, explained, mended, moved, given up.

use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::taskyard;
use crate::hot_loading::new_version;
use crate::support::admin::Answer;
use crate::support::{Event, Host, Settings, eventually, message, places, task};

/// A host that tries again soon, with a worker that breaks.
async fn host() -> Host {
    let host = Host::start(Settings::default().set("retry.initial_ms", 10)).await;
    load(&host, "steps-a").await;
    host
}

async fn load(host: &Host, guest: &str) {
    host.admin().load(&places::guest(guest), &[]).await;
}

/// Begins a task and waits until it stands still.
async fn park(host: &Host, text: &str) -> String {
    let id = host.agent("steps").begin(message(text)).await;
    parked(host, &id).await;
    id
}

async fn status(host: &Host, id: &str) -> Value {
    host.admin().get(&format!("/v1/tasks/{id}")).await.ok()
}

/// Waits until an operator sees that the task stands still.
async fn parked(host: &Host, id: &str) -> Value {
    in_phase(host, id, "parked").await
}

async fn in_phase(host: &Host, id: &str, phase: &str) -> Value {
    eventually(phase, async || {
        let status = status(host, id).await;
        (status["phase"] == phase).then_some(status)
    })
    .await
}

async fn order(host: &Host, id: &str, what: &str, order: Value) -> Answer {
    let path = format!("/v1/tasks/{id}/{what}");
    host.admin().order(&path, order).await
}

async fn metric(host: &Host, name: &str) -> String {
    let request = host.admin().request(Method::GET, "/metrics");
    let text = request.send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(name));
    line.unwrap_or_default().to_owned()
}

/// The kinds of the entries of a log, and whether they were taken back.
async fn log(host: &Host, id: &str) -> Vec<(String, bool)> {
    let log = host.admin().get(&format!("/v1/tasks/{id}/log")).await.ok();
    let entries = log["entries"].as_array().unwrap().clone();
    let facts = entries.iter().map(|entry| {
        let kind = entry["kind"].as_str().unwrap().to_owned();
        (kind, entry["taken_back"] == true)
    });
    facts.collect()
}

#[tokio::test]
async fn a_worker_that_breaks_three_times_at_one_place_stands_still_and_is_mended() {
    let host = host().await;
    let id = park(&host, "go").await;

    // What the client sees.
    let steps = host.agent("steps");
    let shown = steps.get(&id).await;
    assert_eq!(task::state(&shown), "SUBMITTED");
    assert_eq!(
        task::says(&shown),
        "waiting for the operator of the host (trap)"
    );

    // A crash changes nothing.
    host.kill();
    host.restart().await;
    let listed = taskyard(&host, &["task", "parked", "--agent", "steps"]).exits(0);
    assert!(listed.stdout.contains(&id), "{}", listed.stdout);
    assert!(listed.stdout.contains("trap"), "{}", listed.stdout);
    assert_eq!(
        metric(&host, "taskyard_parked_tasks").await,
        "taskyard_parked_tasks 1"
    );
    let said = taskyard(&host, &["status"]).exits(0).stdout;
    assert!(said.contains("1 parked"), "{said}");

    // Why, and what happened.
    let shown = taskyard(&host, &["task", "show", &id]).exits(0).stdout;
    for expected in ["step three is broken", "behind entry 5", "steps_a"] {
        assert!(shown.contains(expected), "{expected} is not in:\n{shown}");
    }
    let log = taskyard(&host, &["task", "log", &id]).exits(0).stdout;
    for expected in ["66 % two", "retried", "run 3", "trap behind entry 5"] {
        assert!(log.contains(expected), "{expected} is not in:\n{log}");
    }
    let entries = taskyard(&host, &["task", "log", &id, "--json"]).exits(0);
    let kinds = entries.lines();
    let kinds: Vec<_> = kinds
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "submitted",
            "started",
            "working",
            "progress",
            "progress",
            "retried",
            "started",
            "retried",
            "started",
            "parked",
        ]
    );
    let rest = taskyard(&host, &["task", "log", &id, "--from", "10"]).exits(0);
    assert_eq!(rest.stdout.lines().count(), 2, "a day and an entry");

    // Mended.
    load(&host, "steps-b").await;
    let shown = taskyard(&host, &["plugin", "show", "steps"]).exits(0);
    let still = "1 task still runs on 1.0.0";
    assert!(shown.stdout.contains(still), "{}", shown.stdout);
    let by_version = [
        "task", "list", "--agent", "steps", "--plugin", "1.0.0", "--json",
    ];
    let listed = taskyard(&host, &by_version).exits(0).json();
    assert_eq!(listed[0]["id"], id);
    let probe = ["task", "probe", &id, "--to", "1.1.0", "--json"];
    let probe = taskyard(&host, &probe).exits(0).json();
    assert_eq!(
        (&probe["compatible"], &probe["replayed"]),
        (&json!(true), &json!(2))
    );
    taskyard(&host, &["task", "move", &id, "--to", "1.1.0"]).exits(0);

    let done = steps.ended(&id).await;
    assert_eq!(
        (task::state(&done), task::says(&done)),
        ("COMPLETED", "all three")
    );
    let events = steps.subscribe(&id, Some(0)).await.rest().await;
    let said: Vec<_> = events.iter().filter_map(Event::text).collect();
    let stood_still = "waiting for the operator of the host (trap)";
    assert_eq!(said, ["one", "two", stood_still, "three", "all three"]);
    assert_eq!(taskyard(&host, &by_version).exits(0).json(), json!([]));
    assert_eq!(
        metric(&host, "taskyard_parked_tasks").await,
        "taskyard_parked_tasks 0"
    );
}

#[tokio::test]
async fn the_command_line_does_not_wait_for_a_parked_task() {
    let host = host().await;
    let send = ["task", "send", "--agent", "steps"];
    for more in [&["go"][..], &["--stream", "go"]] {
        let parked = taskyard(&host, &[&send[..], more].concat()).exits(6);
        let said = parked.stdout + &parked.stderr;
        for expected in [
            "parked: its worker broke again and again (trap)",
            "step three is broken",
            "taskyard task resume",
            "taskyard task --agent steps watch",
        ] {
            assert!(said.contains(expected), "{expected} is not in:\n{said}");
        }
    }
    let json = taskyard(&host, &[&send[..], &["--json", "go"]].concat()).exits(6);
    let shown = json.json();
    assert_eq!(task::state(&shown), "SUBMITTED");
    assert_eq!(
        shown["metadata"]["taskyard.parked"],
        json!({"code": "trap"})
    );
    assert!(
        json.stderr.contains("step three is broken"),
        "{}",
        json.stderr
    );
    let id = task::id(&shown);
    taskyard(&host, &["task", "watch", "--agent", "steps", id]).exits(6);
}

#[tokio::test]
async fn the_command_line_says_what_a_task_is_tried_again_after() {
    let settings = Settings::default()
        .set("retry.initial_ms", 60_000)
        .set("retry.max_ms", 60_000);
    let host = Host::start(settings).await;
    load(&host, "steps-a").await;
    let waiting = crate::cli::start(&host, &["task", "send", "--agent", "steps", "go"]);
    let said = waiting.until_said("tried again at").await;
    assert!(said.contains("step three is broken"), "{said}");
}

#[tokio::test]
async fn a_task_is_not_moved_to_a_version_that_does_something_else() {
    let host = host().await;
    let (renamed, shorter, worse) = (
        park(&host, "renamed").await,
        park(&host, "shorter").await,
        park(&host, "worse").await,
    );
    load(&host, "steps-b").await;
    let differs = |did: &str| json!({"entry": 5, "logged": "progress", "did": did});
    for (id, difference) in [
        (&renamed, differs("another `progress`")),
        (&shorter, differs("nothing more")),
        (&worse, Value::Null),
    ] {
        let probe = order(&host, id, "probe", json!({"to": "1.1.0"})).await.ok();
        assert_eq!(probe["compatible"], false, "{probe}");
        assert_eq!(probe["difference"], difference, "{probe}");
        assert_eq!(probe["replayed"], 1, "{probe}");
        let refused = order(&host, id, "move", json!({"to": "1.1.0"})).await;
        assert_eq!((refused.status, refused.code()), (409, "incompatible"));
        assert_eq!(status(&host, id).await["phase"], "parked");
    }
    let worse = order(&host, &worse, "probe", json!({"to": "1.1.0"}))
        .await
        .ok();
    assert_eq!(
        (&worse["broke"]["code"], &worse["broke"]["position"]),
        (&json!("trap"), &json!(4))
    );

    let moved = taskyard(&host, &["task", "move", &renamed, "--to", "1.1.0"]).exits(1);
    assert!(moved.stderr.contains("at entry 5"), "{}", moved.stderr);
    let probed = taskyard(&host, &["task", "probe", &renamed, "--to", "1.1.0"]).exits(1);
    assert!(
        probed.stdout.contains("not compatible"),
        "{}",
        probed.stdout
    );
    // The version that it is on breaks where it broke.
    let own = order(&host, &renamed, "probe", json!({"to": "1.0.0"}))
        .await
        .ok();
    assert_eq!(
        (&own["replayed"], &own["broke"]["position"]),
        (&json!(2), &json!(5))
    );
}

#[tokio::test]
async fn a_worker_that_asks_for_an_operator_goes_on_when_one_has_looked() {
    let host = host().await;
    let id = park(&host, "pause").await;
    let why = status(&host, &id).await["parked"].clone();
    assert_eq!(why["code"], "needs-somebody");
    assert_eq!(why["reason"], "somebody must look at it");

    // Nothing helps but an operator, and the client's wait lasts until then.
    let steps = host.agent("steps");
    let asked = id.clone();
    let waiting = tokio::spawn(async move { steps.answer(&asked, "looked at").await });
    eventually("the message", async || {
        let log = log(&host, &id).await;
        (log.last().unwrap().0 == "received").then_some(())
    })
    .await;
    assert_eq!(status(&host, &id).await["phase"], "parked");
    taskyard(&host, &["task", "resume", &id]).exits(0);
    let done = waiting.await.unwrap();
    assert_eq!(
        (task::state(&done), task::says(&done)),
        ("COMPLETED", "looked at")
    );
    let again = order(&host, &id, "resume", json!({})).await;
    assert_eq!((again.status, again.code()), (409, "ended"));
}

#[tokio::test]
async fn a_retry_repeats_what_came_behind_and_a_failure_ends_the_task() {
    let host = host().await;
    let id = park(&host, "go").await;
    let wrong = order(&host, &id, "retry", json!({"from": 99})).await;
    assert_eq!((wrong.status, wrong.code()), (400, "invalid"));

    taskyard(&host, &["task", "retry", &id, "--from", "5"]).exits(0);
    let again = eventually("the task parked again", async || {
        let status = status(&host, &id).await;
        (status["phase"] == "parked" && status["attempts"] == 6).then_some(status)
    })
    .await;
    assert_eq!(again["taken_back"], json!([[4, 10]]));
    let log = log(&host, &id).await;
    let steps = log.iter().filter(|(kind, _)| kind == "progress");
    let steps: Vec<_> = steps.map(|(_, taken_back)| *taken_back).collect();
    assert_eq!(steps, [false, true, false], "one, two, and two again");
    let shown = taskyard(&host, &["task", "log", &id]).exits(0).stdout;
    assert!(shown.contains("66 % two (taken back)"), "{shown}");

    let fail = ["task", "fail", &id, "--reason", "nobody can mend this"];
    taskyard(&host, &fail).exits(0);
    let failed = host.agent("steps").get(&id).await;
    assert_eq!(task::state(&failed), "FAILED");
    assert_eq!(task::says(&failed), "nobody can mend this");
    taskyard(&host, &fail).exits(1);
}

#[tokio::test]
async fn clients_cancel_and_wait_as_ever() {
    let host = host().await;
    let steps = host.agent("steps");
    let canceled = park(&host, "go").await;
    let answer = steps.call("CancelTask", json!({"id": canceled})).await;
    assert_eq!(task::state(&answer), "CANCELED");
    let parked_now = host.admin().get("/v1/parked").await.ok();
    assert_eq!(parked_now["tasks"], json!([]));

    let sender = steps.clone();
    let sent = tokio::spawn(async move { sender.send(message("go")).await });
    let id = eventually("the other task", async || {
        let list = host.admin().get("/v1/parked").await.ok();
        Some(list["tasks"][0]["id"].as_str()?.to_owned())
    })
    .await;
    load(&host, "steps-b").await;
    order(&host, &id, "move", json!({"to": "1.1.0"})).await.ok();
    assert_eq!(task::state(&sent.await.unwrap()), "COMPLETED");
}

#[tokio::test]
async fn a_task_that_waits_is_moved_and_goes_on_when_it_is_answered() {
    let host = Host::with(&["approval"], Settings::default()).await;
    let approval = host.agent("approval");
    let asked = approval.send(message("Deploy")).await;
    let id = task::id(&asked);
    let waits = in_phase(&host, id, "suspended").await;
    assert_eq!(waits["state"], "input-required");
    let component = new_version("approval");
    let loaded = host.admin().try_load(component, &[]).await.ok();

    // Both call themselves the same.
    let version = json!({"to": loaded["version"]});
    let refused = order(&host, id, "move", version).await;
    assert_eq!((refused.status, refused.code()), (409, "ambiguous"));
    let digits = &loaded["digest"].as_str().unwrap()[..12];
    let moved = order(&host, id, "move", json!({"to": digits})).await.ok();
    assert_eq!(
        (&moved["phase"], &moved["digest"]),
        (&json!("suspended"), &loaded["digest"])
    );

    let resumed = order(&host, id, "resume", json!({})).await;
    assert_eq!((resumed.status, resumed.code()), (409, "not-parked"));
    let done = approval.answer(id, "yes").await;
    assert_eq!(task::state(&done), "COMPLETED");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let host = host().await;
    let nobody = "00000000-0000-7000-8000-000000000000";
    for command in ["show", "log", "resume"] {
        taskyard(&host, &["task", command, nobody]).exits(5);
    }
    let id = park(&host, "go").await;
    let unknown = taskyard(&host, &["task", "move", &id, "--to", "9.9.9"]).exits(5);
    assert!(unknown.stderr.contains("9.9.9"), "{}", unknown.stderr);
    let wrong = ["task", "parked", "--admin-token", "wrong-wrong-wrong-wrong"];
    taskyard(&host, &wrong).exits(1);
}

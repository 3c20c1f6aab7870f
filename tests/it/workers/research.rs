//! Research on the real binary: what is paid for once is not paid for twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::egress;
use crate::support::admin::answer;
use crate::support::agent::follow_up;
use crate::support::model::{CHAT, KEY, Model, PLAN, REPORT, Request};
use crate::support::{Agent, Host, Settings, eventually, message, places, task};

const QUESTION: &str = "Why do cats purr?";
const APPROVE: &str = "Publish the report? (yes/no)";

/// A host with the worker, and everybody whom it asks.
struct Desk {
    host: Host,
    model: Model,
    /// Where the host finds the key.
    _secrets: TempDir,
}

impl Desk {
    async fn open() -> Self {
        let desk = Self::without_rules().await;
        desk.load(&[("egress", egress(&desk.model))]).await;
        desk
    }

    async fn without_rules() -> Self {
        let secrets = tempfile::tempdir().unwrap();
        let file = secrets.path().join("key");
        fs::write(&file, KEY).unwrap();
        let settings = Settings::default()
            .set("egress.allow", r#"["127.0.0.1"]"#)
            .set("secrets.openai", format!("{{ file = {file:?} }}"))
            .set(
                "log",
                "info,taskyard_outbound=trace,taskyard_engine=trace,taskyard_worker=trace",
            );
        let desk = Self {
            host: Host::start(settings).await,
            model: Model::start().await,
            _secrets: secrets,
        };
        desk.load(&[]).await;
        desk
    }

    async fn load(&self, query: &[(&str, String)]) {
        let (model, origin) = (self.model.model_origin(), self.model.origin());
        let config = json!({
            "base_url": format!("{model}/v1"),
            "model": "small",
            "search_url": format!("{origin}/search"),
            "facts_url": format!("{origin}/facts"),
            "publish_url": format!("{origin}/publish"),
        });
        let config = [("config", config.to_string())];
        let query = [&config[..], query].concat();
        self.host
            .admin()
            .load(&places::plugin("research"), &query)
            .await;
    }

    fn agent(&self) -> Agent {
        self.host.agent("research")
    }

    async fn begin(&self) -> String {
        self.agent().begin(message(QUESTION)).await
    }

    /// Waits until a person is asked.
    async fn asked(&self, task: &str) -> Value {
        self.agent().reached(task, task::waits_for_input).await
    }

    /// Says yes, and waits for the end.
    async fn approve(&self, task: &str) -> Value {
        self.agent().answer(task, "yes").await
    }

    /// Kills the host as soon as the model or a tool is at this point of its answer, and starts it again.
    async fn killed_at(&self, path: &str, number: usize, pieces: usize) -> String {
        let hold = self.model.hold(path, number, pieces);
        let task = self.begin().await;
        hold.reached().await;
        self.host.kill();
        self.host.restart().await;
        task
    }

    fn count(&self, path: &str) -> usize {
        self.model.requests(path).len()
    }

    /// How often the model, the tools and the publisher were asked.
    fn counts(&self) -> [usize; 4] {
        [CHAT, "/search", "/facts", "/publish"].map(|path| self.count(path))
    }

    /// A request is sent again only as long as it has no answer.
    fn check_nothing_answered_was_repeated(&self) {
        let mut answered: BTreeMap<String, usize> = BTreeMap::new();
        for path in [CHAT, "/search", "/facts", "/publish"] {
            for Request {
                query,
                body,
                answered: now,
                status,
                ..
            } in self.model.requests(path)
            {
                let times = answered
                    .entry(format!("{path}?{query} {body}"))
                    .or_default();
                assert_eq!(
                    *times, 0,
                    "{path} was asked again after it had answered: {body}"
                );
                *times += usize::from(now && status.is_success());
            }
        }
    }
}

/// What everything amounts to, whatever happened on the way.
fn check_result(task: &Value) {
    assert_eq!(task::state(task), "COMPLETED", "{task}");
    assert_eq!(task::says(task), "The report was published.");
    assert_eq!(task::artifact(task, "plan"), PLAN.concat());
    assert_eq!(task::artifact(task, "report"), REPORT.concat());
}

#[tokio::test]
async fn a_report_is_written_from_four_requests_and_published_after_a_yes() {
    let desk = Desk::open().await;
    let mut events = desk.agent().stream(message(QUESTION)).await;
    let first = events.next().await.unwrap();
    let id = task::id(&first.result()["task"]).to_owned();
    let question = events
        .find("the question", |event| event.text() == Some(APPROVE))
        .await;
    assert_eq!(question.state().map(task::short), Some("INPUT_REQUIRED"));
    assert_eq!(desk.counts(), [2, 1, 1, 0]);

    check_result(&desk.approve(&id).await);
    assert_eq!(desk.counts(), [2, 1, 1, 1]);
    let counts = desk.model.counts();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");

    let published = &desk.model.requests("/publish")[0];
    assert_eq!(
        published.body,
        json!({"question": QUESTION, "report": REPORT.concat()})
    );
    assert_eq!(published.key, Some(format!("{id}/report")));
    let search = &desk.model.requests("/search")[0];
    assert_eq!(search.query, "q=why%20cats%20purr");
    // Each of the chats has a key of its own.
    assert_eq!(
        desk.model
            .counts()
            .keys()
            .filter(|(path, _)| path == CHAT)
            .count(),
        2
    );
}

/// Many servers code what they stream, whether they are asked for it or not. The host decodes it, and the
/// worker sees events.
#[tokio::test]
async fn a_model_that_codes_its_events_is_understood_as_they_come() {
    let desk = Desk::open().await;
    desk.model.code();
    // One piece more at the beginning: that of the coding.
    let hold = desk.model.hold(CHAT, 1, 5);
    let mut events = desk.agent().stream(message(QUESTION)).await;
    let first = events.next().await.unwrap();
    let id = task::id(&first.result()["task"]).to_owned();
    let chunk = events
        .find("the first chunk", |event| event.chunk().is_some())
        .await;
    assert_eq!(chunk.chunk(), Some(&*PLAN[..2].concat()));
    assert!(!desk.model.requests(CHAT)[0].answered);
    hold.release();
    desk.asked(&id).await;
    check_result(&desk.approve(&id).await);
    assert_eq!(desk.counts(), [2, 1, 1, 1]);
}

#[tokio::test]
async fn tokens_are_shown_before_the_model_has_finished() {
    let desk = Desk::open().await;
    let hold = desk.model.hold(CHAT, 1, 4);
    let mut events = desk.agent().stream(message(QUESTION)).await;
    let chunk = events
        .find("the first chunk", |event| event.chunk().is_some())
        .await;
    assert_eq!(chunk.chunk(), Some(&*PLAN[..2].concat()));
    assert!(!desk.model.requests(CHAT)[0].answered);

    hold.release();
    let next = events
        .find("the next chunk", |event| event.chunk().is_some())
        .await;
    assert_eq!(next.chunk(), Some(&*PLAN[2..].concat()));
}

#[tokio::test]
async fn the_key_is_seen_by_the_model_and_by_nobody_else() {
    let desk = Desk::open().await;
    let mut events = desk.agent().stream(message(QUESTION)).await;
    let first = events.next().await.unwrap();
    let id = task::id(&first.result()["task"]).to_owned();
    let seen = events.rest().await;
    desk.asked(&id).await;
    let end = desk.approve(&id).await;

    for request in desk.model.requests(CHAT) {
        assert_eq!(request.authorization, Some(format!("Bearer {KEY}")));
    }
    for path in ["/search", "/facts", "/publish"] {
        assert_eq!(desk.model.requests(path)[0].authorization, None, "{path}");
    }
    let admin = desk.host.admin();
    let listing = admin.get("/v1/agents").await.ok();
    assert!(listing.to_string().contains("{openai}"), "{listing}");
    let agent = admin.get("/v1/agents/research").await.ok();
    for text in [
        end.to_string(),
        listing.to_string(),
        agent.to_string(),
        format!("{seen:?}"),
    ] {
        assert!(!text.contains(KEY), "{text}");
    }
    assert!(!desk.host.log().contains(KEY));
    // Not in the task's log either, where requests are kept as the worker made them.
    desk.host.kill();
    check_no_file_has_the_key(&desk.host.data());
}

fn check_no_file_has_the_key(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_no_file_has_the_key(&path);
            continue;
        }
        let content = fs::read(&path).unwrap();
        let found = content
            .windows(KEY.len())
            .any(|window| window == KEY.as_bytes());
        assert!(!found, "{} has the key", path.display());
    }
}

#[tokio::test]
async fn killed_in_the_middle_of_the_plan_it_asks_for_the_plan_again_and_shows_it_right() {
    let desk = Desk::open().await;
    let hold = desk.model.hold(CHAT, 1, 4);
    let id = desk.begin().await;
    hold.reached().await;
    // The client has seen some of it.
    eventually("the first chunk", async || {
        let task = desk.agent().get(&id).await;
        task["artifacts"].is_array().then_some(())
    })
    .await;
    desk.host.kill();
    desk.host.restart().await;

    desk.asked(&id).await;
    assert_eq!(desk.counts(), [3, 1, 1, 0]);
    check_result(&desk.approve(&id).await);
    assert_eq!(desk.counts(), [3, 1, 1, 1]);
    desk.check_nothing_answered_was_repeated();
}

#[tokio::test]
async fn killed_anywhere_in_the_report_it_asks_for_the_report_alone() {
    for pieces in [0, 1, 6] {
        let desk = Desk::open().await;
        let id = desk.killed_at(CHAT, 2, pieces).await;

        desk.asked(&id).await;
        check_result(&desk.approve(&id).await);
        assert_eq!(desk.counts(), [3, 1, 1, 1], "after {pieces} pieces");
        desk.check_nothing_answered_was_repeated();
        let prompts = desk.model.requests(CHAT);
        assert_eq!(prompts[1].body, prompts[2].body);
    }
}

#[tokio::test]
async fn killed_while_a_tool_thinks_it_asks_that_tool_again() {
    let desk = Desk::open().await;
    let id = desk.killed_at("/search", 1, 0).await;

    desk.asked(&id).await;
    check_result(&desk.approve(&id).await);
    assert_eq!(desk.count(CHAT), 2);
    assert_eq!(desk.count("/search"), 2);
    // The other one may have answered, but not have been heard.
    assert!((1..=2).contains(&desk.count("/facts")));
}

#[tokio::test]
async fn killed_while_a_person_thinks_it_repeats_nothing() {
    let desk = Desk::open().await;
    let id = desk.begin().await;
    desk.asked(&id).await;
    desk.host.kill();
    desk.host.restart().await;

    let waiting = desk.agent().get(&id).await;
    assert_eq!(
        (task::state(&waiting), task::says(&waiting)),
        ("INPUT_REQUIRED", APPROVE)
    );
    check_result(&desk.approve(&id).await);
    assert_eq!(desk.counts(), [2, 1, 1, 1]);
}

#[tokio::test]
async fn killed_while_it_publishes_it_asks_whether_to_publish_again() {
    let desk = Desk::open().await;
    let hold = desk.model.hold("/publish", 1, 0);
    let id = desk.begin().await;
    desk.asked(&id).await;
    desk.agent().try_begin(follow_up(&id, "yes")).await.unwrap();
    hold.reached().await;
    desk.host.kill();
    desk.host.restart().await;

    let asked = desk.asked(&id).await;
    assert!(
        task::says(&asked).starts_with("The report may not be out: "),
        "{asked}"
    );
    assert_eq!(desk.count("/publish"), 1);

    check_result(&desk.approve(&id).await);
    let keys = desk
        .model
        .requests("/publish")
        .into_iter()
        .map(|request| request.key);
    assert_eq!(
        keys.collect::<Vec<_>>(),
        [(); 2].map(|()| Some(format!("{id}/report")))
    );
}

#[tokio::test]
async fn whoever_is_busy_is_asked_again_with_the_same_key() {
    let desk = Desk::open().await;
    desk.model.fail(CHAT, 1, StatusCode::TOO_MANY_REQUESTS);
    desk.model
        .fail("/facts", 2, StatusCode::SERVICE_UNAVAILABLE);
    let id = desk.begin().await;
    desk.asked(&id).await;

    check_result(&desk.approve(&id).await);
    assert_eq!(desk.counts(), [3, 1, 3, 1]);
    let chats = desk.model.requests(CHAT);
    assert_eq!(chats[0].key, chats[1].key);
    assert_ne!(chats[1].key, chats[2].key);
}

#[tokio::test]
async fn a_no_publishes_nothing() {
    let desk = Desk::open().await;
    let id = desk.begin().await;
    desk.asked(&id).await;
    let end = desk.agent().answer(&id, "no").await;

    assert_eq!(task::state(&end), "COMPLETED");
    assert_eq!(task::says(&end), "The report was not published.");
    assert_eq!(desk.count("/publish"), 0);
}

#[tokio::test]
async fn without_a_rule_it_stands_still_until_the_operator_makes_one() {
    let desk = Desk::without_rules().await;
    let id = desk.begin().await;
    let admin = desk.host.admin();
    let parked = eventually("the task to be parked", async || {
        let mut list = admin.get("/v1/parked").await.ok();
        list["tasks"].as_array_mut().and_then(Vec::pop)
    })
    .await;
    assert_eq!(
        (parked["id"].as_str(), parked["code"].as_str()),
        (Some(id.as_str()), Some("denied"))
    );
    let reason = parked["reason"].as_str().unwrap();
    assert!(reason.contains("127.0.0.1"), "{parked}");
    let waiting = desk.agent().get(&id).await;
    assert_eq!(task::state(&waiting), "SUBMITTED");
    assert!(task::says(&waiting).contains("operator"), "{waiting}");

    // The refusal is in the log: it is taken back together with the request.
    let rules = admin
        .request(Method::PUT, "/v1/agents/research/egress")
        .body(egress(&desk.model));
    answer(rules.header("content-type", "application/json"))
        .await
        .ok();
    let log = admin.get(&format!("/v1/tasks/{id}/log")).await.ok();
    let mut entries = log["entries"].as_array().unwrap().iter();
    let requested = entries.find(|entry| entry["kind"] == "requested");
    let from = requested.unwrap_or_else(|| panic!("no request: {log}"))["seq"].clone();
    let retry = admin.request(Method::POST, &format!("/v1/tasks/{id}/retry"));
    answer(retry.json(&json!({"from": from}))).await.ok();

    desk.asked(&id).await;
    check_result(&desk.approve(&id).await);
    assert_eq!(desk.counts(), [2, 1, 1, 1]);
}

#[tokio::test]
async fn a_cancel_in_the_middle_of_the_plan_ends_it() {
    let desk = Desk::open().await;
    let hold = desk.model.hold(CHAT, 1, 4);
    let id = desk.begin().await;
    hold.reached().await;
    let end = desk.agent().call("CancelTask", json!({"id": id})).await;

    assert_eq!(task::state(&end), "CANCELED");
    assert_eq!(desk.counts(), [1, 0, 0, 0]);
}

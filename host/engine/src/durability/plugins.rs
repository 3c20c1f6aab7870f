//! The example workers, killed everywhere.

use taskyard_outbound::Request;
use taskyard_task::fold::ArtifactView;
use taskyard_task::http::HttpError;
use taskyard_task::{ArtifactSpec, ChildCall, ChildEnd, ChildTarget, Part, TaskState};

use super::{kill_everywhere, same_fuel};
use crate::replay::world::{Reply, Script, earlier};

fn input(text: &str) -> Script {
    Script {
        input: text.to_owned(),
        ..Script::default()
    }
}

pub(super) fn approval() -> Script {
    Script {
        answers: vec![(86_400_000, "hm".to_owned()), (5, "yes".to_owned())],
        ..input("Deploy version 7")
    }
}

/// The same answers, from the operator.
fn approval_out_of_band() -> Script {
    Script {
        answers_out_of_band: true,
        ..approval()
    }
}

fn notebook() -> Script {
    Script {
        earlier: vec![earlier(2, "call Ada"), earlier(1, "buy milk")],
        ..input("all")
    }
}

fn countdown() -> Script {
    Script {
        messages: vec![(1_500, "hurry".to_owned())],
        ..input("3")
    }
}

pub(super) fn research() -> Script {
    let config = serde_json::json!({
        "base_url": "http://model.test/v1",
        "model": "tiny",
        "search_url": "http://search.test/",
        "facts_url": "http://facts.test/",
        "publish_url": "http://press.test/reports",
    });
    Script {
        network: Box::new(internet),
        config: config.to_string(),
        // Whoever is in doubt is asked again.
        answers: vec![(3_600_000, "yes".to_owned()); 5],
        ..input("Why do cats purr?")
    }
}

/// A model that speaks a word at a time, two tools and a printing press.
fn internet(request: &Request) -> Result<Reply, HttpError> {
    let url = request.url.as_str();
    if !url.starts_with("http://model.test/") {
        return Ok(Reply::text(url.len() as u64, format!("answer of {url}")));
    }
    let plans = String::from_utf8_lossy(&request.body).contains("plan research");
    let words: &[&str] = match plans {
        true => &["Look", " it", " up.", "\n", "cat", " purr"],
        false => &["# Cats", "\n\n", "They purr because", " they can."],
    };
    let token = |word: &&str| {
        let chunk = serde_json::json!({"choices": [{"delta": {"content": word}}]});
        (20, format!("data: {chunk}\n\n").into_bytes())
    };
    let mut pieces: Vec<_> = words.iter().map(token).collect();
    pieces.push((1, b"data: [DONE]\n\n".to_vec()));
    Ok(Reply {
        pieces,
        ..Reply::text(300, "").header("content-type", "text/event-stream")
    })
}

fn pipeline() -> Script {
    Script {
        children: Box::new(child),
        ..input("echo: one\necho: two\necho: three\necho: four\necho: five")
    }
}

/// A child that gives back what it was told; some take longer than others.
fn child(call: &ChildCall) -> (u64, ChildEnd) {
    let ChildTarget::Agent(agent) = &call.target else {
        return (0, ChildEnd::failed("nobody is there"));
    };
    let spec = ArtifactSpec {
        id: agent.to_string(),
        name: None,
        description: None,
        metadata: None,
    };
    let end = ChildEnd {
        state: TaskState::Completed,
        message: vec![Part::text("done")],
        artifacts: vec![ArtifactView {
            spec,
            parts: call.message.clone(),
        }],
    };
    (1_000 * call.size() as u64 % 7_000, end)
}

pub(super) fn reminder() -> Script {
    Script {
        network: Box::new(|_| Ok(Reply::text(30, "thanks"))),
        config: serde_json::json!({"notify_url": "http://phone.test/"}).to_string(),
        messages: vec![(40_000, "snooze 10 min".to_owned())],
        ..input("in 90 s: tea")
    }
}

#[tokio::test]
async fn echo() {
    kill_everywhere("plugins/echo.wasm", true, || input("hello")).await;
}

#[tokio::test]
async fn asking_a_person() {
    kill_everywhere("plugins/approval.wasm", true, approval).await;
    same_fuel("plugins/approval.wasm", approval).await;
}

#[tokio::test]
async fn being_answered_out_of_band() {
    kill_everywhere("plugins/approval.wasm", true, approval_out_of_band).await;
    same_fuel("plugins/approval.wasm", approval_out_of_band).await;
}

#[tokio::test]
async fn reading_earlier_tasks() {
    kill_everywhere("plugins/notebook.wasm", true, notebook).await;
    same_fuel("plugins/notebook.wasm", notebook).await;
}

#[tokio::test]
async fn counting_down() {
    kill_everywhere("plugins/countdown.wasm", false, countdown).await;
    // A message that comes meanwhile would be noticed earlier the second time.
    same_fuel("plugins/countdown.wasm", || input("3")).await;
}

#[tokio::test]
async fn csv_report() {
    let table = || Script {
        input_type: Some("text/csv".to_owned()),
        ..input("name,age\nAda,36\nAlan,41\n")
    };
    kill_everywhere("plugins/csv-report.wasm", true, table).await;
    same_fuel("plugins/csv-report.wasm", table).await;
}

#[tokio::test]
async fn researching() {
    kill_everywhere("plugins/research.wasm", false, research).await;
    same_fuel("plugins/research.wasm", research).await;
}

#[tokio::test]
async fn sharing_out_work() {
    // Children that end while nobody is there are met in another order.
    kill_everywhere("plugins/pipeline.wasm", false, pipeline).await;
    same_fuel("plugins/pipeline.wasm", pipeline).await;
}

#[tokio::test]
async fn reminding() {
    kill_everywhere("plugins/reminder.wasm", true, reminder).await;
    same_fuel("plugins/reminder.wasm", reminder).await;
}

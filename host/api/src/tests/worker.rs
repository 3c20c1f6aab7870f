//! The worker that the tests play: it does what the first message of its task says.

use taskyard_broker::{Broker, Run};
use taskyard_task::decide::{Breakdown, Outcome};
use taskyard_task::{ArtifactSpec, Event, InputKind, Part, PartBody, Seq};

/// The entries of a test's log that are read at once: more than any test makes before it asks.
const WHOLE_LOG: usize = 64;

/// Runs every task of `broker`.
pub(super) async fn work(broker: Broker) {
    while let Some(run) = broker.lease().await {
        tokio::spawn(turn(run));
    }
}

/// One turn of the worker. What it does is the text of the first message:
/// `reply` answers directly, `ask` asks once, `park` comes to a halt once, `stay` works until it is
/// canceled, `count` writes ten chunks, `large` writes a megabyte of each kind of content (and `large and stay` works on), and anything else is
/// put into an artifact.
async fn turn(run: Run) {
    let log = run.journal(Seq::ZERO, WHOLE_LOG).await.unwrap();
    let asked = log
        .iter()
        .any(|(_, entry)| matches!(entry.event, Event::Asked { .. }));
    let outcome = match first_text(&log[0].1.event).as_str() {
        "reply" => Outcome::Replied {
            parts: vec![Part::text("directly")],
        },
        "ask" if !asked => {
            let prompt = vec![Part::text("which one?")];
            let kind = InputKind::Input;
            run.record(Event::Asked { kind, prompt }).await.unwrap();
            let seen = run.header().last_outside;
            run.suspend(None, seen, Some(kind), 0).await.unwrap();
            return;
        }
        "park" if run.header().attempt == 1 => {
            let text = Some("half done".to_owned());
            let percent = Some(50);
            run.record(Event::Progress { percent, text }).await.unwrap();
            Outcome::Parked(Breakdown {
                code: "trap".to_owned(),
                reason: "told to park".to_owned(),
                position: Seq(4),
                backtrace: Some("0: park".to_owned()),
            })
        }
        "stay" => {
            let text = Some("under way".to_owned());
            let percent = Some(1);
            run.record(Event::Progress { percent, text }).await.unwrap();
            run.canceled().await;
            Outcome::Canceled
        }
        "count" => {
            for number in 0..10 {
                run.record(chunk(number)).await.unwrap();
            }
            let id = spec().id;
            run.record(Event::ArtifactClosed { id }).await.unwrap();
            completed()
        }
        "large" => {
            for event in large() {
                run.record(event).await.unwrap();
            }
            completed()
        }
        "large and stay" => {
            for event in large() {
                run.record(event).await.unwrap();
            }
            run.canceled().await;
            Outcome::Canceled
        }
        text => {
            let parts = vec![Part::text(text)];
            run.record(Event::ArtifactPut {
                spec: spec(),
                parts,
            })
            .await
            .unwrap();
            completed()
        }
    };
    run.settle(outcome).await.unwrap();
}

fn completed() -> Outcome {
    Outcome::Completed {
        message: vec![Part::text("done")],
    }
}

fn spec() -> ArtifactSpec {
    ArtifactSpec {
        id: "result".to_owned(),
        name: None,
        description: None,
        metadata: None,
    }
}

fn chunk(number: u32) -> Event {
    Event::ArtifactAppended {
        id: "result".to_owned(),
        spec: (number == 0).then(spec),
        chunk: Part::text(format!("{number} ")),
        last: false,
    }
}

/// A chunk of text that JSON must escape; no multiple of three bytes.
pub(super) const LARGE_CHUNK: &str = "\"ß\n\u{1f980}\u{1}";
/// How often it is repeated within a chunk, and how many chunks there are.
pub(super) const LARGE_COUNTS: (usize, usize) = (30_001, 3);

/// The JSON of a large part, on several lines.
pub(super) fn large_data(is_object: bool) -> String {
    let text = serde_json::Value::from(LARGE_CHUNK.repeat(1_000));
    match is_object {
        true => format!("{{\n  \"a\": {text}\r\n}}"),
        false => format!("[{text},\n1]"),
    }
}

/// Text and bytes that grow by turns, in several chunks each, and JSON of both kinds.
fn large() -> Vec<Event> {
    let (repeats, chunks) = LARGE_COUNTS;
    let text = LARGE_CHUNK.repeat(repeats);
    let named = |id: &str| ArtifactSpec {
        id: id.to_owned(),
        ..spec()
    };
    let part = |body| Part {
        body,
        ..Part::text("")
    };
    let mut events = Vec::new();
    for number in 0..chunks {
        for id in ["text", "bytes"] {
            let body = match id {
                "text" => PartBody::Text(text.clone()),
                _ => PartBody::Bytes(text.clone().into_bytes()),
            };
            events.push(Event::ArtifactAppended {
                id: id.to_owned(),
                spec: (number == 0).then(|| named(id)),
                chunk: part(body),
                last: false,
            });
        }
    }
    let data = [true, false].map(|is_object| part(PartBody::Data(large_data(is_object))));
    events.push(Event::ArtifactPut {
        spec: named("data"),
        parts: data.to_vec(),
    });
    events
}

fn first_text(event: &Event) -> String {
    let Event::Submitted(submission) = event else {
        panic!("a log begins with a submission");
    };
    match &submission.message.parts[0].body {
        PartBody::Text(text) => text.clone(),
        PartBody::Bytes(_) | PartBody::Url(_) | PartBody::Data(_) => String::new(),
    }
}

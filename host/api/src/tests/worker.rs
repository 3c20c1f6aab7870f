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
/// canceled, `count` writes ten chunks, and anything else is put into an artifact.
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

fn first_text(event: &Event) -> String {
    let Event::Submitted(submission) = event else {
        panic!("a log begins with a submission");
    };
    match &submission.message.parts[0].body {
        PartBody::Text(text) => text.clone(),
        PartBody::Bytes(_) | PartBody::Url(_) | PartBody::Data(_) => String::new(),
    }
}

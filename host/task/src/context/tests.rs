//! What is read is bounded, and says so.

use super::*;
use crate::content::{ArtifactSpec, Message};
use crate::decide::{NewTask, submit};
use crate::entry::{Event, Submission};
use crate::id::{Digest, Partition, Seq};
use crate::limits::RunLimits;

fn message(text: &str) -> Message {
    Message {
        id: "m".to_owned(),
        parts: vec![Part::text(text)],
        metadata: None,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    }
}

fn header() -> Header {
    let submission = Submission {
        message: message("begin"),
        tenant: crate::Tenant::default(),
        agent: "echo".parse().unwrap(),
        context_id: "c".to_owned(),
        digest: Digest::of(b"echo"),
        config: "{}".to_owned(),
        limits: RunLimits::default(),
        accepted_output_modes: Vec::new(),
        metadata: None,
        contract: 1,
        seed: [7; 32],
        parent: None,
        lineage: Vec::new(),
    };
    let new = NewTask {
        id: TaskId::new(uuid::Uuid::from_u128(1), Partition::of_hash(1)),
        submission,
        epoch: 1,
        deadline: Timestamp(10_000),
        announced: true,
        priority: crate::Priority::default(),
        not_before: None,
        push: None,
        remember: None,
    };
    submit(Timestamp(1_000), new).header
}

fn view(events: Vec<Event>) -> TaskView {
    let entries = events.into_iter().zip(1..).map(|(event, seq)| {
        let at = Timestamp(1_000);
        (Seq(seq), crate::Entry { at, event })
    });
    TaskView::fold(entries)
}

/// What is read of a task with these entries.
fn read(events: Vec<Event>) -> EarlierTask {
    let whole = view(events.clone());
    let mut outline = Outline::default();
    for (event, seq) in events.into_iter().zip(1..) {
        let at = Timestamp(1_000);
        let light = crate::LightEntry::of(crate::Entry { at, event });
        outline.apply(&[], Seq(seq), light);
    }
    let parts = |place: usize| Ok::<_, ()>(whole.artifacts[place].parts.clone());
    EarlierTask::of(&header(), &outline, parts).unwrap()
}

fn put(id: &str, text: String) -> Event {
    Event::ArtifactPut {
        spec: ArtifactSpec {
            id: id.to_owned(),
            name: Some("a name".to_owned()),
            description: None,
            metadata: None,
        },
        parts: vec![Part::text(text)],
    }
}

fn received(text: String) -> Event {
    Event::Received {
        message: message(&text),
    }
}

fn said(text: &str) -> Event {
    Event::Said {
        parts: vec![Part::text(text)],
    }
}

#[test]
fn a_small_task_is_read_whole() {
    let events = vec![
        received("hello".to_owned()),
        said("a moment"),
        put("report", "all is well".to_owned()),
        Event::Completed {
            message: vec![Part::text("done")],
        },
    ];
    let read = read(events);
    assert!(read.complete);
    assert_eq!(read.summary.request, "hello");
    assert_eq!(read.summary.status.as_deref(), Some("done"));
    let named = ("report".to_owned(), Some("a name".to_owned()));
    assert_eq!(read.summary.artifacts, [named]);
    let by: Vec<bool> = read.messages.iter().map(|said| said.by_agent).collect();
    assert_eq!(by, [false, true]);
    assert_eq!(read.status, [Part::text("done")]);
    assert_eq!(read.artifacts[0].parts, [Part::text("all is well")]);
}

#[test]
fn what_does_not_fit_is_left_out_and_told() {
    let large = "x".repeat(MAX_READ_BYTES * 2 / 3);
    let events = vec![
        received("first".to_owned()),
        put("one", large.clone()),
        put("two", large.clone()),
        received(large),
        said("last"),
    ];
    let read = read(events);
    assert!(!read.complete);
    assert!(ContextResult::Task(Box::new(read.clone())).size() <= MAX_READ_BYTES + 4_096);
    let left: Vec<usize> = read.artifacts.iter().map(|it| it.parts.len()).collect();
    assert_eq!(left, [1, 0]);
    // Nothing is missing in the middle of what is there.
    assert_eq!(read.messages.len(), 1);
    assert_eq!(read.messages[0].parts, [Part::text("last")]);
    assert_eq!(read.summary.request, "first");
}

#[test]
fn summaries_are_cut() {
    let mut events = vec![received("ä".repeat(MAX_TEXT_BYTES))];
    events.extend((0..100).map(|n| put(&n.to_string(), String::new())));
    let view = view(events);
    let summary = TaskSummary::of(&header(), &view);
    assert_eq!(summary.request.len(), MAX_TEXT_BYTES);
    assert_eq!(summary.artifacts.len(), MAX_NAMED);
    assert_eq!(summary.status, None);
}

#[test]
fn an_answer_out_of_band_is_in_no_view_and_no_debug_text() {
    let provided = Event::Provided(Box::new(crate::Provided {
        message: message("s3cret"),
    }));
    assert!(!format!("{provided:?}").contains("s3cret"));
    let view = view(vec![received("hello".to_owned()), provided]);
    assert!(!format!("{view:?}").contains("s3cret"));
    let place = crate::wire::Place {
        task: header().id,
        context_id: "c",
    };
    let task = crate::wire::task_to_a2a(place, &view, crate::wire::Projection::WHOLE);
    assert!(!serde_json::to_string(&task).unwrap().contains("s3cret"));
}

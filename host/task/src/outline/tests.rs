//! An outline and the entries that it names are the whole fold, whatever was written in whichever pieces.

use proptest::prelude::*;

use super::*;
use crate::content::ArtifactSpec;
use crate::id::Timestamp;

fn spec(id: u8) -> ArtifactSpec {
    ArtifactSpec {
        id: id.to_string(),
        name: None,
        description: None,
        metadata: None,
    }
}

/// Small and large parts of few kinds.
fn part() -> impl Strategy<Value = Part> {
    let length = prop_oneof![3 => 0..4_usize, 1 => 500..520_usize, 1 => Just(40_000_usize)];
    (0..5_u8, length, any::<bool>()).prop_map(|(kind, length, named)| {
        let text = "x".repeat(length);
        let body = match kind {
            0 | 1 => PartBody::Text(text),
            2 => PartBody::Bytes(text.into_bytes()),
            3 => PartBody::Url(text),
            _ => PartBody::Data(format!("{{\"a\":\"{text}\"}}")),
        };
        let media_type = named.then(|| "text/plain".to_owned());
        Part {
            body,
            media_type,
            filename: None,
            metadata: None,
        }
    })
}

fn event() -> impl Strategy<Value = Event> {
    let parts = || prop::collection::vec(part(), 1..4);
    prop_oneof![
        1 => (0..3_u8, parts()).prop_map(|(id, parts)| Event::ArtifactPut { spec: spec(id), parts }),
        6 => (0..3_u8, any::<bool>(), part()).prop_map(|(id, anew, chunk)| Event::ArtifactAppended {
            id: id.to_string(),
            spec: anew.then(|| spec(id)),
            chunk,
            last: false,
        }),
        1 => parts().prop_map(|parts| Event::Said { parts }),
    ]
}

fn log(events: Vec<Event>) -> Vec<(Seq, Entry)> {
    let entries = events.into_iter().zip(1..);
    entries
        .map(|(event, seq)| {
            (
                Seq(seq),
                Entry {
                    at: Timestamp(seq),
                    event,
                },
            )
        })
        .collect()
}

fn outline(log: &[(Seq, Entry)], rewound: &[(Seq, Seq)]) -> Outline {
    let mut outline = Outline::default();
    for (seq, entry) in log {
        outline.apply(rewound, *seq, LightEntry::of(entry.clone()));
    }
    outline
}

/// The parts of an artifact with all of their content.
fn whole_parts(outline: &Outline, artifact: usize, log: &[(Seq, Entry)]) -> Vec<Part> {
    let parts = outline.parts_of(artifact).enumerate();
    let whole = parts.map(|(place, (part, apart))| {
        let mut part = part.clone();
        if let Some(seq) = apart.and_then(|content| content.apart) {
            let (_, entry) = &log[seq.0 as usize - 1];
            part.clone_from(part_of(&entry.event, place).unwrap());
        }
        part
    });
    whole.collect()
}

fn filled(outline: Outline, log: &[(Seq, Entry)]) -> TaskView {
    let mut view = outline.view.clone();
    for (place, artifact) in view.artifacts.iter_mut().enumerate() {
        artifact.parts = whole_parts(&outline, place, log);
    }
    view
}

proptest! {
    #[test]
    fn an_outline_with_its_content_is_the_fold(
        events in prop::collection::vec(event(), 0..24),
        (to, at) in (0..24_u64, 0..24_u64),
    ) {
        let log = log(events);
        let rewound = [(Seq(to), Seq(at))];
        let mut whole = TaskView::default();
        for (seq, entry) in &log {
            whole.apply_counting(&rewound, *seq, entry.clone());
        }
        let outline = outline(&log, &rewound);
        let held: usize = outline.view.artifacts.iter().flat_map(|it| &it.parts).map(Part::size).sum();
        // Names and media types of parts come on top.
        prop_assert!(held as u64 <= MAX_INLINE_BYTES + 24 * 64, "{} bytes are held", held);
        let bytes: u64 = whole.artifacts.iter().flat_map(|it| &it.parts).map(body_bytes).sum();
        prop_assert_eq!(outline.content_bytes(), bytes);
        prop_assert_eq!(filled(outline, &log), whole);
    }
}

#[test]
fn small_results_are_in_the_outline() {
    let said = |text: &str| Event::ArtifactAppended {
        id: "1".to_owned(),
        spec: None,
        chunk: Part::text(text),
        last: false,
    };
    let first = Event::ArtifactPut {
        spec: spec(1),
        parts: vec![Part::text("a")],
    };
    let log = log(vec![
        first,
        said("b"),
        said(&"c".repeat(MAX_LIGHT_BYTES - 2)),
    ]);
    let small = outline(&log, &[]);
    assert!(small.is_whole());
    assert_eq!(small.view, TaskView::fold(log));
}

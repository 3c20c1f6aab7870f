//! Workers on stock libraries of three languages, which know nothing of logs and replays: what they see is
//! the same in every replay. Their scenes are told in `tests/guests/stock-rust/src/lib.rs`.

use std::time::Duration;

use taskyard_outbound::Request;
use taskyard_task::http::HttpError;
use taskyard_task::{Event, Part, PartBody, Piece, RunLimits, Seq, TaskState, TaskView, Ticket};

use crate::durability::{
    complete, described_name, is_linked, kill_everywhere, run_once, same_fuel, worker,
};
use crate::replay::world::{Crash, Reply, Script, World};

const RUST: &str = "guests/stock-rust.wasm";
const PYTHON: &str = "guests/stock-python.wasm";
const JAVASCRIPT: &str = "guests/stock-js.wasm";

/// Waits keep the instance.
const STAYS: Duration = Duration::from_secs(1 << 30);
const REPLAYS: usize = 5;
const EVENT_STREAM: &str = "text/event-stream";

/// What the scenes see of the stream of events: what comes together is one piece.
const PIECES: [&str; 3] = [
    r#""data: one\n\ndata: two\n\n""#,
    r#""data: thr""#,
    r#""ee\n\n""#,
];

/// The server that the scenes are played against.
fn server(request: &Request) -> Result<Reply, HttpError> {
    let path = request
        .url
        .strip_prefix("http://server.test")
        .unwrap_or_default();
    match path {
        "/two" => Ok(Reply::text(3, format!("two: {} bytes", request.body.len()))),
        // They come in another order than they are asked for.
        "/parallel/1" => Ok(Reply::text(40, "first")),
        "/parallel/2" => Ok(Reply::text(10, "second")),
        "/parallel/3" => Ok(Reply::text(30, "third")),
        "/parallel/4" => Ok(Reply::text(20, "fourth")),
        "/slow" => Ok(Reply::text(50, "slow")),
        "/events" => Ok(Reply {
            pieces: vec![
                (5, b"data: one\n\n".to_vec()),
                (0, b"data: two\n\n".to_vec()),
                (5, b"data: thr".to_vec()),
                (5, b"ee\n\n".to_vec()),
            ],
            ..Reply::text(5, "").header("content-type", EVENT_STREAM)
        }),
        "/drip" => Ok(Reply {
            pieces: vec![(5, b"a".to_vec()), (5, b"b".to_vec())],
            ..Reply::text(5, "")
        }),
        "/refused" => Err(HttpError::Denied("not allowed".to_owned())),
        other => Ok(Reply::text(1, other.trim_start_matches('/'))),
    }
}

fn script(scene: &str) -> Script {
    Script {
        network: Box::new(server),
        input: format!("{scene} http://server.test"),
        ..Script::default()
    }
}

/// What the scene put.
fn seen(world: &World, scene: &str) -> String {
    let mut view = TaskView::default();
    for (seq, entry) in world.log() {
        view.apply(seq, entry);
    }
    assert_eq!(
        world.header().state,
        TaskState::Completed,
        "{:#?}",
        world.log()
    );
    let artifact = view.artifacts.into_iter().find(|it| it.spec.id == scene);
    let parts = artifact.expect("the scene puts an artifact").parts;
    let text = |part: Part| match part.body {
        PartBody::Text(text) => text,
        other => panic!("{other:?} is not text"),
    };
    parts.into_iter().map(text).collect()
}

/// Plays a scene once.
async fn play(file: &str, scene: &str) -> World {
    let world = World::new(script(scene));
    complete(&world, &worker(file), STAYS).await;
    world
}

/// Everything that the worker did is done again, and nothing leaves the sandbox.
async fn replays_are_pure(file: &str, scene: &str) {
    let worker = worker(file);
    let undisturbed = play(file, scene).await;
    let world = World::new(script(scene));
    // The process dies again and again when the worker has done all that it does.
    world.crash_at(Crash::Before(undisturbed.header().last));
    let live = run_once(&world, &worker, STAYS).await;
    assert!(live.is_some_and(|fuel| fuel > 0));
    let (sent, journaled) = (world.sent(), world.journaled());
    assert!(!sent.is_empty());
    for _ in 0..REPLAYS {
        let beginning_and_end = 2;
        world.crash_at(Crash::Before(
            Seq(world.header().last.0 + beginning_and_end),
        ));
        assert_eq!(run_once(&world, &worker, STAYS).await, live);
        assert_eq!(world.sent(), sent);
        assert_eq!(world.journaled(), journaled, "{:#?}", world.log());
    }
    complete(&world, &worker, STAYS).await;
    assert_eq!(world.header().state, TaskState::Completed);
    assert_eq!(world.journaled(), undisturbed.journaled());
}

/// What the scenes put, where the languages agree.
async fn scenes_see_what_happens(file: &str) {
    let world = play(file, "tour").await;
    assert_eq!(seen(&world, "sequence"), "one\ntwo: 200000 bytes\nthree");
    assert_eq!(seen(&world, "parallel"), "second\nfourth\nthird\nfirst");
    assert_eq!(seen(&world, "race"), "timer");
    assert_eq!(seen(&world, "sleep"), "3 5");
    let pieces = seen(&world, "stream");
    assert_eq!(pieces.lines().collect::<Vec<_>>(), PIECES);
}

/// The process dies at every entry, while waits keep the instance and while they do not.
async fn kills_change_nothing(file: &str) {
    for scene in ["sequence", "parallel", "race", "sleep", "random", "refused"] {
        kill_everywhere(file, true, || script(scene)).await;
    }
}

/// As many instructions up to each entry, whether it was live or a replay.
async fn fuel_is_the_same(file: &str) {
    same_fuel(file, || script("tour")).await;
}

#[tokio::test]
async fn rust_sees_what_happens() {
    scenes_see_what_happens(RUST).await;
    let world = play(RUST, "refused").await;
    assert!(seen(&world, "refused").contains("HttpRequestDenied"));
}

#[tokio::test]
async fn rust_replays() {
    replays_are_pure(RUST, "tour").await;
    for scene in ["spin", "spin-read", "splice", "nothing", "crowd", "abandon"] {
        replays_are_pure(RUST, scene).await;
    }
}

#[tokio::test]
async fn rust_survives() {
    kills_change_nothing(RUST).await;
    fuel_is_the_same(RUST).await;
}

#[tokio::test]
async fn python_sees_what_happens() {
    scenes_see_what_happens(PYTHON).await;
    let world = play(PYTHON, "refused").await;
    let error = seen(&world, "refused");
    assert!(error.contains("HttpRequestDenied"), "{error}");
}

#[tokio::test]
async fn python_replays() {
    replays_are_pure(PYTHON, "tour").await;
}

#[tokio::test]
async fn python_survives() {
    kills_change_nothing(PYTHON).await;
    fuel_is_the_same(PYTHON).await;
}

#[tokio::test]
async fn javascript_sees_what_happens() {
    scenes_see_what_happens(JAVASCRIPT).await;
    let world = play(JAVASCRIPT, "refused").await;
    let error = seen(&world, "refused");
    assert!(error.starts_with("error: "), "{error}");
}

#[tokio::test]
async fn javascript_replays() {
    replays_are_pure(JAVASCRIPT, "tour").await;
}

#[tokio::test]
async fn javascript_survives() {
    kills_change_nothing(JAVASCRIPT).await;
    fuel_is_the_same(JAVASCRIPT).await;
}

/// What client libraries do not do.
#[tokio::test]
async fn plain_calls_see_what_happens() {
    for scene in ["blocking", "spin-read"] {
        let world = play(RUST, scene).await;
        assert_eq!(seen(&world, scene).lines().collect::<Vec<_>>(), PIECES);
    }
    let table = [
        ("spin", "slow"),
        ("drip", "\"ab\"\n\"a\"\n\"b\""),
        ("splice", "two: 35 bytes"),
        ("nothing", "two: 0 bytes, 0 and 0 read"),
        ("body-first", "two: 5 bytes"),
        ("unfinished", "ErrorCode::HttpProtocolError"),
        ("twice", "true true"),
        ("crowd", "64, ErrorCode::ConnectionLimitReached"),
        ("abandon", "one"),
    ];
    for (scene, expected) in table {
        assert_eq!(seen(&play(RUST, scene).await, scene), expected);
    }
}

#[tokio::test]
async fn a_body_is_as_long_as_it_says_and_not_too_long() {
    let world = play(RUST, "wrong-length").await;
    let refusal = "ErrorCode::HttpRequestBodySize(Some(0))";
    assert_eq!(
        seen(&world, "wrong-length"),
        format!("Err({refusal}), {refusal}")
    );
    assert_eq!(world.sent(), []);

    let world = World::new(Script {
        limits: RunLimits {
            message_bytes: 10_000,
            ..RunLimits::default()
        },
        ..script("too-large")
    });
    complete(&world, &worker(RUST), STAYS).await;
    let refusal = "ErrorCode::HttpRequestBodySize(Some(10000))";
    assert_eq!(seen(&world, "too-large"), format!("8192, {refusal}"));
    assert_eq!(world.sent(), []);
}

#[tokio::test]
async fn what_was_given_up_leaves_nothing_in_the_log() {
    let world = play(RUST, "abandon").await;
    let of_the_first =
        |event: &&Event| matches!(event, Event::Responded { ticket, .. } if *ticket == Ticket(1));
    assert_eq!(world.journaled().iter().find(of_the_first), None);
}

#[tokio::test]
async fn what_nobody_waits_for_is_sent_all_the_same() {
    let world = play(RUST, "forget").await;
    assert_eq!(seen(&world, "forget"), "sent");
    assert_eq!(world.sent().len(), 1);
}

#[tokio::test]
async fn waiting_for_ever_is_no_way_to_end() {
    let world = World::new(script("hang"));
    run_once(&world, &worker(RUST), STAYS).await;
    assert_ne!(world.header().state, TaskState::Completed);
    let told = format!("{:?}", world.log());
    assert!(told.contains("can never happen"), "{told}");
}

/// After a crash the pieces that were seen are seen again, and the rest is told to be lost.
#[tokio::test]
async fn a_crash_in_a_stream_breaks_it_off() {
    for file in [RUST, PYTHON, JAVASCRIPT] {
        let undisturbed = play(file, "stream").await;
        let is_piece = |event: &Event| {
            matches!(
                event,
                Event::Streamed {
                    piece: Piece::Data(_),
                    ..
                }
            )
        };
        let log = undisturbed.log();
        let first = log.iter().find(|(_, entry)| is_piece(&entry.event));
        let (first, _) = first.expect("there is a piece");
        let world = World::new(script("stream"));
        world.crash_at(Crash::After(*first));
        complete(&world, &worker(file), STAYS).await;
        let pieces = seen(&world, "stream");
        let lines: Vec<_> = pieces.lines().collect();
        assert_eq!(lines[0], PIECES[0], "{file}: {pieces}");
        assert!(lines[1].starts_with("broken off"), "{file}: {pieces}");
        assert_eq!(lines.len(), 2, "{file}: {pieces}");
        assert_eq!(world.sent().len(), 1);
    }
}

/// Their runtimes start within what a description may use.
#[tokio::test]
async fn all_of_them_describe_themselves() {
    for (file, name) in [
        (RUST, "stock-rust"),
        (PYTHON, "stock-python"),
        (JAVASCRIPT, "stock-js"),
    ] {
        assert_eq!(described_name(file).await, name);
    }
}

/// Guests are built against any version of WASI 0.2.
#[test]
fn every_version_is_linked() {
    for version in 0..=12 {
        let component = format!(
            r#"(component
                (import "wasi:http/types@0.2.{version}" (instance
                    (export "fields" (type (sub resource)))))
                (import "wasi:io/streams@0.2.{version}" (instance
                    (export "input-stream" (type (sub resource))))))"#
        );
        assert!(is_linked(&component), "0.2.{version}");
    }
}

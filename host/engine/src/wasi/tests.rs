//! Workers on stock libraries of three languages, which know nothing of logs and replays: what they see is
//! the same in every replay. Their scenes are told in `tests/guests/stock-rust/src/lib.rs`.

use std::time::Duration;

use taskyard_outbound::Request;
use taskyard_task::http::HttpError;
use taskyard_task::{Event, Part, PartBody, Piece, Seq, TaskState, TaskView};

use crate::durability::{complete, kill_everywhere, run_once, same_fuel, worker};
use crate::replay::world::{Crash, Reply, Script, World};

const RUST: &str = "guests/stock-rust.wasm";

/// Waits keep the instance.
const STAYS: Duration = Duration::from_secs(1 << 30);
const REPLAYS: usize = 5;
const EVENT_STREAM: &str = "text/event-stream";

/// The server that the scenes are played against.
fn server(request: &Request) -> Result<Reply, HttpError> {
    let path = request.url.strip_prefix("http://server.test").unwrap_or_default();
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
    assert_eq!(world.header().state, TaskState::Completed, "{:#?}", world.log());
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
async fn replays_are_pure(file: &str) {
    let worker = worker(file);
    let undisturbed = play(file, "tour").await;
    let world = World::new(script("tour"));
    // The process dies again and again when the worker has done all that it does.
    world.crash_at(Crash::Before(undisturbed.header().last));
    let live = run_once(&world, &worker, STAYS).await;
    assert!(live.is_some_and(|fuel| fuel > 0));
    let (sent, journaled) = (world.sent(), world.journaled());
    assert!(sent.len() >= 9, "{sent:#?}");
    for _ in 0..REPLAYS {
        let beginning_and_end = 2;
        world.crash_at(Crash::Before(Seq(world.header().last.0 + beginning_and_end)));
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
    let waits: Vec<u64> = seen(&world, "sleep")
        .split(' ')
        .map(|millis| millis.parse().expect("a number"))
        .collect();
    assert!(waits[0] >= 30 && waits[1] >= 50 && waits[1] < 60, "{waits:?}");
    let pieces = seen(&world, "stream");
    // What came together is one piece.
    let expected = [r#""data: one\n\ndata: two\n\n""#, r#""data: thr""#, r#""ee\n\n""#];
    assert_eq!(pieces.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn rust_sees_what_happens() {
    scenes_see_what_happens(RUST).await;
    let world = play(RUST, "refused").await;
    assert!(seen(&world, "refused").contains("HttpRequestDenied"));
}

#[tokio::test]
async fn rust_replays() {
    replays_are_pure(RUST).await;
}

//! Requests, children and state.

use std::panic::catch_unwind;
use std::time::Duration;

use serde_json::{Value, json};

use super::worker;
use crate::http::Retry;
use crate::prelude::*;
use crate::state::Swap;
use crate::testing::{Host, Reply, Run, Store};

const SECOND: Duration = Duration::from_secs(1);

worker!(Buys, |task, _input| {
    let price: u32 = http::get("https://shop.example/price")?.ok()?.json()?;
    task.say(format!("it costs {price}"))?;
    let order = http::request("POST", "https://shop.example/orders")
        .header("x-price", price.to_string())
        .json(&json!({"price": price}))?
        .retry(Retry::times(3).first_delay(2 * SECOND))
        .send()?
        .ok()?;
    Ok(Outcome::completed_with(order.text()))
});

fn shop() -> Host {
    Host::new().respond("GET https://shop.example/price", Reply::json(7))
}

#[test]
fn the_outside_sees_each_request_once_and_with_its_key() {
    let host = shop().respond("POST https://shop.example/*", Reply::text("order 1"));
    let run = host.clone().run_with_crashes::<Buys>();
    assert_eq!(run.final_text().as_deref(), Some("order 1"));
    let [price, order] = &run.requests[..] else {
        panic!("{:?}", run.requests)
    };
    assert_eq!(
        (price.method.as_str(), &price.idempotency_key),
        ("GET", &None)
    );
    assert_eq!(order.json::<Value>(), Ok(json!({"price": 7})));
    assert_eq!(order.header("Content-Type"), Some("application/json"));
    assert!(order.idempotency_key.is_some());

    // The response was lost with the crash: the same request goes out again.
    let run = host.clone().crash_before(5).run::<Buys>();
    assert_eq!(run.requests.len(), 3);
    assert_eq!(run.requests[1], run.requests[2]);
    let run = host.crash_after(5).run::<Buys>();
    assert_eq!(run.requests.len(), 2);
}

#[test]
fn retries_are_the_hosts_and_take_their_time() {
    let busy = || Reply::status(503).after(SECOND);
    let host = shop()
        .respond("POST https://shop.example/orders", busy())
        .respond(
            "POST https://shop.example/orders",
            Reply::status(429).header("retry-after", "9"),
        )
        .respond("POST https://shop.example/orders", Reply::text("order 1"));
    let run = host.run_with_crashes::<Buys>();
    assert_eq!(run.final_text().as_deref(), Some("order 1"));
    assert_eq!(run.requests.len(), 4);
    assert_eq!(run.elapsed, (1 + 2 + 9) * SECOND);

    let run = shop()
        .respond("POST https://*", busy())
        .run_with_crashes::<Buys>();
    assert_eq!(run.failure().unwrap().code(), "http-status");
    assert_eq!(run.requests.len(), 4);
}

#[test]
fn failures_are_values_with_a_code() {
    let long = "x".repeat(100);
    for (reply, code) in [
        (Reply::status(404), "http-status"),
        (Reply::text("many"), "json"),
        (Reply::failed("connection refused"), "failed"),
        (Reply::pieces(["7"]).breaks_off("reset"), "failed"),
        (Reply::error(OpError::Denied("no".to_owned())), "denied"),
        (Reply::never(), "timed-out"),
        (Reply::json(7).after(61 * SECOND), "timed-out"),
        (Reply::text(long), "json"),
    ] {
        let host = Host::new().respond("GET https://shop.example/price", reply.clone());
        let run = host.run_with_crashes::<Buys>();
        assert_eq!(run.failure().map(Error::code), Some(code), "{reply:?}");
    }
    let run = Host::new().run::<Buys>();
    let error = run.failure().unwrap();
    assert_eq!(error.code(), "denied");
    assert!(
        error
            .message()
            .contains("`.respond(\"GET https://shop.example/price\""),
        "{error}"
    );
    assert_eq!(run.requests, []);
}

worker!(Races, |task, _input| {
    let start = |path: &str| http::request("GET", format!("https://a.example/{path}")).start();
    let tickets = [start("slow")?, start("fast")?, start("broken")?];
    let (first, response) = select_all(&tickets)?;
    task.say(format!("{first}: {}", response.text()))?;
    let [slow, _, broken] = tickets;
    let broken = broken.take().unwrap_err();
    task.say(broken.to_string())?;
    slow.cancel()?;
    assert!(matches!(slow.take(), Err(OpError::Invalid(_))));
    // A response is taken once.
    assert!(matches!(tickets[1].take(), Err(OpError::Invalid(_))));
    Ok(Outcome::completed())
});

#[test]
fn requests_are_under_way_side_by_side() {
    let host = Host::new()
        .respond(
            "GET https://a.example/slow",
            Reply::text("slow").after(9 * SECOND),
        )
        .respond(
            "GET https://a.example/fast",
            Reply::text("fast").after(SECOND),
        )
        .respond_with(|request| {
            let reply = Reply::failed("no route").after(2 * SECOND);
            request.url.ends_with("broken").then_some(reply)
        });
    let run = host.run_with_crashes::<Races>();
    assert!(run.is_completed());
    assert_eq!(run.said(), ["1: fast", "it failed: no route"]);
    assert_eq!(run.elapsed, 2 * SECOND);
    assert_eq!(run.requests.len(), 3);
}

worker!(PaysOnce, |_task, _input| {
    let payment = http::request("POST", "https://bank.example/pay").at_most_once();
    match payment.send() {
        Ok(response) => Ok(Outcome::completed_with(response.text())),
        Err(OpError::Interrupted(_)) => Err(Error::paused("unclear", "look at the account")),
        Err(error) => Err(error.into()),
    }
});

fn bank() -> Host {
    Host::new().respond("POST https://bank.example/pay", Reply::text("paid"))
}

#[test]
fn a_request_at_most_once_is_never_sent_again() {
    let host = bank().on_interruption(|run| {
        assert_eq!(run.paused().unwrap().code(), "unclear");
        assert!(run.requests.len() <= 1);
    });
    let run = host.run_with_crashes::<PaysOnce>();
    assert_eq!(run.final_text().as_deref(), Some("paid"));
}

#[test]
fn an_interruption_that_makes_a_difference_must_be_expected() {
    let panic = catch_unwind(|| bank().run_with_crashes::<PaysOnce>()).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("a crash after entry 1 makes a difference"),
        "{message}"
    );
    assert!(message.contains(".on_interruption("), "{message}");
}

worker!(Chats, |task, _input| {
    let request = || http::request("POST", "https://model.example/chat");
    let mut answer = String::new();
    for attempt in 1..=3 {
        answer.clear();
        match read(request(), &mut answer) {
            Err(error) if error.code() == "interrupted" => {
                task.progress_note(&format!("try {attempt}"))?
            }
            ended => {
                ended?;
                break;
            }
        }
    }
    task.artifact("answer").put(answer)?;
    Ok(Outcome::completed())
});

fn read(request: http::Request, answer: &mut String) -> Result<()> {
    for data in request.stream()?.ok()?.events() {
        match data?.as_str() {
            "[DONE]" => break,
            token => answer.push_str(token),
        }
    }
    Ok(())
}

fn model(reply: Reply) -> Host {
    Host::new().respond("POST https://model.example/chat", reply)
}

#[test]
fn a_stream_gives_its_events_and_a_crash_interrupts_it() {
    let tokens = Reply::events(["Good", " day", "\n!", "[DONE]"]).every(SECOND);
    let right = |run: &Run| {
        assert!(run.is_completed());
        assert_eq!(run.artifact_text("answer").as_deref(), Some("Good day\n!"));
    };
    let run = model(tokens)
        .on_interruption(right)
        .run_with_crashes::<Chats>();
    right(&run);
    assert_eq!((run.requests.len(), run.elapsed), (1, 4 * SECOND));
}

#[test]
fn streams_fail_as_requests_do() {
    for (reply, code) in [
        (Reply::status(500), "http-status"),
        (Reply::failed("refused"), "failed"),
        (Reply::events(["one"]).breaks_off("reset"), "failed"),
        (
            Reply::events(["one", "two"]).every(61 * SECOND),
            "timed-out",
        ),
        (Reply::never(), "timed-out"),
        (
            Reply::bytes(vec![b'x'; http::MAX_LINE_BYTES + 1]),
            "line-too-long",
        ),
    ] {
        let run = model(reply).run::<Chats>();
        assert_eq!(run.failure().map(Error::code), Some(code));
    }
}

worker!(ReadsPieces, |task, _input| {
    let mut stream = http::request("GET", "https://a.example/log").stream()?;
    assert_eq!(stream.head()?.status, 200);
    match select(stream.piece(), wait::timer(SECOND))? {
        Either::First(piece) => task.say(format!("early {piece:?}"))?,
        Either::Second(()) => task.say("nothing yet")?,
    }
    assert_eq!(stream.next_piece()?.as_deref(), Some(&b"one\ntw"[..]));
    let lines: Result<Vec<String>> = stream.lines().collect();
    Ok(Outcome::completed_with(lines?.join(",")))
});

#[test]
fn a_piece_of_a_stream_can_be_waited_for_with_something_else() {
    let reply = Reply::pieces(["one\ntw", "o\nthree", "", "\n\nfour"]).every(5 * SECOND);
    let host = Host::new().respond("GET https://a.example/log", reply);
    let run = host
        .on_interruption(|_| {})
        .run_with_crashes::<ReadsPieces>();
    assert_eq!(run.said(), ["nothing yet"]);
    assert_eq!(run.final_text().as_deref(), Some("o,three,,four"));
}

worker!(Upper, |task, input| {
    if input.text() == "no" {
        return Ok(Outcome::rejected("I only shout yes"));
    }
    task.sleep(SECOND)?;
    assert_eq!(task.identity().parent_task.as_deref(), Some("task-1"));
    let mut shout = task.artifact("shout").media_type("text/plain").open()?;
    for word in input.text().split(' ') {
        shout.append(word.to_uppercase())?;
    }
    shout.close()?;
    state::context().update("shouts", |shouts: Option<u32>| shouts.unwrap_or(0) + 1)?;
    Ok(Outcome::completed_with("done"))
});

worker!(Fans, |task, input| {
    let text = input.text();
    let start = |line| children::agent("upper").message(line).start();
    let tickets: Result<Vec<_>, OpError> = text.lines().map(start).collect();
    let tickets = tickets?;
    assert_eq!(tickets[0].task_id()?.as_deref(), Some("task-1.1"));
    for end in join_all(tickets)? {
        match end.clone().ok() {
            Ok(end) => task.say(end.artifact_text("shout").unwrap_or_default())?,
            Err(error) => task.say(error.to_string())?,
        }
    }
    let shouts: Option<u32> = state::context().get("shouts")?;
    Ok(Outcome::completed_with(format!("{shouts:?}")))
});

#[test]
fn real_workers_do_the_work_of_children() {
    let host = Host::new().message("a b\nno\nc").agent::<Upper>("upper");
    let run = host.run_with_crashes::<Fans>();
    let rejected = "child-rejected: I only shout yes";
    assert_eq!(run.said(), ["AB", rejected, "C"]);
    assert_eq!(run.final_text().as_deref(), Some("Some(2)"));
    assert_eq!((run.children.len(), run.elapsed), (3, SECOND));
}

#[test]
fn a_child_that_waits_makes_its_parent_wait() {
    let host = Host::new().agent_with::<super::Conversation>("upper", Host::new());
    assert_eq!(
        host.run_with_crashes::<Fans>().end,
        crate::testing::End::Waiting
    );
}

worker!(Cancels, |task, _input| {
    let quick = children::agent("quick")
        .message("x")
        .metadata(&json!({"a": 1}))?
        .start()?;
    let slow = children::remote("https://b.example/")
        .message("x")
        .start()?;
    let left = children::agent("left").message("x").start()?;
    children::agent("left").message("y").detached().start()?;
    assert_eq!(quick.take()?.text(), "quick");
    assert_eq!(slow.task_id()?, None);
    assert_eq!(slow.within(SECOND)?, None);
    slow.cancel()?;
    task.say(format!("{:?}", slow.take()?.ok().unwrap_err().code()))?;
    assert!(left.within(Duration::ZERO)?.is_none());
    Ok(Outcome::completed())
});

#[test]
fn children_are_cancelled_with_their_parent_unless_detached() {
    let done = |_: &Message| ChildEnd::completed();
    let host = Host::new()
        .child("quick", |message| {
            assert_eq!(message.metadata.as_deref(), Some("{\"a\":1}"));
            ChildEnd::completed().with_message("quick")
        })
        .slow_child("https://b.example/", 9 * SECOND, done)
        .slow_child("left", 9 * SECOND, done);
    let run = host.run_with_crashes::<Cancels>();
    assert_eq!(run.said(), ["\"child-canceled\""]);
    let canceled: Vec<bool> = run.children.iter().map(|child| child.canceled).collect();
    assert_eq!(canceled, [false, true, true, false]);
}

worker!(Refused, |task, _input| {
    let codes = [
        children::agent("nobody").message("x").start(),
        children::agent("test").message("x").start(),
        children::remote("https://c.example/").message("x").start(),
        children::agent("upper").start(),
    ]
    .map(|refused| refused.unwrap_err().code());
    task.say(codes.join(" "))?;
    Ok(Outcome::completed())
});

#[test]
fn children_that_cannot_be_are_refused() {
    let run = Host::new().agent::<Upper>("upper").run::<Refused>();
    assert_eq!(
        run.said(),
        ["invalid-call invalid-call denied invalid-call"]
    );
}

worker!(Stores, |_task, _input| {
    let mine = state::task();
    assert_eq!(mine.get::<u32>("n")?, None);
    let version = mine.set("n", &1)?;
    assert!(
        matches!(mine.swap("n", None, &2)?, Swap::Stale(Some(there)) if there.version == version)
    );
    assert!(matches!(mine.swap("n", Some(version), &2)?, Swap::Swapped(new) if new > version));
    assert_eq!(mine.update("n", |n: Option<u32>| n.unwrap_or(0) + 1)?, 3);
    mine.set_for("brief", &true, SECOND)?;
    for key in 0..1_500 {
        state::plugin().set_bytes(&format!("k{key:04}"), "x")?;
    }
    wait::sleep(2 * SECOND)?;
    assert_eq!(mine.get::<bool>("brief")?, None);
    state::plugin().remove("k0007")?;
    let keys: Result<Vec<String>, OpError> = state::plugin().keys("k").collect();
    let keys = keys?;
    assert!(keys.is_sorted());
    assert_eq!(
        state::plugin().get_bytes("k0008")?.as_deref(),
        Some(&b"x"[..])
    );
    assert_eq!(
        state::plugin().get::<u32>("k0008").unwrap_err().code(),
        "json"
    );
    assert!(state::tenant().set("", &1).is_err() && state::tenant().set("\0", &1).is_err());
    let given: String = state::tenant().get("given")?.unwrap_or_default();
    Ok(Outcome::completed_with(format!("{} {given}", keys.len())))
});

#[test]
fn state_is_typed_and_has_versions() {
    let host = Host::new().state(state::tenant(), "given", "hello");
    let run = host.run::<Stores>();
    assert_eq!(run.final_text().as_deref(), Some("1499 hello"));
    assert_eq!(run.stored(state::task(), "n"), Some(json!(3)));
    assert_eq!(run.stored(state::task(), "brief"), None);
}

worker!(CountsTwice, |task, _input| {
    let one_more = |n: Option<u64>| n.unwrap_or(0) + 1;
    let first = state::task().update("n", one_more)?;
    task.ask("?")?;
    let second = state::task().update("n", one_more)?;
    Ok(Outcome::completed_with(format!("{first}, {second}")))
});

/// What a write to state expects is in the log, and a replay reads it there.
#[test]
fn a_count_goes_on_after_a_question() {
    let run = Host::new()
        .answer("go on")
        .run_with_crashes::<CountsTwice>();
    assert_eq!(run.final_text().as_deref(), Some("1, 2"));
}

worker!(Counts, |_task, _input| {
    let one_more = |n: Option<u32>| n.unwrap_or(0) + 1;
    let task = state::task().update("n", one_more)?;
    let context = state::context().update("n", one_more)?;
    let plugin = state::plugin().update("n", one_more)?;
    let tenant = state::tenant().update("n", one_more)?;
    Ok(Outcome::completed_with(format!(
        "{task}{context}{plugin}{tenant}"
    )))
});

#[test]
fn scopes_share_what_they_say_and_crashes_write_nothing_twice() {
    let store = Store::default();
    let run = |host: Host| {
        host.store(&store)
            .run_with_crashes::<Counts>()
            .final_text()
            .unwrap()
    };

    assert_eq!(run(Host::new()), "1111");
    assert_eq!(run(Host::new()), "1222");
    assert_eq!(
        run(Host::new().identity(|me| me.context_id = "b".to_owned())),
        "1133"
    );
    assert_eq!(
        run(Host::new().identity(|me| me.agent = "b".to_owned())),
        "1314"
    );
    assert_eq!(run(Host::new().tenant("b")), "1111");
    // Without a store in common nothing is shared.
    assert_eq!(Host::new().run::<Counts>().final_text().unwrap(), "1111");
}

#[test]
fn a_body_that_is_no_stream_of_events_is_an_error() {
    let of = |kind: &str, body: &str| Reply::bytes(body).header("content-type", kind);
    for (reply, says) in [
        (
            of("application/json", r#"{"error": "busy"}"#),
            "\"application/json\"",
        ),
        (
            of("text/html; charset=utf-8", "<html>\n</html>\n"),
            "\"text/html\"",
        ),
        (
            of("text/event-stream", r#"{"error": "busy"}"#),
            "\"text/event-stream\"",
        ),
        (of("text/plain", ""), "\"text/plain\""),
        (
            Reply::bytes([0x1f, 0x8b, 8, 0, b'\n', 0, 3, 0xff]),
            "no content type",
        ),
        (
            Reply::pieces(["data: a\n\n", "{\"error\": \"overloaded\"}"])
                .header("content-type", "text/event-stream"),
            "does not end as one",
        ),
    ] {
        let run = model(reply.clone()).run::<Chats>();
        let failure = run.failure().unwrap_or_else(|| panic!("{reply:?}"));
        assert_eq!(failure.code(), "not-events", "{reply:?}");
        assert!(failure.message().contains(says), "{failure}");
    }
}

#[test]
fn what_is_a_stream_of_events_all_the_same_is_read() {
    for (reply, answer) in [
        (Reply::text("data: a\n\ndata: b\n\n"), "ab"),
        (Reply::text("data: a\n\ndata: b\n"), "ab"),
        (Reply::text("data: a\r\n\r\ndata: b"), "ab"),
        (Reply::bytes(": nothing new\n\n"), ""),
        (Reply::bytes(""), ""),
        (Reply::events([""; 0]), ""),
        (Reply::text("").with_status(204), ""),
        (Reply::bytes(b"data: caf\xe9\n\n".to_vec()), "caf\u{fffd}"),
    ] {
        let run = model(reply.clone()).run::<Chats>();
        assert!(run.is_completed(), "{reply:?}");
        assert_eq!(run.artifact_text("answer").as_deref(), Some(answer));
    }
    // What broke off is not whole.
    let cut = Reply::pieces(["data: a\n\ndata: b"]).breaks_off("reset");
    let run = model(cut).run::<Chats>();
    assert_eq!(run.failure().map(Error::code), Some("failed"));
}

worker!(SetsHeader, |_task, input| {
    let request = || http::request("POST", "https://a.example/").header(input.text(), "x");
    let refusals = [
        request().send().map(drop),
        request().start().map(drop),
        request().stream().map(drop),
    ];
    let texts = refusals.map(|refused| match refused {
        Err(OpError::Invalid(text)) => text,
        other => format!("{other:?}"),
    });
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], texts[2]);
    Ok(Outcome::completed_with(texts[0].clone()))
});

#[test]
fn headers_of_the_connection_are_refused_before_anything_is_sent() {
    for name in [
        "Host",
        "connection",
        "Content-Length",
        "Proxy-Authorization",
    ] {
        let host = Host::new().respond("POST https://a.example/", Reply::text("x"));
        let run = host.message(name).run::<SetsHeader>();
        let text = run.final_text().unwrap();
        assert!(text.starts_with(&format!("the header {name:?}")), "{text}");
        assert!(run.requests.is_empty());
    }
}

worker!(ReadsJson, |_task, _input| {
    let response = http::get("https://a.example/")?;
    let value: Value = response.json()?;
    Ok(Outcome::completed_with(
        value["a"].as_str().unwrap_or("none"),
    ))
});

#[test]
fn the_json_of_strangers_is_read_and_what_is_none_is_described() {
    let read = |reply| {
        let host = Host::new().respond("GET https://a.example/", reply);
        host.run::<ReadsJson>()
    };
    for (body, value) in [
        (&br#"{"a": "\ud83d!"}"#[..], "\u{fffd}!"),
        (b"\xef\xbb\xbf{\"a\": \"b\"}", "b"),
        (b"{\"a\": \"caf\xe9\"}", "caf\u{fffd}"),
    ] {
        assert_eq!(
            read(Reply::bytes(body)).final_text().as_deref(),
            Some(value)
        );
    }
    for (reply, says) in [
        (Reply::text("<html>"), "status 200 (text/plain)"),
        (Reply::bytes("").with_status(502), "status 502 has no body"),
        (Reply::bytes([0x1f, 0x8b]), "status 200 (no content type)"),
    ] {
        let run = read(reply);
        let failure = run.failure().unwrap();
        assert_eq!(failure.code(), "json");
        assert!(failure.message().contains(says), "{failure}");
    }
}

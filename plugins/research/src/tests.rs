//! What the client, the model, the tools and the publisher see, whatever goes wrong.

use std::time::Duration;

use serde_json::{Value, json};
use taskyard_sdk::testing::{Event, Host, Reply, Run, SentRequest};

use super::*;

const CHAT: &str = "POST https://model.example/v1/chat/completions";
const SEARCH: &str = "GET https://search.example/find?q=cats%20purr";
const FACTS: &str = "GET https://facts.example/?lang=en&q=cats%20purr";
const PUBLISH: &str = "POST https://reports.example/";

const PLAN_TOKENS: [&str; 3] = ["I would look it up.", "\n\n", "cats purr\n"];
const REPORT_TOKENS: [&str; 4] = ["# Cats\n\n", "They ", "are ", "content."];

/// The model's answer in the form of the API.
fn answer(tokens: &[&str]) -> Reply {
    Reply::events(chunks(tokens, &["[DONE]"]))
}

fn chunks(tokens: &[&str], end: &[&str]) -> Vec<String> {
    let role = json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]});
    let token = |token: &&str| json!({"choices": [{"index": 0, "delta": {"content": token}}]});
    let usage = json!({"choices": [], "usage": {"total_tokens": 7}});
    let chunks = [role]
        .into_iter()
        .chain(tokens.iter().map(token))
        .chain([usage]);
    let chunks = chunks.map(|chunk| chunk.to_string());
    chunks
        .chain(end.iter().map(|&end| end.to_owned()))
        .collect()
}

/// The model plans, unless it is told what the sources say.
fn model(request: &SentRequest) -> Reply {
    match request.text().contains("Source ") {
        true => answer(&REPORT_TOKENS),
        false => answer(&PLAN_TOKENS),
    }
}

fn config() -> Value {
    json!({
        "base_url": "https://model.example/v1/",
        "model": "small",
        "search_url": "https://search.example/find",
        "facts_url": "https://facts.example/?lang=en",
        "publish_url": "https://reports.example/",
    })
}

/// Everything but the model.
fn tools() -> Host {
    Host::new()
        .message("Why do cats purr?")
        .config(config())
        .respond(SEARCH, Reply::text("Cats purr when content."))
        .respond(FACTS, Reply::text("A purr has 25 Hz."))
        .respond(PUBLISH, Reply::status(201))
}

fn host() -> Host {
    tools().respond_with(|request: &SentRequest| {
        request
            .url
            .ends_with("/chat/completions")
            .then(|| model(request))
    })
}

fn sent<'r>(run: &'r Run, method_and_url: &str) -> Vec<&'r SentRequest> {
    let is_it =
        |request: &&SentRequest| format!("{} {}", request.method, request.url) == method_and_url;
    run.requests.iter().filter(is_it).collect()
}

fn report(run: &Run) -> String {
    run.artifact_text("report").unwrap()
}

#[test]
fn plans_asks_the_tools_writes_and_publishes_after_a_yes() {
    let interrupted = |run: &Run| {
        assert_eq!(
            run.artifact_text("plan").as_deref(),
            Some(&*PLAN_TOKENS.concat())
        );
        assert_eq!(report(run), REPORT_TOKENS.concat());
        assert!(sent(run, SEARCH).len() <= 2 && sent(run, PUBLISH).len() <= 2);
        assert!(run.is_completed());
    };
    let run = host()
        .answer("Yes!")
        // Only who is not sure whether it is published already asks a second time.
        .answer("yes")
        .on_interruption(interrupted)
        .run_with_crashes::<Research>();

    assert_eq!(
        run.final_text().as_deref(),
        Some("The report was published.")
    );
    assert_eq!(
        run.artifact_text("plan").as_deref(),
        Some("I would look it up.\n\ncats purr\n")
    );
    assert_eq!(report(&run), "# Cats\n\nThey are content.");

    let chats = sent(&run, CHAT);
    assert_eq!(chats.len(), 2);
    let body: Value = chats[0].json().unwrap();
    assert_eq!(
        (&body["model"], &body["stream"]),
        (&json!("small"), &json!(true))
    );
    assert_eq!(
        body["messages"][1],
        json!({"role": "user", "content": "Why do cats purr?"})
    );
    let body: Value = chats[1].json().unwrap();
    let expected = "Question: Why do cats purr?\n\nSource search:\nCats purr when content.\n\n\
                    Source facts:\nA purr has 25 Hz.\n\n";
    assert_eq!(body["messages"][1]["content"], expected);

    let [publication] = sent(&run, PUBLISH)[..] else {
        panic!("not published once: {:?}", run.requests);
    };
    let expected = json!({"question": "Why do cats purr?", "report": report(&run)});
    assert_eq!(publication.json::<Value>().unwrap(), expected);
    assert_eq!(
        publication.idempotency_key.as_deref(),
        Some("task-1/report")
    );
}

#[test]
fn asks_both_tools_at_the_same_time() {
    let minute = Duration::from_secs(60);
    let run = Host::new()
        .message("Why do cats purr?")
        .config(config())
        .respond_with(|request: &SentRequest| {
            request
                .url
                .ends_with("/chat/completions")
                .then(|| model(request))
        })
        .respond(SEARCH, Reply::text("yes").after(minute / 4))
        .respond(FACTS, Reply::text("no").after(minute / 4))
        .run::<Research>();
    assert_eq!(
        run.waiting().unwrap().text(),
        "Publish the report? (yes/no)"
    );
    assert_eq!(run.elapsed, minute / 4);
}

#[test]
fn shows_a_long_text_while_it_grows() {
    let long: Vec<&str> = std::iter::repeat_n("twenty bytes a word ", 20).collect();
    let run = tools().respond(CHAT, answer(&long)).run::<Research>();

    assert_eq!(run.artifact_text("plan").unwrap(), long.concat());
    assert_eq!(run.artifact("plan").len(), 5);
    let closed = Event::Closed {
        id: "plan".to_owned(),
    };
    assert!(run.events.contains(&closed));
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again_and_put_whole() {
    let half = Reply::events(chunks(
        &["Half of an answer that is long enough to be shown: more than eighty bytes. "],
        &[],
    ));
    for broken in [half.clone().breaks_off("connection reset"), half] {
        let run = tools()
            .respond(CHAT, broken)
            .respond(CHAT, answer(&PLAN_TOKENS))
            .respond(CHAT, answer(&REPORT_TOKENS))
            .run::<Research>();

        assert_eq!(run.artifact_text("plan").unwrap(), PLAN_TOKENS.concat());
        assert_eq!(report(&run), REPORT_TOKENS.concat());
        assert!(run.waiting().is_some());
        assert_eq!(sent(&run, CHAT).len(), 3);
    }
}

#[test]
fn gives_up_a_model_that_never_comes_to_an_end() {
    let half = Reply::events(chunks(&["Half of"], &[]));
    let run = tools().respond(CHAT, half).run::<Research>();
    assert_eq!(run.failure().map(Error::code), Some("cut-off"));
    assert_eq!(sent(&run, CHAT).len(), 4);

    let word = "x".repeat(64 * 1024);
    let run = tools()
        .respond(CHAT, answer(&[word.as_str(); 5]))
        .run::<Research>();
    assert!(
        run.failure()
            .unwrap()
            .message()
            .contains("does not come to an end")
    );

    let run = tools().respond(CHAT, answer(&[" "])).run::<Research>();
    assert!(run.failure().unwrap().message().contains("said nothing"));
}

#[test]
fn a_busy_model_is_asked_again() {
    let run = tools()
        .respond(CHAT, Reply::status(429))
        .respond(CHAT, Reply::status(503))
        .respond(CHAT, answer(&PLAN_TOKENS))
        .run::<Research>();
    assert_eq!(run.artifact_text("plan").unwrap(), PLAN_TOKENS.concat());
}

#[test]
fn what_the_operator_can_mend_parks_the_task() {
    for status in [401, 402, 403] {
        let run = tools()
            .respond(CHAT, Reply::status(status))
            .run::<Research>();
        let error = run.paused().unwrap();
        assert!(error.message().contains(&status.to_string()), "{error}");
    }
    // No rule for the model.
    let run = tools().run::<Research>();
    assert_eq!(run.paused().map(Error::code), Some("denied"));
}

#[test]
fn fails_when_the_model_does_not_understand() {
    let run = tools().respond(CHAT, Reply::status(400)).run::<Research>();
    assert_eq!(run.failure().map(Error::code), Some("model"));
    let run = tools()
        .respond(CHAT, Reply::events(["hello"]))
        .run::<Research>();
    assert_eq!(run.failure().map(Error::code), Some("model"));
}

#[test]
fn goes_on_without_a_tool_that_is_out_of_order() {
    let without = |reply: Reply| {
        Host::new()
            .message("Why do cats purr?")
            .config(config())
            .respond(CHAT, answer(&PLAN_TOKENS))
            .respond(CHAT, answer(&REPORT_TOKENS))
            .respond(SEARCH, reply)
            .respond(FACTS, Reply::text("A purr has 25 Hz."))
            .run::<Research>()
    };
    for (reply, attempts) in [
        (Reply::status(404), 1),
        (Reply::status(503), 4),
        (Reply::failed("connection refused"), 4),
    ] {
        let run = without(reply);
        assert_eq!(sent(&run, SEARCH).len(), attempts);
        assert!(
            run.said()[0].starts_with("I go on without search: "),
            "{:?}",
            run.said()
        );
        let body: Value = sent(&run, CHAT)[1].json().unwrap();
        let prompt = body["messages"][1]["content"].as_str().unwrap();
        assert!(
            prompt.ends_with("\n\nSource facts:\nA purr has 25 Hz.\n\n"),
            "{prompt}"
        );
        assert!(run.waiting().is_some());
    }
}

#[test]
fn fails_without_any_source() {
    let run = Host::new()
        .message("Why do cats purr?")
        .config(config())
        .respond(CHAT, answer(&PLAN_TOKENS))
        .respond(SEARCH, Reply::status(500))
        .respond(FACTS, Reply::status(404))
        .run::<Research>();
    assert_eq!(run.failure().map(Error::code), Some("no-source"));
}

#[test]
fn publishes_nothing_without_a_yes() {
    for (answers, questions) in [(&["no"][..], 1), (&["maybe", "later", "yes, but"], 3)] {
        let host = answers
            .iter()
            .fold(host(), |host, &answer| host.answer(answer));
        let run = host.run::<Research>();

        let is_question = |event: &&Event| matches!(event, Event::Asked(_));
        assert_eq!(run.events.iter().filter(is_question).count(), questions);
        assert!(sent(&run, PUBLISH).is_empty());
        assert_eq!(
            run.final_text().as_deref(),
            Some("The report was not published.")
        );
        assert!(run.is_completed());
    }
}

#[test]
fn asks_again_when_nobody_knows_whether_it_was_published() {
    let publish = |reply: Reply| {
        Host::new()
            .message("Why do cats purr?")
            .config(config())
            .respond(CHAT, answer(&PLAN_TOKENS))
            .respond(CHAT, answer(&REPORT_TOKENS))
            .respond(SEARCH, Reply::text("yes"))
            .respond(FACTS, Reply::text("no"))
            .respond(PUBLISH, reply)
            .respond(PUBLISH, Reply::status(200))
            .answer("yes")
    };
    for reply in [Reply::status(503), Reply::failed("connection reset")] {
        let run = publish(reply.clone()).run::<Research>();
        let question = run.waiting().unwrap().text();
        assert!(
            question.starts_with("The report may not be out: "),
            "{question}"
        );
        assert_eq!(sent(&run, PUBLISH).len(), 1);

        let run = publish(reply).answer("yes").run::<Research>();
        let keys: Vec<_> = sent(&run, PUBLISH)
            .iter()
            .map(|request| &request.idempotency_key)
            .collect();
        assert_eq!(keys, [&Some("task-1/report".to_owned()); 2]);
        assert_eq!(
            run.final_text().as_deref(),
            Some("The report was published.")
        );
    }
}

#[test]
fn asks_nobody_when_there_is_no_place_to_publish() {
    let mut config = config();
    config.as_object_mut().unwrap().remove("publish_url");
    let run = host().config(config).run::<Research>();
    assert_eq!(run.outcome(), Some(&Outcome::completed()));
    assert_eq!(report(&run), REPORT_TOKENS.concat());
}

#[test]
fn a_cancel_breaks_off_whatever_it_does() {
    let slow = Reply::events(chunks(&PLAN_TOKENS, &["[DONE]"])).every(Duration::from_secs(10));
    let run = tools()
        .respond(CHAT, slow)
        .cancel_at(Duration::from_secs(25))
        .run::<Research>();

    assert_eq!(run.failure().map(Error::code), Some("canceled"));
    assert_eq!(run.requests.len(), 1);
}

#[test]
fn names_what_the_operator_forgot() {
    let run = Host::new()
        .message("Why?")
        .config(json!({"base_url": "https://a.example"}))
        .run::<Research>();
    let error = run.failure().unwrap();
    assert_eq!(error.code(), "invalid-config");
    assert!(error.message().contains("\"model\""), "{error}");
}

#[test]
fn rejects_what_is_no_question() {
    let long = "why ".repeat(3_000);
    for question in ["  ", long.as_str()] {
        let run = Host::new().message(question).run::<Research>();
        assert!(
            matches!(run.outcome(), Some(Outcome::Rejected(_))),
            "{run:?}"
        );
        assert!(run.requests.is_empty());
    }
}

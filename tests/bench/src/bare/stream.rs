//! The events of a token stream, written as they come, without storing them.

use std::convert::Infallible;

use anyhow::{Context, Result};
use axum::response::Sse;
use axum::response::sse::Event;
use futures::{Stream, stream};

/// As long as the host's, so that events have the same size.
const TASK: &str = "01a1fef1-0e46-7415-b03f-95892ad6e800";
const CONTEXT: &str = "28be90d4-3231-d53c-0cdb-e80cee0d9aa6";

/// `chunks N SIZE`: the same events, byte for byte, as the host's for an artifact in N chunks.
pub(crate) fn chunks(
    text: &str,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>> {
    let mut words = text.split(' ').skip(1);
    let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
    let count = number().context("chunks N SIZE")?;
    let size = number().context("chunks N SIZE")?;
    let chunk = "x".repeat(size as usize);
    let chunks = (1..=count).map(move |number| event(number, &artifact(&chunk)));
    let events = chunks.chain(std::iter::once(event(count + 1, &completed())));
    Ok(Sse::new(stream::iter(events.map(Ok))))
}

fn event(number: u32, result: &str) -> Event {
    let data = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
    Event::default().id(number.to_string()).data(data)
}

fn artifact(chunk: &str) -> String {
    format!(
        r#"{{"artifactUpdate":{{"taskId":"{TASK}","contextId":"{CONTEXT}","artifact":{{"artifactId":"chunks","parts":[{{"text":"{chunk}"}}]}},"append":true}}}}"#
    )
}

fn completed() -> String {
    format!(
        r#"{{"statusUpdate":{{"taskId":"{TASK}","contextId":"{CONTEXT}","status":{{"state":"TASK_STATE_COMPLETED","timestamp":"2026-01-01T00:00:00.000Z"}}}}}}"#
    )
}

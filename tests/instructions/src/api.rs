//! What a call costs between the bytes of a client and the broker, and on the way back.

use a2a::SendMessageRequest;
use gungraun::{library_benchmark, library_benchmark_group};
use taskyard_api::measured::{Stream, answer, read_send};
use taskyard_task::{Entry, Header, Seq, TaskView};

use crate::limits::{self, about};
use crate::sample::Task;

/// As the clients of the field send it.
const SEND: &str = r#"{"jsonrpc":"2.0","id":"1","method":"SendMessage","params":{"message":{
"messageId":"0195b7e0-6f0a-7a7c-8d43-4b1a3a3f2c11","role":"ROLE_USER",
"parts":[{"text":"Please write the report of this quarter."}]},
"configuration":{"acceptedOutputModes":["text/plain"],"historyLength":10}}}"#;

#[library_benchmark]
#[bench::of_a_short_message(args = (SEND.as_bytes()), config = about(limits::READ_SEND))]
fn read_request(body: &[u8]) -> SendMessageRequest {
    read_send(body).expect("a send")
}

#[library_benchmark]
#[bench::of_100_entries(
    args = (),
    setup = view,
    config = about(limits::ANSWER_SEND)
)]
fn write_answer((header, view): (Header, TaskView)) -> impl Sized {
    answer(header.place(), &view)
}

#[library_benchmark]
#[bench::of_a_line(
    args = (),
    setup = stream,
    config = about(limits::WRITE_EVENT)
)]
fn write_event((mut stream, header, (seq, entry)): Streamed) -> impl Sized {
    stream
        .event(header.place(), seq, &entry)
        .expect("clients see it")
}

library_benchmark_group!(
    name = calling,
    benchmarks = [read_request, write_answer, write_event]
);

fn view() -> (Header, TaskView) {
    let task = Task::completed();
    (task.header, TaskView::fold(task.log))
}

/// A stream, and what it has to show.
type Streamed = (Stream, Header, (Seq, Entry));

/// In the middle, where its buffer has its size already.
fn stream() -> Streamed {
    let mut task = Task::written(1, 6);
    let mut stream = Stream::default();
    for (seq, entry) in &task.log {
        stream.event(task.header.place(), *seq, entry);
    }
    let line = task.log.pop().expect("the last line");
    (stream, task.header, line)
}

//! An entry of a task's log in words and facts: what it was, never what it held.

use serde_json::{Map, Value, json};
use taskyard_broker::LoggedEntry;
use taskyard_task::{
    Blame, ChildTarget, ContextCall, ContextResult, Event, Expected, HttpCall, HttpError,
    HttpResponse, InputKind, Message, Observation, Part, Piece, StateCall, StateResult, StateScope,
    Submission,
};

use super::task_view::{EntryView, state_word};
use super::view::moment;
use super::words::{self, address, count, line, size};

/// What an entry was: one line, and the same for programs.
type Said = (String, Value);

impl From<&LoggedEntry> for EntryView {
    fn from(logged: &LoggedEntry) -> Self {
        let event = &logged.entry.event;
        let (what, facts) = say(event, logged.about);
        Self {
            seq: logged.seq.0,
            at: moment(logged.entry.at),
            kind: event.kind().to_owned(),
            bytes: bytes(event),
            what,
            taken_back: logged.taken_back,
            facts: match facts {
                Value::Object(facts) => facts,
                _ => Map::new(),
            },
        }
    }
}

/// What was sent counts, not how the log keeps it.
fn bytes(event: &Event) -> u64 {
    match event {
        Event::Requested { call, .. } => call.body_bytes,
        other => other.size() as u64,
    }
}

/// `about` is the kind of the entry that this one speaks of.
fn say(event: &Event, about: Option<&str>) -> Said {
    match event {
        Event::Progress { percent, text } => progress(*percent, text.as_deref()),
        Event::Said { parts } => plain(parts_of(parts)),
        Event::ArtifactPut { spec, parts } => artifact(&spec.id, &parts_of(parts)),
        Event::ArtifactAppended {
            id, last: false, ..
        } => artifact(id, "a chunk"),
        Event::ArtifactAppended { id, last: true, .. } => artifact(id, "its last chunk"),
        Event::ArtifactClosed { id } => artifact(id, "closed"),
        Event::Asked { kind, prompt } => plain(format!("{}, {}", asks(*kind), parts_of(prompt))),
        Event::Requested { ticket, call } => requested(ticket.0, call),
        Event::Responded { ticket, result } => responded(ticket.0, result.as_ref()),
        Event::Streamed { ticket, piece } => streamed(ticket.0, piece),
        Event::ChildStarted {
            ticket,
            call,
            begun,
        } => {
            let target = match &call.target {
                ChildTarget::Agent(agent) => format!("agent {agent}"),
                ChildTarget::Remote(url) => format!("remote {}", address(url)),
            };
            let (task, became) = match begun {
                Ok(Some(task)) => (Some(task.to_string()), format!(" -> {task}")),
                Ok(None) => (None, String::new()),
                Err(problem) => (None, format!(", not started: {}", line(problem))),
            };
            let detached = if call.detached { ", detached" } else { "" };
            let facts = json!({
                "ticket": ticket, "target": target, "task": task, "detached": call.detached,
                "started": begun.is_ok(),
            });
            (format!("#{ticket} {target}{detached}{became}"), facts)
        }
        Event::GaveUp { ticket } => (format!("#{ticket}"), json!({"ticket": ticket})),
        Event::State { call, result } => state(call, result),
        Event::Kept { label, input, .. } => (
            format!("{} of input {input:x}", line(label)),
            json!({"label": label, "input": input}),
        ),
        Event::Noticed { seq } => (
            format!("entry {seq}{}", in_brackets(about)),
            json!({"entry": seq}),
        ),
        Event::Observed { call, what } => match what {
            Observation::Cancel => (format!("look {call}: a cancel"), json!({"look": call})),
            Observation::Message(seq) => (
                format!("look {call}: entry {seq}{}", in_brackets(about)),
                json!({"look": call, "entry": seq}),
            ),
        },
        Event::Slept { until_ns } => (
            format!("until {:+.1} s", *until_ns as f64 / 1e9),
            json!({"until_ns": until_ns}),
        ),
        Event::Received { message } => received(message),
        Event::Provided(provided) => plain(format!(
            "by an operator, {}",
            parts_of(&provided.message.parts)
        )),
        Event::ContextRead { call, result } => context_read(call, result),
        Event::ChildEnded { ticket, end } => (
            format!(
                "#{ticket} {}, {}",
                state_word(end.state),
                count(end.artifacts.len(), "artifact")
            ),
            json!({"ticket": ticket, "state": state_word(end.state)}),
        ),
        other => say_of_host(other),
    }
}

/// What the host, an operator, or the end of the task wrote.
fn say_of_host(event: &Event) -> Said {
    match event {
        Event::Submitted(submission) => submitted(submission),
        Event::Started { attempt } => (format!("run {attempt}"), json!({"attempt": attempt})),
        Event::StillAsking { kind } => plain(asks(*kind)),
        Event::ContinuedAsNew(continuation) => (
            format!(
                "with {} in line",
                count(continuation.inbox.len(), "message")
            ),
            json!({"messages": continuation.inbox}),
        ),
        Event::Parked {
            code,
            reason,
            position,
            ..
        } => (
            format!("{code} behind entry {position}: {}", words::reason(reason)),
            json!({"code": code, "entry": position}),
        ),
        Event::Rewound { to } => (
            format!("what the worker did behind entry {to} does not count"),
            json!({"entry": to}),
        ),
        Event::Moved { digest } => (
            format!("to component {}", digest.short()),
            json!({"digest": digest.to_string()}),
        ),
        Event::Retried {
            code,
            reason,
            not_before,
        } => (
            format!(
                "{code}: {}; not before {}",
                words::reason(reason),
                moment(*not_before)
            ),
            json!({"code": code, "not_before": moment(*not_before)}),
        ),
        Event::Completed { message } if message.is_empty() => plain(String::new()),
        Event::Completed { message } => plain(parts_of(message)),
        Event::Failed {
            blame,
            code,
            reason,
        } => {
            let blame = match blame {
                Blame::Worker => "worker",
                Blame::Host => "host",
            };
            (
                format!("{code} ({blame}): {}", words::reason(reason)),
                json!({"code": code, "blame": blame}),
            )
        }
        Event::Rejected { reason } => plain(words::reason(reason)),
        Event::Replied { parts } => plain(parts_of(parts)),
        // The kind says it all.
        _ => plain(String::new()),
    }
}

fn plain(what: String) -> Said {
    (what, Value::Null)
}

fn submitted(submission: &Submission) -> Said {
    let Submission {
        message,
        agent,
        digest,
        contract,
        parent,
        ..
    } = submission;
    let (said, _) = received(message);
    let facts = json!({
        "message_id": message.id,
        "agent": agent.to_string(),
        "digest": digest.to_string(),
        "replay_contract": contract,
        "parent": parent.map(|parent| parent.task.to_string()),
    });
    (
        format!("{said}, to {agent} on component {}", digest.short()),
        facts,
    )
}

fn received(message: &Message) -> Said {
    let parts = parts_of(&message.parts);
    let id = line(&message.id);
    (
        format!("message {id}, {parts}"),
        json!({"message_id": message.id}),
    )
}

fn progress(percent: Option<u8>, text: Option<&str>) -> Said {
    let shown = percent.map(|percent| format!("{percent} %"));
    let words: Vec<String> = shown.into_iter().chain(text.map(line)).collect();
    (words.join(" "), json!({"percent": percent}))
}

fn artifact(id: &str, what: &str) -> Said {
    (
        format!("artifact {}, {what}", line(id)),
        json!({"artifact": id}),
    )
}

fn asks(kind: InputKind) -> String {
    match kind {
        InputKind::Input => "for an answer".to_owned(),
        InputKind::Auth => "for credentials".to_owned(),
    }
}

fn requested(ticket: u64, call: &HttpCall) -> Said {
    let url = address(&call.url);
    let how = match (call.streamed, call.resend) {
        (true, true) => ", streamed",
        (true, false) => ", streamed, at most once",
        (false, true) => "",
        (false, false) => ", at most once",
    };
    let facts = json!({
        "ticket": ticket, "method": call.method, "url": url, "body_bytes": call.body_bytes,
        "streamed": call.streamed, "resend": call.resend,
    });
    (
        format!("#{ticket} {} {url}{how}", line(&call.method)),
        facts,
    )
}

fn responded(ticket: u64, result: Result<&HttpResponse, &HttpError>) -> Said {
    match result {
        Ok(response) => {
            let status = response.head.status;
            (
                format!("#{ticket} {status}"),
                json!({"ticket": ticket, "status": status, "body_bytes": response.body.len()}),
            )
        }
        Err(error) => no_response(ticket, error),
    }
}

fn streamed(ticket: u64, piece: &Piece) -> Said {
    match piece {
        Piece::Head(head) => (
            format!("#{ticket} {}, begins", head.status),
            json!({"ticket": ticket, "status": head.status}),
        ),
        Piece::Data(_) => (format!("#{ticket} more"), json!({"ticket": ticket})),
        Piece::End => (
            format!("#{ticket} complete"),
            json!({"ticket": ticket, "complete": true}),
        ),
        Piece::Failed(error) => no_response(ticket, error),
    }
}

/// Errors may name the address, which may have a query; only their kind is shown.
fn no_response(ticket: u64, error: &HttpError) -> Said {
    let kind = match error {
        HttpError::Denied(_) => "denied",
        HttpError::Invalid(_) => "invalid",
        HttpError::TimedOut => "timed out",
        HttpError::TooLarge { .. } => "too large",
        HttpError::Failed(_) => "failed",
        HttpError::Interrupted => "interrupted",
    };
    (
        format!("#{ticket} no response: {kind}"),
        json!({"ticket": ticket, "error": kind}),
    )
}

fn state(call: &StateCall, result: &StateResult) -> Said {
    let scope = match call.scope() {
        StateScope::Task => "task",
        StateScope::Context => "context",
        StateScope::Plugin => "plugin",
        StateScope::Tenant => "tenant",
    };
    let (verb, key) = match call {
        StateCall::Get { key, .. } => ("get", key.clone()),
        StateCall::Put {
            key, value: None, ..
        } => ("delete", key.clone()),
        StateCall::Put {
            key,
            expected: Expected::Nothing | Expected::Version(_),
            ..
        } => ("swap", key.clone()),
        StateCall::Put { key, .. } => ("put", key.clone()),
        StateCall::Keys { prefix, .. } => ("list", format!("{prefix}*")),
    };
    let result = match (result, call) {
        (StateResult::Found(Some(stored)), _) => format!(" = {}", size(stored.value.len())),
        (StateResult::Found(None), _) => " = nothing".to_owned(),
        (
            StateResult::Written(_),
            StateCall::Put {
                value: Some(value), ..
            },
        ) => {
            format!(" = {}", size(value.len()))
        }
        (StateResult::Written(_), _) => String::new(),
        (StateResult::Stale(_), _) => ": it was changed meanwhile".to_owned(),
        (StateResult::Keys(keys), _) => format!(" = {}", count(keys.len(), "key")),
        (StateResult::Full { limit }, _) => format!(": there are {limit} keys already"),
    };
    (
        format!("{verb} {scope}/{}{result}", line(&key)),
        json!({"call": verb, "scope": scope, "key": key}),
    )
}

fn context_read(call: &ContextCall, result: &ContextResult) -> Said {
    let task = match call {
        ContextCall::List { .. } => None,
        ContextCall::Read { task } => Some(task.to_string()),
    };
    let read = match result {
        ContextResult::Tasks(tasks) => count(tasks.len(), "task"),
        ContextResult::Task(task) => format!(
            "{}, {}",
            count(task.messages.len(), "message"),
            count(task.artifacts.len(), "artifact")
        ),
        ContextResult::Unknown => "denied".to_owned(),
    };
    let of = task.as_deref().unwrap_or("the conversation");
    (format!("{of} = {read}"), json!({"task": task}))
}

fn parts_of(parts: &[Part]) -> String {
    count(parts.len(), "part")
}

fn in_brackets(kind: Option<&str>) -> String {
    kind.map_or_else(String::new, |kind| format!(" ({kind})"))
}

#[cfg(test)]
mod tests {
    use taskyard_task::child::{ChildCall, ChildEnd};
    use taskyard_task::http::HttpHead;
    use taskyard_task::{
        ArtifactSpec, Continuation, Digest, Seq, Stored, TaskId, TaskState, Ticket, Timestamp,
    };

    use super::*;

    const SECRET: &str = "s3cret";

    fn message() -> Message {
        Message {
            id: "m-1".to_owned(),
            parts: vec![Part::text(SECRET)],
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        }
    }

    fn call(url: &str, resend: bool, streamed: bool) -> Event {
        Event::Requested {
            ticket: Ticket(3),
            call: Box::new(HttpCall {
                method: "POST".to_owned(),
                url: url.to_owned(),
                body_bytes: 1_200,
                fingerprint: Digest::of(b""),
                key: Some(SECRET.to_owned()),
                resend,
                streamed,
            }),
        }
    }

    fn response(result: Result<&str, HttpError>) -> Event {
        Event::Responded {
            ticket: Ticket(3),
            result: result.map(|body| HttpResponse {
                head: HttpHead {
                    status: 200,
                    headers: Vec::new(),
                },
                body: body.into(),
            }),
        }
    }

    fn piece(piece: Piece) -> Event {
        Event::Streamed {
            ticket: Ticket(3),
            piece,
        }
    }

    fn child(target: ChildTarget, begun: Result<Option<TaskId>, String>) -> Event {
        Event::ChildStarted {
            ticket: Ticket(4),
            call: Box::new(ChildCall {
                target,
                message: vec![Part::text(SECRET)],
                metadata: None,
                detached: false,
            }),
            begun,
        }
    }

    fn put(value: Option<&str>, expected: Expected) -> StateCall {
        StateCall::Put {
            scope: StateScope::Context,
            key: "last".to_owned(),
            value: value.map(|value| value.as_bytes().to_vec().into()),
            ttl_ms: None,
            expected,
        }
    }

    fn state(call: StateCall, result: StateResult) -> Event {
        Event::State {
            call: Box::new(call),
            result,
        }
    }

    fn get() -> StateCall {
        StateCall::Get {
            scope: StateScope::Task,
            key: "k".to_owned(),
        }
    }

    fn stored() -> Stored {
        Stored {
            value: SECRET.into(),
            version: 1,
            expires_at: None,
        }
    }

    #[test]
    fn every_entry_has_a_line_without_contents() {
        let agent = || ChildTarget::Agent("csv-report".parse().unwrap());
        let task = TaskId::from_bytes([7; 16]);
        let url = "https://a.example/v1/chat?key=s3cret";
        let spec = ArtifactSpec {
            id: "report".to_owned(),
            name: None,
            description: None,
            metadata: None,
        };
        let end = ChildEnd {
            state: TaskState::Completed,
            message: vec![Part::text(SECRET)],
            artifacts: Vec::new(),
        };
        let parts = || vec![Part::text(SECRET)];
        for (event, line) in [
            (
                Event::Received { message: message() },
                "message m-1, 1 part",
            ),
            (Event::Started { attempt: 2 }, "run 2"),
            (Event::Working, ""),
            (
                Event::Progress {
                    percent: Some(40),
                    text: Some("on\nit".to_owned()),
                },
                "40 % on it",
            ),
            (Event::Said { parts: parts() }, "1 part"),
            (
                Event::Asked {
                    kind: InputKind::Auth,
                    prompt: parts(),
                },
                "for credentials, 1 part",
            ),
            (
                Event::ArtifactPut {
                    spec,
                    parts: parts(),
                },
                "artifact report, 1 part",
            ),
            (
                Event::ArtifactClosed {
                    id: "report".to_owned(),
                },
                "artifact report, closed",
            ),
            (
                call(url, true, false),
                "#3 POST https://a.example/v1/chat?...",
            ),
            (
                call(url, false, true),
                "#3 POST https://a.example/v1/chat?..., streamed, at most once",
            ),
            (response(Ok(SECRET)), "#3 200"),
            (
                response(Err(HttpError::Failed(SECRET.to_owned()))),
                "#3 no response: failed",
            ),
            (piece(Piece::Data(SECRET.into())), "#3 more"),
            (piece(Piece::End), "#3 complete"),
            (
                child(agent(), Ok(Some(task))),
                "#4 agent csv-report -> 07070707-0707-0707-0707-070707070707",
            ),
            (
                child(agent(), Err("no such agent".to_owned())),
                "#4 agent csv-report, not started: no such agent",
            ),
            (
                child(ChildTarget::Remote(url.to_owned()), Ok(None)),
                "#4 remote https://a.example/v1/chat?...",
            ),
            (
                Event::ChildEnded {
                    ticket: Ticket(4),
                    end: Box::new(end),
                },
                "#4 completed, 0 artifacts",
            ),
            (Event::GaveUp { ticket: Ticket(4) }, "#4"),
            (
                state(get(), StateResult::Found(None)),
                "get task/k = nothing",
            ),
            (
                state(get(), StateResult::Found(Some(stored()))),
                "get task/k = 6 B",
            ),
            (
                state(
                    put(Some(SECRET), Expected::Anything),
                    StateResult::Written(2),
                ),
                "put context/last = 6 B",
            ),
            (
                state(put(None, Expected::Anything), StateResult::Written(0)),
                "delete context/last",
            ),
            (
                state(
                    put(Some(SECRET), Expected::Nothing),
                    StateResult::Stale(Some(stored())),
                ),
                "swap context/last: it was changed meanwhile",
            ),
            (
                state(
                    put(Some(SECRET), Expected::Anything),
                    StateResult::Full { limit: 9 },
                ),
                "put context/last: there are 9 keys already",
            ),
            (
                Event::Kept {
                    label: "sum".to_owned(),
                    input: 255,
                    value: SECRET.into(),
                },
                "sum of input ff",
            ),
            (
                Event::Slept {
                    until_ns: 3_210_000_000,
                },
                "until +3.2 s",
            ),
            (Event::Noticed { seq: Seq(9) }, "entry 9 (received)"),
            (
                Event::Observed {
                    call: 2,
                    what: Observation::Cancel,
                },
                "look 2: a cancel",
            ),
            (
                Event::Rewound { to: Seq(4) },
                "what the worker did behind entry 4 does not count",
            ),
            (
                Event::ContinuedAsNew(Box::new(Continuation {
                    state: SECRET.into(),
                    inbox: vec![Seq(3)],
                    read: Seq(3),
                    artifacts: Vec::new(),
                    artifact_bytes: 0,
                    canceled: false,
                })),
                "with 1 message in line",
            ),
            (
                Event::Retried {
                    code: "busy".to_owned(),
                    reason: "not now".to_owned(),
                    not_before: Timestamp(1_000),
                },
                "busy: not now; not before 1970-01-01T00:00:01.000Z",
            ),
            (
                Event::Failed {
                    blame: Blame::Worker,
                    code: "bad".to_owned(),
                    reason: "gone".to_owned(),
                },
                "bad (worker): gone",
            ),
            (Event::Canceled, ""),
        ] {
            let about = matches!(event, Event::Noticed { .. }).then_some("received");
            let (what, facts) = say(&event, about);
            assert_eq!(what, line, "{event:?}");
            assert!(!facts.to_string().contains(SECRET), "{facts}");
        }
    }
}

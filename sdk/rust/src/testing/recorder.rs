//! Answers the calls of a worker by the script and records what it does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{End, Event, Host, LogLine, Question, Run};
use crate::host::{HostCalls, InputKind, Spec};
use crate::{Identity, Level, Message, OpError, Part};

/// Why a worker was stopped in the middle of a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stop {
    Suspended,
    Crashed,
}

impl Stop {
    /// Leaves the worker without a word on stderr.
    fn now(self) -> ! {
        resume_unwind(Box::new(self))
    }
}

/// One attempt at the task.
pub(super) struct Recorder {
    script: Host,
    /// What earlier attempts did. This one has to do the same before it may do anything else.
    log: Vec<Event>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    calls: usize,
    questions: usize,
    messages_taken: usize,
    artifacts: BTreeMap<String, Content>,
    events: Vec<Event>,
    logs: Vec<LogLine>,
    slept: Duration,
}

/// How far an artifact is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Opened,
    Growing,
    Sealed,
}

impl Recorder {
    pub(super) fn new(script: Host, log: Vec<Event>) -> Self {
        Self {
            script,
            log,
            state: RefCell::default(),
        }
    }

    pub(super) fn input(&self) -> Message {
        self.script.input.clone()
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.state.borrow().events.clone()
    }

    pub(super) fn into_run(self: std::rc::Rc<Self>, end: End) -> Run {
        let state = self.state.take();
        Run {
            end,
            events: state.events,
            logs: state.logs,
            slept: state.slept,
        }
    }

    /// Counts a call; refuses it if the script says so.
    fn call(&self) -> Result<(), OpError> {
        let mut state = self.state.borrow_mut();
        state.calls += 1;
        match &self.script.refusal {
            Some((from, error)) if state.calls >= *from => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn is_canceled(&self) -> bool {
        let calls = self.state.borrow().calls;
        self.script.cancel_at_call.is_some_and(|at| calls >= at)
    }

    /// Keeps an event, after comparing it with what an earlier attempt did at this place.
    fn keep(&self, event: Event) {
        let mut state = self.state.borrow_mut();
        if let Some(logged) = self.log.get(state.events.len()) {
            assert_eq!(
                &event, logged,
                "after a crash the worker does something else"
            );
        }
        state.events.push(event);
        if self.script.crash_after == Some(state.events.len()) {
            Stop::Crashed.now();
        }
    }

    /// Moves an artifact to its next stage, if `rule` finds that it may go there.
    fn advance(
        &self,
        id: &str,
        rule: impl FnOnce(Option<Content>) -> Result<Content, &'static str>,
    ) -> Result<(), OpError> {
        let mut state = self.state.borrow_mut();
        let next = rule(state.artifacts.get(id).copied())
            .map_err(|reason| OpError::Invalid(format!("artifact {id:?} {reason}")))?;
        state.artifacts.insert(id.to_owned(), next);
        Ok(())
    }
}

impl HostCalls for Recorder {
    fn identity(&self) -> Identity {
        self.script.identity.clone()
    }

    fn progress(&self, percent: Option<u8>, text: Option<&str>) -> Result<(), OpError> {
        self.call()?;
        require(
            percent.is_none_or(|percent| percent <= 100),
            "percent is more than 100",
        )?;
        let text = text.map(str::to_owned);
        self.keep(Event::Progress { percent, text });
        Ok(())
    }

    fn say(&self, parts: Vec<Part>) -> Result<(), OpError> {
        self.call()?;
        check_parts(&parts)?;
        self.keep(Event::Said(parts));
        Ok(())
    }

    fn ask(&self, kind: InputKind, prompt: Vec<Part>) -> Result<Message, OpError> {
        self.call()?;
        check_parts(&prompt)?;
        if self.is_canceled() {
            return Err(OpError::Canceled);
        }
        self.keep(Event::Asked(Question { kind, prompt }));

        let mut state = self.state.borrow_mut();
        state.questions += 1;
        match self.script.answers.get(state.questions - 1) {
            Some(answer) => Ok(answer.clone()),
            None => Stop::Suspended.now(),
        }
    }

    fn next_message(&self) -> Result<Option<Message>, OpError> {
        self.call()?;
        let mut state = self.state.borrow_mut();
        match self.script.follow_ups.get(state.messages_taken) {
            Some((after, message)) if state.calls > *after => {
                state.messages_taken += 1;
                Ok(Some(message.clone()))
            }
            _ => Ok(None),
        }
    }

    fn cancel_requested(&self) -> bool {
        // A refusal does not concern this call: the WIT gives it no error.
        let _ = self.call();
        self.is_canceled()
    }

    fn put(&self, spec: Spec, parts: Vec<Part>) -> Result<(), OpError> {
        self.call()?;
        check_spec(&spec)?;
        check_parts(&parts)?;
        self.advance(&spec.id, |_| Ok(Content::Sealed))?;
        self.keep(Event::Put { id: spec.id, parts });
        Ok(())
    }

    fn open(&self, spec: Spec) -> Result<(), OpError> {
        check_spec(&spec)?;
        self.advance(&spec.id, |content| match content {
            None => Ok(Content::Opened),
            Some(_) => Err("was opened or put before"),
        })
    }

    fn append(&self, id: &str, chunk: Part) -> Result<(), OpError> {
        self.call()?;
        check_parts(std::slice::from_ref(&chunk))?;
        self.advance(id, |content| match content {
            Some(Content::Opened | Content::Growing) => Ok(Content::Growing),
            _ => Err("is not open"),
        })?;
        let id = id.to_owned();
        self.keep(Event::Appended { id, chunk });
        Ok(())
    }

    fn close(&self, id: &str) -> Result<(), OpError> {
        self.call()?;
        self.advance(id, |content| match content {
            Some(Content::Growing) => Ok(Content::Sealed),
            Some(Content::Opened) => Err("has no chunk yet"),
            _ => Err("is not open"),
        })?;
        self.keep(Event::Closed { id: id.to_owned() });
        Ok(())
    }

    fn config_text(&self, key: &str) -> Option<String> {
        match self.script.config.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    fn config_json(&self) -> String {
        self.script.config.to_string()
    }

    fn log(&self, level: Level, message: &str, fields: Vec<(String, String)>) {
        let message = message.to_owned();
        self.state.borrow_mut().logs.push(LogLine {
            level,
            message,
            fields,
        });
    }

    /// Every task begins in 1970, and only sleeping takes time.
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.state.borrow().slept
    }

    fn sleep(&self, span: Duration) {
        // A refusal does not concern this call either.
        let _ = self.call();
        self.state.borrow_mut().slept += span;
    }
}

fn check_spec(spec: &Spec) -> Result<(), OpError> {
    let id_is_fine = (1..=128).contains(&spec.id.len());
    require(id_is_fine, "an artifact id has between 1 and 128 bytes")?;
    check_metadata(spec.metadata.as_deref())
}

fn check_parts(parts: &[Part]) -> Result<(), OpError> {
    require(!parts.is_empty(), "there must be at least one part")?;
    parts
        .iter()
        .try_for_each(|part| check_metadata(part.metadata.as_deref()))
}

fn check_metadata(metadata: Option<&str>) -> Result<(), OpError> {
    let is_object = |json| serde_json::from_str(json).is_ok_and(|value: Value| value.is_object());
    require(
        metadata.is_none_or(is_object),
        "metadata must be a JSON object",
    )
}

fn require(condition: bool, otherwise: &str) -> Result<(), OpError> {
    match condition {
        true => Ok(()),
        false => Err(OpError::Invalid(otherwise.to_owned())),
    }
}

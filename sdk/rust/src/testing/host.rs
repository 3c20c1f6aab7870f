//! The script of a test: what the client sends and what goes wrong.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use serde_json::Value;

use super::recorder::{Recorder, Stop};
use super::{End, Run};
use crate::{Error, Identity, IntoParts, Message, OpError, Outcome, Task, Worker};

/// A host that follows a script.
///
/// Calls are counted from 1: everything that reports, asks, looks for messages or for a cancel, and
/// sleeps. Reading the identity or the configuration, opening an artifact and logging do not count.
#[derive(Debug, Clone)]
pub struct Host {
    pub(super) input: Message,
    pub(super) identity: Identity,
    pub(super) config: Value,
    pub(super) answers: VecDeque<Message>,
    /// With the number of calls after which each arrives.
    pub(super) follow_ups: VecDeque<(usize, Message)>,
    pub(super) cancel_at_call: Option<usize>,
    pub(super) refusal: Option<(usize, OpError)>,
    pub(super) crash_after: Option<usize>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            input: Message::new("message-1", "hello"),
            identity: identity(),
            config: Value::Object(serde_json::Map::new()),
            answers: VecDeque::new(),
            follow_ups: VecDeque::new(),
            cancel_at_call: None,
            refusal: None,
            crash_after: None,
        }
    }
}

fn identity() -> Identity {
    Identity {
        task_id: "task-1".to_owned(),
        context_id: "context-1".to_owned(),
        tenant: String::new(),
        agent: "test".to_owned(),
        plugin_digest: "0".repeat(64),
        accepted_output_modes: Vec::new(),
    }
}

impl Host {
    /// A host whose client sends `hello` and nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// The message that begins the task.
    #[must_use]
    pub fn message(mut self, content: impl IntoParts) -> Self {
        self.input = Message::new("message-1", content);
        self
    }

    /// The answer to the next question that has none yet. A question without an answer ends the run
    /// as [`End::Waiting`].
    #[must_use]
    pub fn answer(mut self, content: impl IntoParts) -> Self {
        let id = format!("answer-{}", self.answers.len() + 1);
        self.answers.push_back(Message::new(id, content));
        self
    }

    /// A message that the client adds once the worker made `calls` calls.
    #[must_use]
    pub fn follow_up_after(mut self, calls: usize, content: impl IntoParts) -> Self {
        let id = format!("follow-up-{}", self.follow_ups.len() + 1);
        self.follow_ups
            .push_back((calls, Message::new(id, content)));
        self
    }

    /// The operator's configuration, a JSON object.
    #[must_use]
    pub fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Whose task it is.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.identity.tenant = tenant.into();
        self
    }

    /// The client asks to cancel just before this call. From then on questions are refused; reports
    /// still pass, so that a worker can tell how it cleaned up.
    #[must_use]
    pub fn cancel_at_call(mut self, call: usize) -> Self {
        self.cancel_at_call = Some(call);
        self
    }

    /// Refuses this call and every later one, as at an operator's limit.
    #[must_use]
    pub fn refuse_from_call(mut self, call: usize, error: OpError) -> Self {
        self.refusal = Some((call, error));
        self
    }

    /// Stops the worker right after this many events and starts it again with them in the log.
    /// The test fails if the worker does not repeat them exactly.
    #[must_use]
    pub fn crash_after(mut self, events: usize) -> Self {
        self.crash_after = Some(events);
        self
    }

    /// Runs a worker by this script. A panic of the worker is passed on to the test.
    pub fn run<W: Worker>(mut self) -> Run {
        let mut log = Vec::new();
        loop {
            let recorder = Rc::new(Recorder::new(self.clone(), log));
            match attempt::<W>(&recorder) {
                Ok(ended) => return recorder.into_run(ended.into()),
                Err(Stop::Suspended) => return recorder.into_run(End::Waiting),
                Err(Stop::Crashed) => log = recorder.events(),
            }
            self.crash_after = None;
        }
    }

    /// Runs a worker once undisturbed, then once more for each of its events with a crash after it,
    /// and gives the undisturbed run.
    ///
    /// # Panics
    /// When a crash makes any difference.
    pub fn run_with_crashes<W: Worker>(self) -> Run {
        let undisturbed = self.clone().run::<W>();
        for events in 1..=undisturbed.events.len() {
            let crashed = self.clone().crash_after(events).run::<W>();
            assert_eq!(
                crashed, undisturbed,
                "a crash after {events} events makes a difference"
            );
        }
        undisturbed
    }
}

fn attempt<W: Worker>(recorder: &Rc<Recorder>) -> Result<Result<Outcome, Error>, Stop> {
    let task = Task::new(Rc::clone(recorder) as _);
    let input = recorder.input();
    catch_unwind(AssertUnwindSafe(|| W::run(&task, input))).map_err(stop_or_panic)
}

/// The real host drops a worker that must stop; the closest thing in a test is to unwind it.
fn stop_or_panic(payload: Box<dyn Any + Send>) -> Stop {
    match payload.downcast::<Stop>() {
        Ok(stop) => *stop,
        Err(panic) => resume_unwind(panic),
    }
}

impl From<Result<Outcome, Error>> for End {
    fn from(ended: Result<Outcome, Error>) -> Self {
        match ended {
            Ok(outcome) => Self::Finished(outcome),
            Err(error) => Self::Failed(error),
        }
    }
}

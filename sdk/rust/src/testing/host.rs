//! The script of a test: what the client sends, what the outside world answers, and what goes wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Value;

use super::agents::{Agent, scripted_agent, worker_agent};
use super::reply::json;
use super::{Reply, Run, SentRequest, Store};
use crate::context::EarlierTask;
use crate::millis::{self, Millis};
use crate::state::Scope;
use crate::{ChildEnd, Identity, IntoParts, Message, OpError, Worker};

/// A host that follows a script.
///
/// Its time is virtual: sleeping, and replies that take long, cost no time in the test.
///
/// Calls are counted from 1: everything that reports, asks, waits, looks for messages or for a cancel,
/// sends requests, starts children, reads earlier tasks, or uses state and memos. What is only computed, such as the identity,
/// the configuration, the clock, timers and opening an artifact, does not count, nor does logging. Some
/// functions of the SDK are several calls: `select` waits, then takes.
#[derive(Clone)]
pub struct Host {
    pub(super) input: Message,
    pub(super) identity: Identity,
    pub(super) config: Value,
    pub(super) starts_at: Millis,
    pub(super) answers: Vec<(Millis, Message)>,
    pub(super) follow_ups: Vec<(When, Message)>,
    pub(super) cancel: Option<When>,
    pub(super) refusal: Option<(usize, OpError)>,
    pub(super) routes: Vec<Route>,
    pub(super) agents: BTreeMap<String, Agent>,
    /// The agents of the tasks above this one.
    pub(super) lineage: Vec<String>,
    pub(super) earlier: Vec<EarlierTask>,
    pub(super) referred: Vec<EarlierTask>,
    pub(super) stored: Vec<(Scope, String, Vec<u8>)>,
    pub(super) store: Option<Store>,
    pub(super) continue_after: Option<usize>,
    pub(super) crash: Option<Crash>,
    pub(super) on_interruption: Option<Check>,
}

/// Checks a run.
type Check = Rc<dyn Fn(&Run)>;
/// Answers a request, or leaves it to others.
type Responder = Rc<dyn Fn(&SentRequest) -> Option<Reply>>;

/// When the client does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Once the worker made so many calls.
    Calls(usize),
    /// So many milliseconds after the task began.
    After(Millis),
}

/// Where to crash: at a log entry, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    Before(usize),
    After(usize),
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(entry) => write!(f, "before entry {entry}"),
            Self::After(entry) => write!(f, "after entry {entry}"),
        }
    }
}

/// Who answers requests.
#[derive(Clone)]
pub(super) enum Route {
    /// The replies to what matches the pattern, in order; the last one repeats.
    Pattern(String, Vec<Reply>),
    Function(Responder),
}

impl Default for Host {
    fn default() -> Self {
        Self {
            input: Message::new("message-1", "hello"),
            identity: identity(),
            config: Value::Object(serde_json::Map::new()),
            starts_at: 0,
            answers: Vec::new(),
            follow_ups: Vec::new(),
            cancel: None,
            refusal: None,
            routes: Vec::new(),
            agents: BTreeMap::new(),
            lineage: Vec::new(),
            earlier: Vec::new(),
            referred: Vec::new(),
            stored: Vec::new(),
            store: None,
            continue_after: None,
            crash: None,
            on_interruption: None,
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
        parent_task: None,
    }
}

/// What the client does.
impl Host {
    /// A host whose client sends `hello` and nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// The message that begins the task.
    #[must_use]
    pub fn message(mut self, content: impl IntoParts) -> Self {
        self.input.parts = content.into_parts();
        self
    }

    /// The metadata of the message that begins the task: a JSON object.
    #[must_use]
    pub fn metadata(mut self, metadata: &Value) -> Self {
        self.input.metadata = Some(metadata.to_string());
        self
    }

    /// The answer to the next question that has none yet, at once. A worker that waits for an answer that
    /// is not there ends the run as [`End::Waiting`](super::End::Waiting).
    #[must_use]
    pub fn answer(self, content: impl IntoParts) -> Self {
        self.answer_after(Duration::ZERO, content)
    }

    /// The answer to the next question that has none yet; it comes when `span` has passed since the
    /// question.
    #[must_use]
    pub fn answer_after(mut self, span: Duration, content: impl IntoParts) -> Self {
        let id = format!("answer-{}", self.answers.len() + 1);
        let answer = Message::new(id, content);
        self.answers.push((millis::of_span(span), answer));
        self
    }

    /// A message that the client adds once the worker made `calls` calls.
    #[must_use]
    pub fn follow_up_after(self, calls: usize, content: impl IntoParts) -> Self {
        self.follow_up(When::Calls(calls), content)
    }

    /// A message that the client adds when `span` has passed since the task began.
    #[must_use]
    pub fn follow_up_at(self, span: Duration, content: impl IntoParts) -> Self {
        self.follow_up(When::After(millis::of_span(span)), content)
    }

    fn follow_up(mut self, when: When, content: impl IntoParts) -> Self {
        let id = format!("follow-up-{}", self.follow_ups.len() + 1);
        self.follow_ups.push((when, Message::new(id, content)));
        self
    }

    /// The client asks to cancel just before this call. The next call that has to wait is told, once; so
    /// is a look for it. From then on questions are refused; everything else passes, so that a worker can
    /// clean up.
    #[must_use]
    pub fn cancel_at_call(mut self, call: usize) -> Self {
        self.cancel = Some(When::Calls(call));
        self
    }

    /// The client asks to cancel when `span` has passed since the task began.
    #[must_use]
    pub fn cancel_at(mut self, span: Duration) -> Self {
        self.cancel = Some(When::After(millis::of_span(span)));
        self
    }
}

/// What the operator set.
impl Host {
    /// The operator's configuration, a JSON object.
    #[must_use]
    pub fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Whose task it is.
    #[must_use]
    pub fn tenant(self, tenant: impl Into<String>) -> Self {
        self.identity(|me| me.tenant = tenant.into())
    }

    /// Changes who and what the task is: `task-1` of `context-1` on the agent `test`, for everybody.
    #[must_use]
    pub fn identity(mut self, change: impl FnOnce(&mut Identity)) -> Self {
        change(&mut self.identity);
        self
    }

    /// When the task begins. In 1970 if not set.
    #[must_use]
    pub fn starts_at(mut self, moment: SystemTime) -> Self {
        self.starts_at = millis::of_moment(moment);
        self
    }

    /// Refuses this call and every later one that can be refused, as at an operator's limit.
    #[must_use]
    pub fn refuse_from_call(mut self, call: usize, error: OpError) -> Self {
        self.refusal = Some((call, error));
        self
    }

    /// Tells the worker that it should continue as new once its log has so many entries. Not at all if
    /// not set.
    #[must_use]
    pub fn suggest_continue_after(mut self, entries: usize) -> Self {
        self.continue_after = Some(entries);
        self
    }
}

/// The outside world.
impl Host {
    /// Answers requests that match `pattern`: a method and a URL, such as `GET https://a.example/x`; a
    /// `*` at the end stands for any rest. Say the same pattern again for the reply to the next such
    /// request; the last reply repeats. The first pattern that matches counts.
    ///
    /// A request that nobody answers is [`OpError::Denied`].
    #[must_use]
    pub fn respond(mut self, pattern: &str, reply: Reply) -> Self {
        for route in &mut self.routes {
            if let Route::Pattern(there, replies) = route
                && there == pattern
            {
                replies.push(reply);
                return self;
            }
        }
        let route = Route::Pattern(pattern.to_owned(), vec![reply]);
        self.routes.push(route);
        self
    }

    /// Answers requests with a function that gives a [`Reply`], or an `Option` of one.
    #[must_use]
    pub fn respond_with<R: Into<Option<Reply>>>(
        mut self,
        reply: impl Fn(&SentRequest) -> R + 'static,
    ) -> Self {
        let function = move |request: &SentRequest| reply(request).into();
        self.routes.push(Route::Function(Rc::new(function)));
        self
    }

    /// The agent of this name, or the remote agent at this address, ends every child at once as the
    /// function says.
    #[must_use]
    pub fn child(self, agent: &str, end: impl Fn(&Message) -> ChildEnd + 'static) -> Self {
        self.slow_child(agent, Duration::ZERO, end)
    }

    /// Like [`child`](Self::child), but each child takes so long.
    #[must_use]
    pub fn slow_child(
        mut self,
        agent: &str,
        span: Duration,
        end: impl Fn(&Message) -> ChildEnd + 'static,
    ) -> Self {
        let script = scripted_agent(millis::of_span(span), end);
        self.agents.insert(agent.to_owned(), script);
        self
    }

    /// Runs a real worker as the agent of this name, with the same outside world.
    #[must_use]
    pub fn agent<W: Worker + 'static>(mut self, name: &str) -> Self {
        self.agents.insert(name.to_owned(), worker_agent::<W>(None));
        self
    }

    /// Runs a real worker as the agent of this name, by a script of its own; the message, the identity
    /// and the time are the parent's to say.
    #[must_use]
    pub fn agent_with<W: Worker + 'static>(mut self, name: &str, host: Self) -> Self {
        let script = worker_agent::<W>(Some(host));
        self.agents.insert(name.to_owned(), script);
        self
    }

    /// An earlier task of the conversation. Name the one that changed last first.
    #[must_use]
    pub fn earlier(mut self, task: EarlierTask) -> Self {
        self.earlier.push(task);
        self
    }

    /// A task of another conversation that the client refers to in the message that begins the task.
    #[must_use]
    pub fn refer_to(mut self, task: EarlierTask) -> Self {
        let id = task.summary.id.clone();
        self.input.reference_task_ids.push(id);
        self.referred.push(task);
        self
    }

    /// What is stored before the task begins, in the scope that the task will see.
    ///
    /// # Panics
    /// When `value` has no JSON form.
    #[must_use]
    pub fn state(mut self, scope: Scope, key: &str, value: impl Serialize) -> Self {
        self.stored.push((scope, key.to_owned(), json(&value)));
        self
    }

    /// Keeps state where other runs find it. If not set, each run begins with nothing but
    /// [`state`](Self::state).
    #[must_use]
    pub fn store(mut self, store: &Store) -> Self {
        self.store = Some(store.clone());
        self
    }
}

/// What goes wrong.
impl Host {
    /// Stops the worker right before this entry of its log is written, counted from 1, and starts it
    /// again with the entries before it. The test fails if the worker does not repeat them exactly.
    #[must_use]
    pub fn crash_before(mut self, entry: usize) -> Self {
        self.crash = Some(Crash::Before(entry));
        self
    }

    /// Stops the worker right after this entry of its log is written, counted from 1, and starts it
    /// again. The test fails if the worker does not repeat the entries exactly.
    #[must_use]
    pub fn crash_after(mut self, entry: usize) -> Self {
        self.crash = Some(Crash::After(entry));
        self
    }

    /// What [`run_with_crashes`](Self::run_with_crashes) checks of a run whose crash hit a stream, or a
    /// request that is sent at most once. The worker was told `interrupted`, so it may do something else
    /// than undisturbed; without this, it must not.
    #[must_use]
    pub fn on_interruption(mut self, check: impl Fn(&Run) + 'static) -> Self {
        self.on_interruption = Some(Rc::new(check));
        self
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("input", &self.input)
            .field("identity", &self.identity)
            .field("config", &self.config)
            .field("crash", &self.crash)
            .finish_non_exhaustive()
    }
}

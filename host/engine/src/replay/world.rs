//! A world for tests: the log of one task in memory, time that passes at once, a network and children
//! that follow a script, and a crash at any entry.
//!
//! The log is kept by the real rules (`decide`), so a task cannot do here what it cannot do on a host.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use taskyard_broker::Error;
use taskyard_clock::Clock;
use taskyard_outbound::Request;
use taskyard_task::decide::{Breakdown, NewTask, RetryPolicy, Rules, submit};
use taskyard_task::entry::REPLAY_CONTRACT;
use taskyard_task::fold::ArtifactView;
use taskyard_task::http::{HttpError, HttpHead, HttpHeader, HttpResponse};
use taskyard_task::{
    ArtifactSpec, ChildCall, ChildEnd, ContextCall, ContextResult, Decision, Digest, EarlierTask,
    Entry, Event, Header, Input, InputKind, Letter, Message, News, Part, Partition, Phase,
    RunLimits, Seq, StateCall, StateResult, StateScope, Stored, Submission, TaskId, TaskState,
    TaskSummary, Tenant, Ticket, Timestamp, Utterance, decide,
};

use super::log::{Body, ChildBegun, Network, Page, TaskLog};

pub(crate) const BEGAN: Timestamp = Timestamp(1_000_000);

const RULES: Rules = Rules {
    retry: RetryPolicy {
        max_attempts: 5,
        initial_ms: 10,
        factor: 1.0,
        max_ms: 10,
        jitter: 0.0,
    },
};
/// How often everybody else gets a turn before time passes.
const TURNS: usize = 64;

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Right before this entry is durable.
    Before(Seq),
    /// Right after it.
    After(Seq),
    /// Right before so many entries that the worker caused are durable.
    BeforeStep(usize),
}

/// What the network answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// How long it takes, in milliseconds.
    pub(crate) after_ms: u64,
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: Vec<HttpHeader>,
    /// The body, piece by piece, each after so many milliseconds.
    pub(crate) pieces: Vec<(u64, Vec<u8>)>,
}

impl Reply {
    pub(crate) fn text(after_ms: u64, text: impl Into<Vec<u8>>) -> Self {
        Self {
            after_ms,
            status: 200,
            headers: Vec::new(),
            pieces: vec![(0, text.into())],
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(HttpHeader {
            name: name.to_owned(),
            value: value.as_bytes().to_vec(),
        });
        self
    }

    fn head(&self) -> HttpHead {
        HttpHead {
            status: self.status,
            headers: self.headers.clone(),
        }
    }
}

/// A request that left the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sent {
    pub(crate) url: String,
    pub(crate) key: Option<String>,
    pub(crate) body: Vec<u8>,
}

type NetworkScript = dyn Fn(&Request) -> Result<Reply, HttpError> + Send + Sync;
type ChildScript = dyn Fn(&ChildCall) -> (u64, ChildEnd) + Send + Sync;

/// What happens to the task from outside.
pub(crate) struct Script {
    /// What the network answers.
    pub(crate) network: Box<NetworkScript>,
    /// How children end, and after how many milliseconds.
    pub(crate) children: Box<ChildScript>,
    /// The answers to questions, each so many milliseconds after it was asked.
    pub(crate) answers: Vec<(u64, String)>,
    /// Messages, each so many milliseconds after the task began.
    pub(crate) messages: Vec<(u64, String)>,
    /// Whether an operator answers, out of band, and not the client.
    pub(crate) answers_out_of_band: bool,
    /// The earlier tasks of the conversation.
    pub(crate) earlier: Vec<EarlierTask>,
    /// When the client cancels.
    pub(crate) cancel_at_ms: Option<u64>,
    /// The message that begins the task.
    pub(crate) input: String,
    /// Its media type.
    pub(crate) input_type: Option<String>,
    /// The agent's configuration.
    pub(crate) config: String,
    /// The limits.
    pub(crate) limits: RunLimits,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            network: Box::new(|_| Err(HttpError::Failed("nobody is there".to_owned()))),
            children: Box::new(|_| (0, ChildEnd::failed("nobody is there"))),
            answers: Vec::new(),
            messages: Vec::new(),
            answers_out_of_band: false,
            earlier: Vec::new(),
            cancel_at_ms: None,
            input: "begin".to_owned(),
            input_type: None,
            config: "{}".to_owned(),
            limits: RunLimits::default(),
        }
    }
}

/// The world of one task.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    state: Arc<Mutex<State>>,
    script: Arc<Script>,
    keys: Arc<AtomicU64>,
    /// The run whose world this is; the current one if it is nobody's.
    attempt: Option<u32>,
}

struct State {
    header: Header,
    log: Vec<(Seq, Entry)>,
    /// What will happen, by moment.
    future: BTreeMap<(Timestamp, u64), Input>,
    planned: u64,
    questions: usize,
    kv: BTreeMap<(u8, String), Stored>,
    earlier: Vec<EarlierTask>,
    sleepers: Vec<(Timestamp, Waker)>,
    watchers: Vec<Waker>,
    sent: Vec<Sent>,
    slept: Vec<Duration>,
    crash: Option<Crash>,
    crashed: bool,
}

impl World {
    pub(crate) fn new(script: Script) -> Self {
        let clock = Clock::simulated(BEGAN);
        let submitted = submit(BEGAN, new_task(&script));
        let log = entries(&submitted);
        let mut state = State {
            header: submitted.header,
            log,
            future: BTreeMap::new(),
            planned: 0,
            questions: 0,
            kv: BTreeMap::new(),
            earlier: script.earlier.clone(),
            sleepers: Vec::new(),
            watchers: Vec::new(),
            sent: Vec::new(),
            slept: Vec::new(),
            crash: None,
            crashed: false,
        };
        for (after_ms, text) in &script.messages {
            state.plan(BEGAN.plus_millis(*after_ms), received(text));
        }
        if let Some(after_ms) = script.cancel_at_ms {
            state.plan(BEGAN.plus_millis(after_ms), Input::Cancel);
        }
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
            script: Arc::new(script),
            keys: Arc::default(),
            attempt: None,
        }
    }

    /// The world of a task that was recorded. Nothing happens in it.
    pub(crate) fn recorded(header: Header, log: Vec<(Seq, Entry)>) -> Self {
        let world = Self::new(Script::default());
        {
            let mut state = world.state();
            (state.header, state.log) = (header, log);
        }
        world
    }

    /// The world as the run with this header sees it.
    pub(crate) fn of_run(&self, header: &Header) -> Self {
        Self {
            attempt: Some(header.attempt),
            ..self.clone()
        }
    }

    /// Kills the process there, once.
    pub(crate) fn crash_at(&self, crash: Crash) {
        self.state().crash = Some(crash);
    }

    /// A new process: begins the next run.
    pub(crate) fn lease(&self) -> Header {
        self.revive();
        self.apply(Input::Start).expect("the task can run");
        self.header()
    }

    /// A new process, unless it dies at once.
    pub(crate) fn lease_or_die(&self) -> Option<Header> {
        self.revive();
        self.apply(Input::Start).ok()?;
        Some(self.header())
    }

    fn revive(&self) {
        let mut state = self.state();
        state.crashed = false;
        state.sleepers.clear();
        state.watchers.clear();
    }

    /// Whether the process died, or the task needs none any more.
    pub(crate) fn is_dead_or_over(&self) -> bool {
        self.state().crashed || is_over(&self.header())
    }

    pub(crate) fn header(&self) -> Header {
        self.state().header.clone()
    }

    pub(crate) fn log(&self) -> Vec<(Seq, Entry)> {
        self.state().log.clone()
    }

    /// What the worker caused.
    pub(crate) fn journaled(&self) -> Vec<Event> {
        let log = self.log();
        let events = log.into_iter().map(|(_, entry)| entry.event);
        events.filter(Event::is_journaled).collect()
    }

    /// What left the sandbox.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.state().sent.clone()
    }

    /// How long runs waited.
    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.state().slept.clone()
    }

    /// What clients can see.
    pub(crate) fn visible(&self) -> Vec<Event> {
        let log = self.log();
        let events = log.into_iter().map(|(_, entry)| entry.event);
        events.filter(Event::is_visible).collect()
    }

    /// Makes another beginning of it.
    pub(crate) fn change_submission(&self, change: impl FnOnce(&mut Submission)) {
        let mut state = self.state();
        if let Some((_, entry)) = state.log.first_mut()
            && let Event::Submitted(submission) = &mut entry.event
        {
            change(submission);
        }
    }

    pub(crate) fn receive(&self, text: &str) -> Seq {
        self.apply(received(text)).expect("the message is taken");
        self.header().last_received
    }

    /// An operator answers what the task asks.
    pub(crate) fn provide(&self, text: &str) {
        let message = message(text);
        self.apply(Input::Provide { message })
            .expect("the task asks something");
    }

    pub(crate) fn cancel(&self) {
        self.apply(Input::Cancel).expect("the task can be canceled");
    }

    pub(crate) fn pass(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
        self.happen();
    }

    /// Tells how a run ended.
    pub(crate) fn settle(&self, outcome: taskyard_task::decide::Outcome) {
        let attempt = self.header().attempt;
        let settle = Input::Settle {
            attempt,
            outcome,
            jitter: 0,
        };
        // A crash may have come first.
        let _ = self.apply(settle);
    }

    /// The task stands still.
    pub(crate) fn stand_still(&self) {
        let position = self.header().last;
        self.settle(taskyard_task::decide::Outcome::Parked(Breakdown {
            code: "test".to_owned(),
            reason: "the test says so".to_owned(),
            position,
            backtrace: None,
        }));
    }

    /// An operator sends the task back.
    pub(crate) fn send_back(&self, to: Seq) {
        self.apply(Input::Rewind { to })
            .expect("the task is parked");
    }

    /// Resolves when the process died.
    pub(crate) fn crashed(&self) -> impl Future<Output = ()> + use<> {
        let world = self.clone();
        std::future::poll_fn(move |context| {
            let mut state = world.state();
            if state.crashed {
                return Poll::Ready(());
            }
            state.watchers.push(context.waker().clone());
            Poll::Pending
        })
    }

    /// Lets time pass whenever everybody waits.
    pub(crate) async fn pass_time(&self) {
        loop {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            self.skip_to_next();
        }
    }

    /// Lets time pass until the task is in line again; false if that never happens.
    pub(crate) fn until_runnable(&self) -> bool {
        for _ in 0..1_000 {
            self.revive();
            let header = self.header();
            if header.phase.has_work() {
                return true;
            }
            let next = self.state().next_moment();
            let due = header.timer().filter(|due| *due < header.deadline);
            let moment = match (next, due) {
                (Some(next), Some(due)) => next.min(due),
                (Some(moment), None) | (None, Some(moment)) => moment,
                (None, None) => return false,
            };
            self.go_to(moment);
            if due == Some(moment) {
                let _ = self.apply(Input::Due);
            }
        }
        false
    }

    fn skip_to_next(&self) {
        let moment = {
            let state = self.state();
            let sleeper = state.sleepers.iter().map(|(due, _)| *due).min();
            match (state.next_moment(), sleeper) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }
        };
        if let Some(moment) = moment {
            self.go_to(moment);
        }
    }

    fn go_to(&self, moment: Timestamp) {
        let millis = moment.millis_since(self.clock.now());
        self.clock.advance(Duration::from_millis(millis));
        self.happen();
    }

    /// Does what is due.
    fn happen(&self) {
        let now = self.clock.now();
        loop {
            let next = {
                let mut state = self.state();
                match state.future.first_entry() {
                    Some(entry) if entry.key().0 <= now => Some(entry.remove()),
                    _ => None,
                }
            };
            let Some(input) = next else { break };
            let (again, before) = (input.clone(), self.header().last);
            let dead = self.apply(input).is_err() && self.state().crashed;
            if dead {
                // What a dead process did not take is sent again to the next one.
                if self.header().last == before {
                    self.state().plan(now, again);
                }
                break;
            }
            if let (Input::Provide { message }, true) = (again, self.header().last == before) {
                // The task showed no question at that moment: the client answers.
                let answer = Input::Message {
                    message,
                    push: None,
                    remember: None,
                };
                self.state().plan(now, answer);
            }
        }
        let mut state = self.state();
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut state.sleepers)
            .into_iter()
            .partition(|(moment, _)| *moment <= now);
        state.sleepers = later;
        drop(state);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// The one write path.
    fn apply(&self, input: Input) -> Result<(Seq, Timestamp), Error> {
        let now = self.clock.now();
        let mut state = self.state();
        state.admit()?;
        let decision = decide(&RULES, now, &state.header, input)?;
        let entries = entries(&decision);
        let log = &state.log;
        let at_crash = |crash: Crash| {
            let at = |seq| entries.iter().any(|(entry, _)| *entry == seq);
            match crash {
                Crash::Before(seq) => at(seq).then_some(false),
                Crash::After(seq) => at(seq).then_some(true),
                Crash::BeforeStep(steps) => {
                    let is_step = |(_, entry): &&(Seq, Entry)| entry.event.is_journaled();
                    let done = log.iter().filter(is_step).count();
                    let doing = entries.iter().filter(is_step).count();
                    (doing > 0 && done + doing >= steps).then_some(false)
                }
            }
        };
        let crashes = state.crash.and_then(at_crash);
        if crashes != Some(false) {
            let task = state.header.id;
            for (_, entry) in &entries {
                state.follow(&self.script, task, entry);
            }
            state.header = decision.header;
            state.log.extend(entries);
        }
        if crashes.is_some() {
            state.crash = None;
            state.crashed = true;
        }
        let last = state.header.last;
        let watchers = std::mem::take(&mut state.watchers);
        let dead = state.crashed;
        drop(state);
        watchers.into_iter().for_each(Waker::wake);
        if dead {
            return Err(Error::Unavailable("the process died".to_owned()));
        }
        Ok((last, now))
    }

    fn write(&self, event: Event) -> Result<(Seq, Timestamp), Error> {
        let attempt = self.attempt.unwrap_or(self.header().attempt);
        self.apply(Input::Record { attempt, event })
    }

    fn keep(&self, call: &StateCall) -> StateResult {
        let mut state = self.state();
        let place = |scope: StateScope| scope as u8;
        match call {
            StateCall::Get { scope, key } => {
                StateResult::Found(state.kv.get(&(place(*scope), key.clone())).cloned())
            }
            StateCall::Put {
                scope,
                key,
                value,
                expected,
                ..
            } => {
                let id = (place(*scope), key.clone());
                let there = state.kv.get(&id).cloned();
                let version = there.as_ref().map(|stored| stored.version);
                if !expected.allows(version) {
                    return StateResult::Stale(there);
                }
                let Some(value) = value else {
                    state.kv.remove(&id);
                    return StateResult::Written(0);
                };
                let version = version.unwrap_or_default() + 1;
                let stored = Stored {
                    value: value.to_vec(),
                    version,
                    expires_at: None,
                };
                state.kv.insert(id, stored);
                StateResult::Written(version)
            }
            StateCall::Keys { scope, prefix, .. } => {
                let keys = state.kv.keys();
                let keys = keys.filter(|(of, key)| *of == place(*scope) && key.starts_with(prefix));
                StateResult::Keys(keys.map(|(_, key)| key.clone()).collect())
            }
        }
    }

    /// One more earlier task.
    pub(crate) fn add_earlier(&self, task: EarlierTask) {
        self.state().earlier.push(task);
    }

    /// From here on, there are no earlier tasks.
    pub(crate) fn forget_earlier(&self) {
        self.state().earlier.clear();
    }

    fn look_up(&self, call: &ContextCall, _referred: bool) -> ContextResult {
        let state = self.state();
        match call {
            ContextCall::List { limit } => {
                let tasks = state.earlier.iter().take(*limit as usize);
                ContextResult::Tasks(tasks.map(|it| it.summary.clone()).collect())
            }
            ContextCall::Read { task } => {
                let found = state.earlier.iter().find(|it| it.summary.id == *task);
                found.map_or(ContextResult::Unknown, |it| {
                    ContextResult::Task(Box::new(it.clone()))
                })
            }
        }
    }

    async fn wait(&self, span: Duration) {
        let millis = u64::try_from(span.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let due = self.clock.now().plus_millis(millis);
        let world = self.clone();
        std::future::poll_fn(move |context| {
            if world.clock.now() >= due {
                return Poll::Ready(());
            }
            let mut state = world.state();
            state.sleepers.push((due, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, request: &Request) -> Result<Reply, HttpError> {
        self.state().sent.push(Sent {
            url: request.url.clone(),
            key: request.idempotency_key.clone(),
            body: request.body.to_vec(),
        });
        (self.script.network)(request)
    }
}

impl State {
    fn plan(&mut self, at: Timestamp, input: Input) {
        self.planned += 1;
        self.future.insert((at, self.planned), input);
    }

    /// What an entry causes outside: answers, ends of children.
    fn follow(&mut self, script: &Script, task: TaskId, entry: &Entry) {
        match &entry.event {
            Event::Asked { .. } => {
                let answer = script.answers.get(self.questions);
                self.questions += 1;
                if let Some((after_ms, text)) = answer {
                    let said = match script.answers_out_of_band {
                        true => Input::Provide {
                            message: message(text),
                        },
                        false => received(text),
                    };
                    self.plan(entry.at.plus_millis(*after_ms), said);
                }
            }
            Event::ChildStarted {
                ticket,
                call,
                begun: Ok(Some(child)),
            } => {
                let (after_ms, end) = (script.children)(call);
                let letter = Letter {
                    to: task,
                    from: *child,
                    ticket: *ticket,
                    news: News::ChildEnded,
                };
                let end = Some(Box::new(end));
                self.plan(
                    entry.at.plus_millis(after_ms),
                    Input::Letter { letter, end },
                );
            }
            _ => {}
        }
    }

    fn next_moment(&self) -> Option<Timestamp> {
        self.future.keys().next().map(|(moment, _)| *moment)
    }

    fn admit(&self) -> Result<(), Error> {
        if self.crashed {
            return Err(Error::Unavailable("the process died".to_owned()));
        }
        Ok(())
    }
}

impl TaskLog for World {
    fn journal(&self, after: Seq, most: usize) -> BoxFuture<'_, Result<Page, Error>> {
        let log = self.log();
        let behind = log.into_iter().filter(move |(seq, _)| *seq > after);
        let page: Page = behind.take(most).collect();
        async { Ok(page) }.boxed()
    }

    fn entry(&self, seq: Seq) -> BoxFuture<'_, Result<Option<Entry>, Error>> {
        let found = self.log().into_iter().find(|(found, _)| *found == seq);
        async { Ok(found.map(|(_, entry)| entry)) }.boxed()
    }

    fn record(&self, event: Event) -> BoxFuture<'_, Result<(Seq, Timestamp), Error>> {
        async move { self.write(event) }.boxed()
    }

    fn start_child(
        &self,
        ticket: Ticket,
        call: ChildCall,
        _: Vec<taskyard_task::AgentName>,
    ) -> BoxFuture<'_, Result<ChildBegun, Error>> {
        async move {
            let child = TaskId::new(
                uuid::Uuid::from_u128(ticket.0.into()),
                Partition::of_hash(1),
            );
            let (seq, at) = self.write(Event::ChildStarted {
                ticket,
                call: Box::new(call),
                begun: Ok(Some(child)),
            })?;
            Ok((seq, at, Ok(Some(child))))
        }
        .boxed()
    }

    fn state(
        &self,
        call: StateCall,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp, StateResult), Error>> {
        async move {
            self.state().admit()?;
            let before = self.state().kv.clone();
            let result = self.keep(&call);
            let written = self.write(Event::State {
                call: Box::new(call),
                result: result.clone(),
            });
            let kept = self.log().last().is_some_and(|(_, entry)| {
                matches!(&entry.event, Event::State { result: logged, .. } if *logged == result)
            });
            if written.is_err() && !kept {
                self.state().kv = before;
            }
            let (seq, at) = written?;
            Ok((seq, at, result))
        }
        .boxed()
    }

    fn context(
        &self,
        call: ContextCall,
        referred: bool,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp, ContextResult), Error>> {
        async move {
            let result = self.look_up(&call, referred);
            let (seq, at) = self.write(Event::ContextRead {
                call: Box::new(call),
                result: Box::new(result.clone()),
            })?;
            Ok((seq, at, result))
        }
        .boxed()
    }

    fn withdraw(
        &self,
        ticket: Ticket,
        asking: Option<InputKind>,
    ) -> BoxFuture<'_, Result<(Seq, Timestamp), Error>> {
        async move {
            let attempt = self.attempt.unwrap_or(self.header().attempt);
            let seq = self.header().last.next();
            let (_, at) = self.apply(Input::Withdraw {
                attempt,
                ticket,
                asking,
            })?;
            Ok((seq, at))
        }
        .boxed()
    }

    fn durable(&self) -> BoxFuture<'static, Result<(), Error>> {
        let admitted = self.state().admit();
        async { admitted }.boxed()
    }

    fn cancel_requested(&self) -> bool {
        self.header().cancel_requested
    }

    fn outside_after(&self, seq: Seq) -> BoxFuture<'_, Result<Option<(Seq, Entry)>, Error>> {
        let log = self.log();
        let mut behind = log.into_iter().filter(move |(entry, _)| *entry > seq);
        let found = behind.find(|(_, entry)| entry.event.is_from_outside());
        async { Ok(found) }.boxed()
    }

    fn outside_grew(&self, seq: Seq) -> BoxFuture<'_, ()> {
        std::future::poll_fn(move |context| {
            let mut state = self.state();
            if state.header.last_outside > seq {
                return Poll::Ready(());
            }
            state.watchers.push(context.waker().clone());
            Poll::Pending
        })
        .boxed()
    }

    fn suspend(
        &self,
        until: Option<Timestamp>,
        seen: Seq,
        asking: Option<InputKind>,
        told: u64,
    ) -> BoxFuture<'_, Result<(), Error>> {
        async move {
            let attempt = self.header().attempt;
            self.apply(Input::Suspend {
                attempt,
                until,
                seen,
                asking,
                told,
            })?;
            Ok(())
        }
        .boxed()
    }

    fn is_wanted(&self) -> bool {
        false
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'_, ()> {
        async move {
            self.wait(span).await;
            let millis = span.as_nanos().div_ceil(1_000_000);
            let millis = u64::try_from(millis).unwrap_or(u64::MAX);
            self.state().slept.push(Duration::from_millis(millis));
        }
        .boxed()
    }
}

impl Network for World {
    fn fetch(&self, request: Request) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
        let world = self.clone();
        async move {
            let reply = world.send(&request)?;
            world.wait(Duration::from_millis(reply.after_ms)).await;
            let head = reply.head();
            let mut body = Vec::new();
            for (after_ms, piece) in reply.pieces {
                world.wait(Duration::from_millis(after_ms)).await;
                body.extend(piece);
            }
            Ok(HttpResponse { head, body })
        }
        .boxed()
    }

    fn stream(&self, request: Request) -> BoxFuture<'static, Result<(HttpHead, Body), HttpError>> {
        let world = self.clone();
        async move {
            let reply = world.send(&request)?;
            world.wait(Duration::from_millis(reply.after_ms)).await;
            let head = reply.head();
            let pieces = futures::stream::iter(reply.pieces);
            let body = pieces.then(move |(after_ms, piece)| {
                let world = world.clone();
                async move {
                    world.wait(Duration::from_millis(after_ms)).await;
                    Ok(bytes::Bytes::from(piece))
                }
            });
            Ok((head, body.boxed()))
        }
        .boxed()
    }

    fn new_key(&self) -> String {
        let number = self.keys.fetch_add(1, Ordering::Relaxed) + 1;
        format!("key-{number}")
    }
}

fn entries(decision: &Decision) -> Vec<(Seq, Entry)> {
    let entries = decision.entries();
    entries
        .map(|(seq, entry)| (seq, read_back(entry)))
        .collect()
}

/// An entry as a replay finds it: a host writes its log to the disk and reads it again.
fn read_back(entry: &Entry) -> Entry {
    let written = serde_json::to_vec(entry).expect("an entry can be written");
    serde_json::from_slice(&written).expect("what was written can be read")
}

fn received(text: &str) -> Input {
    Input::Message {
        message: message(text),
        push: None,
        remember: None,
    }
}

pub(crate) fn message(text: &str) -> Message {
    Message {
        id: text.to_owned(),
        parts: vec![Part::text(text)],
        metadata: None,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    }
}

/// The id of an earlier task.
pub(crate) fn earlier_id(number: u128) -> TaskId {
    // The low bits are the partition's.
    TaskId::new(uuid::Uuid::from_u128(number << 8), Partition::of_hash(2))
}

/// An earlier task that this text began, and that kept it as a note.
pub(crate) fn earlier(number: u128, text: &str) -> EarlierTask {
    let spec = ArtifactSpec {
        id: "note".to_owned(),
        name: None,
        description: None,
        metadata: None,
    };
    EarlierTask {
        summary: TaskSummary {
            id: earlier_id(number),
            state: TaskState::Completed,
            created_at: BEGAN,
            status_at: BEGAN,
            request: text.to_owned(),
            status: None,
            artifacts: vec![(spec.id.clone(), None)],
        },
        status: Vec::new(),
        messages: vec![Utterance {
            by_agent: false,
            parts: vec![Part::text(text)],
        }],
        artifacts: vec![ArtifactView {
            spec,
            parts: vec![Part::text(text)],
        }],
        complete: true,
    }
}

fn begin(script: &Script) -> Message {
    let mut begin = message(&script.input);
    for part in &mut begin.parts {
        part.media_type.clone_from(&script.input_type);
    }
    begin
}

fn new_task(script: &Script) -> NewTask {
    NewTask {
        id: TaskId::new(uuid::Uuid::from_u128(7), Partition::of_hash(1)),
        submission: Submission {
            message: begin(script),
            tenant: Tenant::default(),
            agent: "test".parse().expect("a name"),
            context_id: "context".to_owned(),
            digest: Digest::of(b"component"),
            config: script.config.clone(),
            limits: script.limits,
            accepted_output_modes: Vec::new(),
            metadata: None,
            contract: REPLAY_CONTRACT,
            seed: [5; 32],
            parent: None,
            lineage: Vec::new(),
        },
        epoch: 1,
        deadline: BEGAN.plus_millis(10 * 365 * 24 * 3_600_000),
        announced: true,
        priority: taskyard_task::Priority::default(),
        not_before: None,
        push: None,
        remember: None,
    }
}

/// Whether the task is over or stands still.
pub(crate) fn is_over(header: &Header) -> bool {
    matches!(header.phase, Phase::Ended | Phase::Parked)
}

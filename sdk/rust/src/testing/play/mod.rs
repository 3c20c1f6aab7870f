//! Plays the host for one attempt at a task.

mod attempt;
mod checks;
mod context;
mod ending;
mod entry;
mod journal;
mod outside;
mod requests;
mod tickets;
mod wait;

use std::cell::RefCell;

use serde_json::Value;

use self::checks::{check_metadata, check_parts, check_spec, require};
use self::entry::What;
use self::tickets::{Stage, Thing};
use self::wait::invalid;
use super::store::{Expected, StateCall, StateResult};
use super::{Event, LogLine};
use crate::children::{Child, ChildEnd};
use crate::context::{EarlierTask, Summary};
use crate::host::{HostCalls, InputKind, Spec, TicketId};
use crate::http::{Request, Response};
use crate::millis::Millis;
use crate::state::{Area, Stored, Written};
use crate::{Identity, Level, Message, OpError, Part};

pub(super) use self::attempt::Attempt;
pub(super) use self::ending::Next;
pub(super) use self::journal::Stop;

/// Answers the calls of a worker.
pub(super) struct Player(pub(super) RefCell<Attempt>);

impl HostCalls for Player {
    fn identity(&self) -> Identity {
        self.0.borrow().script.identity.clone()
    }

    fn progress(&self, percent: Option<u8>, text: Option<&str>) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        let is_fine = percent.is_none_or(|percent| percent <= 100);
        require(is_fine, "percent is more than 100")?;
        let text = text.map(str::to_owned);
        attempt.event(Event::Progress { percent, text });
        Ok(())
    }

    fn say(&self, parts: Vec<Part>) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        check_parts(&parts)?;
        attempt.event(Event::Said(parts));
        Ok(())
    }

    fn ask(&self, kind: InputKind, prompt: Vec<Part>) -> Result<Message, OpError> {
        let question = self.ask_start(kind, prompt)?;
        self.0.borrow_mut().ask_take(question)
    }

    fn ask_start(&self, kind: InputKind, prompt: Vec<Part>) -> Result<TicketId, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        check_parts(&prompt)?;
        attempt.ask(kind, prompt)
    }

    fn ask_take(&self, question: TicketId) -> Result<Message, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.ask_take(question)
    }

    fn messages(&self) -> TicketId {
        self.0.borrow_mut().tickets.messages()
    }

    fn next_message(&self) -> Result<Option<Message>, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        Ok(attempt.next_message())
    }

    fn cancel_requested(&self) -> bool {
        let mut attempt = self.0.borrow_mut();
        // A refusal does not concern this call: the WIT gives it no error.
        let _ = attempt.call();
        attempt.cancel_requested()
    }

    fn should_continue_as_new(&self) -> bool {
        let attempt = self.0.borrow();
        let most = attempt.script.continue_after;
        most.is_some_and(|most| attempt.journal.length() >= most)
    }

    fn put(&self, spec: Spec, parts: Vec<Part>) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        check_spec(&spec)?;
        check_parts(&parts)?;
        attempt.advance(&spec.id, |_| Ok(Stage::Sealed))?;
        attempt.event(Event::Put { id: spec.id, parts });
        Ok(())
    }

    fn open(&self, spec: Spec) -> Result<(), OpError> {
        check_spec(&spec)?;
        self.0
            .borrow_mut()
            .advance(&spec.id, |content| match content {
                None => Ok(Stage::Opened),
                Some(_) => Err("was opened or put before"),
            })
    }

    fn append(&self, id: &str, chunk: Part) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        check_parts(std::slice::from_ref(&chunk))?;
        attempt.advance(id, |content| match content {
            Some(Stage::Opened | Stage::Growing) => Ok(Stage::Growing),
            _ => Err("is not open"),
        })?;
        let id = id.to_owned();
        attempt.event(Event::Appended { id, chunk });
        Ok(())
    }

    fn close(&self, id: &str) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.advance(id, |content| match content {
            Some(Stage::Growing) => Ok(Stage::Sealed),
            Some(Stage::Opened) => Err("has no chunk yet"),
            _ => Err("is not open"),
        })?;
        attempt.event(Event::Closed { id: id.to_owned() });
        Ok(())
    }

    fn wait_any(&self, tickets: &[TicketId], timeout: Option<Millis>) -> Result<TicketId, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.wait_any(tickets, timeout)
    }

    fn wait_all(&self, tickets: &[TicketId], timeout: Option<Millis>) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.wait_all(tickets, timeout)
    }

    fn timer(&self, span: Millis) -> TicketId {
        let mut attempt = self.0.borrow_mut();
        let due = attempt.now().saturating_add(span);
        attempt.tickets.add(Thing::Timer { due })
    }

    fn timer_at(&self, moment: Millis) -> TicketId {
        let mut attempt = self.0.borrow_mut();
        attempt.tickets.add(Thing::Timer { due: moment })
    }

    fn sleep(&self, span: Millis) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        let moment = attempt.now().saturating_add(span);
        attempt.sleep_until(moment)
    }

    fn sleep_until(&self, moment: Millis) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.sleep_until(moment)
    }

    fn cancel(&self, ticket: TicketId) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.cancel_ticket(ticket)
    }

    fn now(&self) -> Millis {
        self.0.borrow().now()
    }

    fn random(&self) -> u64 {
        self.0.borrow_mut().random()
    }

    fn new_id(&self) -> String {
        let mut attempt = self.0.borrow_mut();
        let (high, low) = (attempt.random(), attempt.random());
        uuid(high, low)
    }

    fn fetch(&self, request: Request) -> Result<Response, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        let ticket = attempt.fetch_start(request, false)?;
        attempt.fetch_take(ticket)
    }

    fn fetch_start(&self, request: Request) -> Result<TicketId, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.fetch_start(request, false)
    }

    fn fetch_take(&self, request: TicketId) -> Result<Response, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.fetch_take(request)
    }

    fn stream_start(&self, request: Request) -> Result<TicketId, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.fetch_start(request, true)
    }

    fn next_piece(&self, stream: TicketId) -> Result<Option<Vec<u8>>, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.next_piece(stream)
    }

    fn state_get(&self, area: Area, key: &str) -> Result<Option<Stored>, OpError> {
        let key = key.to_owned();
        match self.state(StateCall::Get { area, key })? {
            StateResult::Found(stored) => Ok(stored),
            _ => invalid(OTHER_RESULT),
        }
    }

    fn state_put(
        &self,
        area: Area,
        key: &str,
        value: Vec<u8>,
        ttl: Option<Millis>,
    ) -> Result<u64, OpError> {
        let put = StateCall::Put {
            area,
            key: key.to_owned(),
            value: Some(value),
            ttl,
            expected: Expected::Anything,
        };
        match self.state(put)? {
            StateResult::Written(version) => Ok(version),
            _ => invalid(OTHER_RESULT),
        }
    }

    fn state_delete(&self, area: Area, key: &str) -> Result<(), OpError> {
        let delete = StateCall::Put {
            area,
            key: key.to_owned(),
            value: None,
            ttl: None,
            expected: Expected::Anything,
        };
        self.state(delete).map(drop)
    }

    fn state_swap(
        &self,
        area: Area,
        key: &str,
        expected: Option<u64>,
        value: Vec<u8>,
    ) -> Result<Written, OpError> {
        let swap = StateCall::Put {
            area,
            key: key.to_owned(),
            value: Some(value),
            ttl: None,
            expected: Expected::Version(expected),
        };
        match self.state(swap)? {
            StateResult::Written(version) => Ok(Written::Swapped(version)),
            StateResult::Stale(stored) => Ok(Written::Stale(stored)),
            _ => invalid(OTHER_RESULT),
        }
    }

    fn state_keys(
        &self,
        area: Area,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, OpError> {
        let keys = StateCall::Keys {
            area,
            prefix: prefix.to_owned(),
            after: after.map(str::to_owned),
            limit,
        };
        match self.state(keys)? {
            StateResult::Keys(keys) => Ok(keys),
            _ => invalid(OTHER_RESULT),
        }
    }

    fn child_start(&self, child: Child) -> Result<TicketId, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        check_parts(&child.message)?;
        check_metadata(child.metadata.as_deref())?;
        attempt.child_start(child)
    }

    fn child_take(&self, child: TicketId) -> Result<ChildEnd, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.child_take(child)
    }

    fn child_task_id(&self, child: TicketId) -> Result<Option<String>, OpError> {
        match self.0.borrow_mut().tickets.child(child) {
            Some(child) => Ok(child.task_id.clone()),
            None => invalid("the ticket is no child"),
        }
    }

    fn earlier_tasks(&self, limit: u32) -> Result<Vec<Summary>, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.earlier_tasks(limit)
    }

    fn read_task(&self, task: &str) -> Result<EarlierTask, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        attempt.read_task(task)
    }

    fn recall(&self, label: &str, input: u64) -> Option<Vec<u8>> {
        let mut attempt = self.0.borrow_mut();
        // A refusal does not concern this call either.
        let _ = attempt.call();
        attempt.recall(label, input)
    }

    /// Not counted: a replay does not come here, and must count the same.
    fn keep(&self, label: &str, input: u64, value: Vec<u8>) -> Result<(), OpError> {
        let mut attempt = self.0.borrow_mut();
        let is_fine = (1..=128).contains(&label.len());
        require(is_fine, "a label has between 1 and 128 bytes")?;
        let label = label.to_owned();
        attempt.effect(What::Kept {
            label,
            input,
            value,
        });
        Ok(())
    }

    fn config_text(&self, key: &str) -> Option<String> {
        match self.0.borrow().script.config.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    fn config_json(&self) -> String {
        self.0.borrow().script.config.to_string()
    }

    fn log(&self, level: Level, message: &str, fields: Vec<(String, String)>) {
        self.0.borrow_mut().carried.logs.push(LogLine {
            level,
            message: message.to_owned(),
            fields,
        });
    }
}

/// The log never has another kind of result than the call: calls are compared before.
const OTHER_RESULT: &str = "the log has the result of another call";

impl Player {
    fn state(&self, call: StateCall) -> Result<StateResult, OpError> {
        let mut attempt = self.0.borrow_mut();
        attempt.call()?;
        call.check()?;
        Ok(attempt.state(call))
    }
}

impl Attempt {
    /// Reads or writes the state, in one step with the log.
    fn state(&mut self, call: StateCall) -> StateResult {
        let met = self.meet(&What::State {
            call: call.clone(),
            result: StateResult::Written(0),
        });
        if let Some(What::State { result, .. }) = met {
            return result;
        }
        self.journal.about_to_append();
        let result = match &self.script.store {
            Some(store) => store.apply(&self.script.identity, &call, self.now()),
            None => StateResult::Found(None),
        };
        self.append(What::State {
            call,
            result: result.clone(),
        });
        result
    }

    /// What an earlier attempt kept at this place.
    fn recall(&mut self, label: &str, input: u64) -> Option<Vec<u8>> {
        match &self.journal.logged()?.what {
            What::Kept {
                label: kept,
                input: on,
                value,
            } if kept == label && *on == input => {
                let value = value.clone();
                self.pass();
                Some(value)
            }
            _ => None,
        }
    }
}

/// A random UUID.
fn uuid(high: u64, low: u64) -> String {
    let version = high & 0xffff_ffff_ffff_0fff | 0x4000;
    let variant = low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    let (first, second, third) = (version >> 32, version >> 16 & 0xffff, version & 0xffff);
    let (fourth, fifth) = (variant >> 48, variant & 0xffff_ffff_ffff);
    format!("{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{fifth:012x}")
}

//! The real host: every call goes to an import of the component.

use super::bindings::taskyard::worker::{
    artifacts, children, config, context, http, log, memo, state, task, wait,
};
use super::convert::wit_parts;
use crate::children::{Child, ChildEnd};
use crate::context::{EarlierTask, Summary};
use crate::host::{HostCalls, InputKind, Spec, TicketId};
use crate::http::{Request, Response};
use crate::millis::Millis;
use crate::state::{Area, Stored, Written};
use crate::{Identity, Level, Message, OpError, Part};

/// Stateless: the host knows which task this instance runs.
pub(crate) struct Imports;

impl HostCalls for Imports {
    fn identity(&self) -> Identity {
        task::get_identity().into()
    }

    fn progress(&self, percent: Option<u8>, text: Option<&str>) -> Result<(), OpError> {
        Ok(task::progress(percent, text)?)
    }

    fn say(&self, parts: Vec<Part>) -> Result<(), OpError> {
        Ok(task::say(&wit_parts(parts))?)
    }

    fn ask(&self, kind: InputKind, prompt: Vec<Part>) -> Result<Message, OpError> {
        Ok(task::ask(kind.into(), &wit_parts(prompt))?.into())
    }

    fn ask_start(&self, kind: InputKind, prompt: Vec<Part>) -> Result<TicketId, OpError> {
        Ok(task::ask_start(kind.into(), &wit_parts(prompt))?)
    }

    fn ask_take(&self, question: TicketId) -> Result<Message, OpError> {
        Ok(task::ask_take(question)?.into())
    }

    fn messages(&self) -> TicketId {
        task::messages()
    }

    fn next_message(&self) -> Result<Option<Message>, OpError> {
        Ok(task::next_message()?.map(Message::from))
    }

    fn cancel_requested(&self) -> bool {
        task::cancel_requested()
    }

    fn should_continue_as_new(&self) -> bool {
        task::should_continue_as_new()
    }

    fn put(&self, spec: Spec, parts: Vec<Part>) -> Result<(), OpError> {
        Ok(artifacts::put(&spec.into(), &wit_parts(parts))?)
    }

    fn open(&self, spec: Spec) -> Result<(), OpError> {
        Ok(artifacts::open(&spec.into())?)
    }

    fn append(&self, id: &str, chunk: Part) -> Result<(), OpError> {
        Ok(artifacts::append(id, &chunk.into())?)
    }

    fn close(&self, id: &str) -> Result<(), OpError> {
        Ok(artifacts::close(id)?)
    }

    fn wait_any(&self, tickets: &[TicketId], timeout: Option<Millis>) -> Result<TicketId, OpError> {
        Ok(wait::any(tickets, timeout)?)
    }

    fn wait_all(&self, tickets: &[TicketId], timeout: Option<Millis>) -> Result<(), OpError> {
        Ok(wait::all(tickets, timeout)?)
    }

    fn timer(&self, span: Millis) -> TicketId {
        wait::timer(span)
    }

    fn timer_at(&self, moment: Millis) -> TicketId {
        wait::timer_at(moment)
    }

    fn sleep(&self, span: Millis) -> Result<(), OpError> {
        Ok(wait::sleep(span)?)
    }

    fn sleep_until(&self, moment: Millis) -> Result<(), OpError> {
        Ok(wait::sleep_until(moment)?)
    }

    fn cancel(&self, ticket: TicketId) -> Result<(), OpError> {
        Ok(wait::cancel(ticket)?)
    }

    fn now(&self) -> Millis {
        wait::now()
    }

    fn random(&self) -> u64 {
        wait::random_u64()
    }

    fn new_id(&self) -> String {
        wait::new_id()
    }

    fn fetch(&self, request: Request) -> Result<Response, OpError> {
        Ok(http::fetch(&request.into())?.into())
    }

    fn fetch_start(&self, request: Request) -> Result<TicketId, OpError> {
        Ok(http::start(&request.into())?)
    }

    fn fetch_take(&self, request: TicketId) -> Result<Response, OpError> {
        Ok(http::take(request)?.into())
    }

    fn stream_start(&self, request: Request) -> Result<TicketId, OpError> {
        Ok(http::start_stream(&request.into())?)
    }

    fn next_piece(&self, stream: TicketId) -> Result<Option<Vec<u8>>, OpError> {
        Ok(http::next_piece(stream)?)
    }

    fn state_get(&self, area: Area, key: &str) -> Result<Option<Stored>, OpError> {
        Ok(state::get(area.into(), key)?.map(Stored::from))
    }

    fn state_put(
        &self,
        area: Area,
        key: &str,
        value: Vec<u8>,
        ttl: Option<Millis>,
    ) -> Result<u64, OpError> {
        Ok(state::put(area.into(), key, &value, ttl)?)
    }

    fn state_delete(&self, area: Area, key: &str) -> Result<(), OpError> {
        Ok(state::delete(area.into(), key)?)
    }

    fn state_swap(
        &self,
        area: Area,
        key: &str,
        expected: Option<u64>,
        value: Vec<u8>,
    ) -> Result<Written, OpError> {
        Ok(state::swap(area.into(), key, expected, &value, None)?.into())
    }

    fn state_keys(
        &self,
        area: Area,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, OpError> {
        Ok(state::keys(area.into(), prefix, after, limit)?)
    }

    fn child_start(&self, child: Child) -> Result<TicketId, OpError> {
        Ok(children::start(&child.into())?)
    }

    fn child_take(&self, child: TicketId) -> Result<ChildEnd, OpError> {
        Ok(children::take(child)?.into())
    }

    fn child_task_id(&self, child: TicketId) -> Result<Option<String>, OpError> {
        Ok(children::task_id(child)?)
    }

    fn earlier_tasks(&self, limit: u32) -> Result<Vec<Summary>, OpError> {
        let tasks = context::earlier(limit)?;
        Ok(tasks.into_iter().map(Summary::from).collect())
    }

    fn read_task(&self, task: &str) -> Result<EarlierTask, OpError> {
        Ok(context::read(task)?.into())
    }

    fn recall(&self, label: &str, input: u64) -> Option<Vec<u8>> {
        memo::recall(label, input)
    }

    fn keep(&self, label: &str, input: u64, value: Vec<u8>) -> Result<(), OpError> {
        Ok(memo::keep(label, input, &value)?)
    }

    fn config_text(&self, key: &str) -> Option<String> {
        config::get(key)
    }

    fn config_json(&self) -> String {
        config::all()
    }

    fn log(&self, level: Level, message: &str, fields: Vec<(String, String)>) {
        log::write(level.into(), message, &fields);
    }
}

//! What the SDK asks of the host, as a trait, so that tests can play the host.

use serde::{Deserialize, Serialize};

use crate::children::{Child, ChildEnd};
use crate::context::{EarlierTask, Summary};
use crate::http::{Request, Response};
use crate::millis::Millis;
use crate::state::{Area, Stored, Written};
use crate::{Identity, Level, Message, OpError, Part};

/// What is missing to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum InputKind {
    /// An answer of the client.
    InputRequired,
    /// Credentials or a consent.
    AuthRequired,
}

/// What an artifact is, apart from its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Option<String>,
}

/// The number of a ticket.
pub(crate) type TicketId = u64;

/// The imports of the world `worker`. The WIT files say what each call means.
pub(crate) trait HostCalls {
    fn identity(&self) -> Identity;
    fn progress(&self, percent: Option<u8>, text: Option<&str>) -> Result<(), OpError>;
    fn say(&self, parts: Vec<Part>) -> Result<(), OpError>;
    fn ask(&self, kind: InputKind, prompt: Vec<Part>) -> Result<Message, OpError>;
    fn ask_start(&self, kind: InputKind, prompt: Vec<Part>) -> Result<TicketId, OpError>;
    fn ask_take(&self, question: TicketId) -> Result<Message, OpError>;
    fn messages(&self) -> TicketId;
    fn next_message(&self) -> Result<Option<Message>, OpError>;
    fn cancel_requested(&self) -> bool;
    fn should_continue_as_new(&self) -> bool;

    fn put(&self, spec: Spec, parts: Vec<Part>) -> Result<(), OpError>;
    fn open(&self, spec: Spec) -> Result<(), OpError>;
    fn append(&self, id: &str, chunk: Part) -> Result<(), OpError>;
    fn close(&self, id: &str) -> Result<(), OpError>;

    fn wait_any(&self, tickets: &[TicketId], timeout: Option<Millis>) -> Result<TicketId, OpError>;
    fn wait_all(&self, tickets: &[TicketId], timeout: Option<Millis>) -> Result<(), OpError>;
    fn timer(&self, span: Millis) -> TicketId;
    fn timer_at(&self, moment: Millis) -> TicketId;
    fn sleep(&self, span: Millis) -> Result<(), OpError>;
    fn sleep_until(&self, moment: Millis) -> Result<(), OpError>;
    fn cancel(&self, ticket: TicketId) -> Result<(), OpError>;
    fn now(&self) -> Millis;
    fn random(&self) -> u64;
    fn new_id(&self) -> String;

    fn fetch(&self, request: Request) -> Result<Response, OpError>;
    fn fetch_start(&self, request: Request) -> Result<TicketId, OpError>;
    fn fetch_take(&self, request: TicketId) -> Result<Response, OpError>;
    fn stream_start(&self, request: Request) -> Result<TicketId, OpError>;
    fn next_piece(&self, stream: TicketId) -> Result<Option<Vec<u8>>, OpError>;

    fn state_get(&self, area: Area, key: &str) -> Result<Option<Stored>, OpError>;
    fn state_put(
        &self,
        area: Area,
        key: &str,
        value: Vec<u8>,
        ttl: Option<Millis>,
    ) -> Result<u64, OpError>;
    fn state_delete(&self, area: Area, key: &str) -> Result<(), OpError>;
    fn state_swap(
        &self,
        area: Area,
        key: &str,
        expected: Option<u64>,
        value: Vec<u8>,
    ) -> Result<Written, OpError>;
    fn state_keys(
        &self,
        area: Area,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, OpError>;

    fn child_start(&self, child: Child) -> Result<TicketId, OpError>;
    fn child_take(&self, child: TicketId) -> Result<ChildEnd, OpError>;
    fn child_task_id(&self, child: TicketId) -> Result<Option<String>, OpError>;

    fn earlier_tasks(&self, limit: u32) -> Result<Vec<Summary>, OpError>;
    fn read_task(&self, task: &str) -> Result<EarlierTask, OpError>;

    fn recall(&self, label: &str, input: u64) -> Option<Vec<u8>>;
    fn keep(&self, label: &str, input: u64, value: Vec<u8>) -> Result<(), OpError>;

    fn config_text(&self, key: &str) -> Option<String>;
    fn config_json(&self) -> String;

    fn log(&self, level: Level, message: &str, fields: Vec<(String, String)>);
}

//! What the SDK asks of the host, as a trait, so that tests can play the host.

use std::time::{Duration, SystemTime};

use crate::{Identity, Level, Message, OpError, Part};

/// What is missing to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// The imports of the world `worker`, plus time. The WIT files say what each call means.
pub(crate) trait HostCalls {
    fn identity(&self) -> Identity;
    fn progress(&self, percent: Option<u8>, text: Option<&str>) -> Result<(), OpError>;
    fn say(&self, parts: Vec<Part>) -> Result<(), OpError>;
    fn ask(&self, kind: InputKind, prompt: Vec<Part>) -> Result<Message, OpError>;
    fn next_message(&self) -> Result<Option<Message>, OpError>;
    fn cancel_requested(&self) -> bool;

    fn put(&self, spec: Spec, parts: Vec<Part>) -> Result<(), OpError>;
    fn open(&self, spec: Spec) -> Result<(), OpError>;
    fn append(&self, id: &str, chunk: Part) -> Result<(), OpError>;
    fn close(&self, id: &str) -> Result<(), OpError>;

    fn config_text(&self, key: &str) -> Option<String>;
    fn config_json(&self) -> String;

    fn log(&self, level: Level, message: &str, fields: Vec<(String, String)>);

    fn now(&self) -> SystemTime;
    fn sleep(&self, span: Duration);
}

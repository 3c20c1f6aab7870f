//! The real host: every call goes to an import of the component.

#![expect(
    clippy::disallowed_methods,
    reason = "inside the sandbox, clocks and sleeping are the host's, and replayed"
)]

use std::time::{Duration, SystemTime};

use super::bindings::taskyard::worker::{artifacts, config, log, task};
use super::convert::wit_parts;
use crate::host::{HostCalls, InputKind, Spec};
use crate::{Identity, Level, Message, OpError, Part};

/// Stateless: the host knows which task this instance runs.
pub(super) struct Imports;

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

    fn next_message(&self) -> Result<Option<Message>, OpError> {
        Ok(task::next_message()?.map(Message::from))
    }

    fn cancel_requested(&self) -> bool {
        task::cancel_requested()
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

    fn config_text(&self, key: &str) -> Option<String> {
        config::get(key)
    }

    fn config_json(&self) -> String {
        config::all()
    }

    fn log(&self, level: Level, message: &str, fields: Vec<(String, String)>) {
        log::write(level.into(), message, &fields);
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, span: Duration) {
        std::thread::sleep(span);
    }
}

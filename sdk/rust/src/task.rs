//! The task that a worker runs.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::artifact::ArtifactBuilder;
use crate::host::{HostCalls, InputKind};
use crate::{Config, Identity, IntoParts, Log, Message, OpError};

/// The task that a worker runs, and its only way to the outside.
///
/// Every method takes `&self`: several artifacts may be open while the task reports progress.
pub struct Task {
    pub(crate) host: Rc<dyn HostCalls>,
    pub(crate) config: OnceCell<Map<String, Value>>,
}

impl Task {
    pub(crate) fn new(host: Rc<dyn HostCalls>) -> Self {
        Self {
            host,
            config: OnceCell::new(),
        }
    }

    /// Who and what this task is.
    pub fn identity(&self) -> Identity {
        self.host.identity()
    }

    /// Reports progress to everybody who watches the task. `text` may be empty.
    ///
    /// # Errors
    /// [`OpError::Invalid`] when `percent` is more than 100.
    pub fn progress(&self, percent: u8, text: &str) -> Result<(), OpError> {
        let text = (!text.is_empty()).then_some(text);
        self.host.progress(Some(percent), text)
    }

    /// Reports what the worker does now, when nobody knows how far it is.
    ///
    /// # Errors
    /// See [`OpError`].
    pub fn progress_note(&self, text: &str) -> Result<(), OpError> {
        self.host.progress(None, Some(text))
    }

    /// Says something to the client while the work goes on. Results belong in artifacts.
    ///
    /// # Errors
    /// [`OpError::Invalid`] when there are no parts.
    pub fn say(&self, content: impl IntoParts) -> Result<(), OpError> {
        self.host.say(content.into_parts())
    }

    /// Asks the client and waits for the answer, for days if need be.
    ///
    /// While the task waits, the worker is not in memory. The answer starts `run` from the beginning;
    /// the host replays its calls up to this one, so to the worker it looks like a long call.
    ///
    /// # Errors
    /// [`OpError::Canceled`] when the task is cancelled instead of answered.
    pub fn ask(&self, prompt: impl IntoParts) -> Result<Message, OpError> {
        self.host.ask(InputKind::InputRequired, prompt.into_parts())
    }

    /// Like [`ask`](Self::ask), for credentials or a consent.
    ///
    /// # Errors
    /// [`OpError::Canceled`] when the task is cancelled instead of answered.
    pub fn ask_for_auth(&self, prompt: impl IntoParts) -> Result<Message, OpError> {
        self.host.ask(InputKind::AuthRequired, prompt.into_parts())
    }

    /// Takes the oldest message that the client sent after the task began, that is no answer, and
    /// that was not taken before. Does not wait.
    ///
    /// # Errors
    /// See [`OpError`].
    pub fn next_message(&self) -> Result<Option<Message>, OpError> {
        self.host.next_message()
    }

    /// Tells whether the client asked to cancel. Once true, it stays true, and the worker has a grace
    /// time to end; then it is stopped.
    pub fn cancel_requested(&self) -> bool {
        self.host.cancel_requested()
    }

    /// Ends the run through `?` if the client asked to cancel.
    ///
    /// # Errors
    /// [`OpError::Canceled`] when it did.
    pub fn check_cancel(&self) -> Result<(), OpError> {
        match self.cancel_requested() {
            true => Err(OpError::Canceled),
            false => Ok(()),
        }
    }

    /// Waits. Costs the host a timer, not a thread; in tests no time passes.
    pub fn sleep(&self, span: Duration) {
        self.host.sleep(span);
    }

    /// The time. In a worker `SystemTime::now()` gives the same; in tests this one can be replayed.
    pub fn now(&self) -> SystemTime {
        self.host.now()
    }

    /// The operator's configuration of the agent, pinned when the task was created.
    pub fn config(&self) -> Config<'_> {
        Config::new(self)
    }

    /// The operator's log. Clients never see it.
    pub fn log(&self) -> Log<'_> {
        Log::new(&*self.host)
    }

    /// Begins a result of the task. `id` is unique within the task; between 1 and 128 bytes.
    pub fn artifact(&self, id: impl Into<String>) -> ArtifactBuilder<'_> {
        ArtifactBuilder::new(&*self.host, id.into())
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

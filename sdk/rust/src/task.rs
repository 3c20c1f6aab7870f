//! The task that a worker runs.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::artifact::ArtifactBuilder;
use crate::host::{HostCalls, InputKind, TicketId};
use crate::{
    Config, Error, Identity, IntoParts, Log, Message, OpError, Result, Ticket, current, millis,
};

/// The task that a worker runs.
///
/// Every method takes `&self`: several artifacts may be open while the task reports progress.
/// What is not about the task itself are functions that work anywhere in `run`: see [`http`](crate::http),
/// [`wait`](crate::wait), [`state`](crate::state), [`children`](crate::children) and
/// [`memo`](crate::memo()).
pub struct Task {
    pub(crate) host: Rc<dyn HostCalls>,
    pub(crate) config: OnceCell<Map<String, Value>>,
    continued: Option<Vec<u8>>,
}

impl Task {
    /// `continued` is the state of a task that was continued as new.
    pub(crate) fn new(host: Rc<dyn HostCalls>, continued: Option<Vec<u8>>) -> Self {
        Self {
            host,
            config: OnceCell::new(),
            continued,
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

    /// Asks the client and goes on meanwhile. The ticket gives the answer; with several open questions,
    /// each message answers the oldest one.
    ///
    /// # Errors
    /// [`OpError::Canceled`] when the task was asked to cancel.
    pub fn ask_later(&self, prompt: impl IntoParts) -> Result<Ticket<Message>, OpError> {
        self.ask_start(InputKind::InputRequired, prompt)
    }

    /// Like [`ask_later`](Self::ask_later), for credentials or a consent.
    ///
    /// # Errors
    /// [`OpError::Canceled`] when the task was asked to cancel.
    pub fn ask_for_auth_later(&self, prompt: impl IntoParts) -> Result<Ticket<Message>, OpError> {
        self.ask_start(InputKind::AuthRequired, prompt)
    }

    fn ask_start(
        &self,
        kind: InputKind,
        prompt: impl IntoParts,
    ) -> Result<Ticket<Message>, OpError> {
        let id = self.host.ask_start(kind, prompt.into_parts())?;
        Ok(Ticket::new(id, |id| current::host().ask_take(id)))
    }

    /// A ticket for the next message that the client sends and that is no answer. Taking it waits for the
    /// message and takes it, like [`next_message`](Self::next_message).
    #[must_use]
    pub fn messages(&self) -> Ticket<Message> {
        Ticket::new(self.host.messages(), take_message)
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

    /// Waits, like [`wait::sleep`](crate::wait::sleep). In tests no time passes.
    ///
    /// # Errors
    /// [`OpError::Canceled`], once, when the client cancels meanwhile.
    pub fn sleep(&self, span: Duration) -> Result<(), OpError> {
        self.host.sleep(millis::of_span(span))
    }

    /// Waits until this moment, like [`wait::sleep_until`](crate::wait::sleep_until).
    ///
    /// # Errors
    /// [`OpError::Canceled`], once, when the client cancels meanwhile.
    pub fn sleep_until(&self, moment: SystemTime) -> Result<(), OpError> {
        self.host.sleep_until(millis::of_moment(moment))
    }

    /// The time, in whole milliseconds, like [`wait::now`](crate::wait::now).
    pub fn now(&self) -> SystemTime {
        millis::to_moment(self.host.now())
    }

    /// The state that the worker gave to [`Outcome::continue_as_new`](crate::Outcome::continue_as_new);
    /// nothing in the first run of a task.
    ///
    /// # Errors
    /// `json`, when the state does not look like a `T`.
    pub fn continued_state<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(state) = &self.continued else {
            return Ok(None);
        };
        serde_json::from_slice(state).map(Some).map_err(|error| {
            Error::permanent(
                "json",
                format_args!("the state of the continued task: {error}"),
            )
        })
    }

    /// Tells that the log grew so long that the worker should end with
    /// [`Outcome::continue_as_new`](crate::Outcome::continue_as_new) at its next quiet moment: three
    /// quarters of the operator's limit of entries are used.
    pub fn should_continue_as_new(&self) -> bool {
        self.host.should_continue_as_new()
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

/// There is a message in line once the wait is over: nobody else takes messages of this task.
fn take_message(messages: TicketId) -> Result<Message, OpError> {
    let host = current::host();
    if let Some(message) = host.next_message()? {
        return Ok(message);
    }
    host.wait_any(&[messages], None)?;
    let message = host.next_message()?;
    message.ok_or_else(|| OpError::Failed("there was no message in line".to_owned()))
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

//! What an operation answers with, before a binding writes it down.

use a2a::{AgentCard, ListTasksResponse, SendMessageResponse, Task, TaskPushNotificationConfig};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use taskyard_task::wire::v1;

use super::pieces::Holes;
use crate::follow::Follow;

/// The answer to a call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// One message.
    Plain(Plain),
    /// One message, and the content of artifacts that it lacks.
    Pieced(Plain, Holes),
    /// A stream of events.
    Stream(Box<Follow>),
}

/// An answer that is one message. Serialises as that message alone (ProtoJSON).
#[derive(Debug)]
pub(crate) enum Plain {
    Sent(Box<SendMessageResponse>),
    Task(Box<Task>),
    Tasks(ListTasksResponse),
    Config(Box<TaskPushNotificationConfig>),
    Configs(ConfigPage),
    Card(Box<AgentCard>),
    /// The empty message.
    Deleted {},
}

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sent(sent) => v1::Event::from(&**sent).serialize(to),
            Self::Task(task) => v1::Task::from(&**task).serialize(to),
            Self::Tasks(page) => v1::Tasks::from(page).serialize(to),
            Self::Config(config) => config.serialize(to),
            Self::Configs(page) => page.serialize(to),
            Self::Card(card) => card.serialize(to),
            Self::Deleted {} => to.serialize_map(Some(0))?.end(),
        }
    }
}

/// A page of configurations. Unlike the protocol crate's type it says so when there are none.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfigPage {
    pub(crate) configs: Vec<TaskPushNotificationConfig>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) next_page_token: String,
}

impl Answer {
    /// An answer that lacks what is in `holes`.
    pub(super) fn pieced(plain: Plain, holes: Holes) -> Self {
        match holes.is_empty() {
            true => Self::Plain(plain),
            false => Self::Pieced(plain, holes),
        }
    }
}

impl From<Plain> for Answer {
    fn from(plain: Plain) -> Self {
        Self::Plain(plain)
    }
}

//! What a webhook is told, in the version of the protocol that it was registered in.

use serde::{Serialize, Serializer};

use super::{v1, v03};

/// The body of a notification.
#[derive(Debug, Clone, PartialEq)]
pub enum Notification {
    /// 1.0: the event alone (A2A 4.3.3).
    V1(Box<a2a::StreamResponse>),
    /// 0.3: the whole task as the event left it.
    V03(Box<a2a::Task>),
}

impl Notification {
    /// The media type of the body.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::V1(_) => "application/a2a+json",
            Self::V03(_) => "application/json",
        }
    }
}

impl Serialize for Notification {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::V1(event) => v1::Event::from(&**event).serialize(to),
            Self::V03(task) => v03::Task::from(&**task).serialize(to),
        }
    }
}

/// Whether a 0.3 webhook hears of an event. Each time it is told the whole task, so the pieces of a
/// result are not announced one by one: the piece that completes the result is.
#[must_use]
pub fn is_news_to_v03(event: &a2a::StreamResponse) -> bool {
    match event {
        a2a::StreamResponse::ArtifactUpdate(update) => update.last_chunk == Some(true),
        a2a::StreamResponse::Task(_)
        | a2a::StreamResponse::Message(_)
        | a2a::StreamResponse::StatusUpdate(_) => true,
    }
}

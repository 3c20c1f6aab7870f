//! Messages that clients send.

use serde::{Deserialize, Serialize};

use crate::part::text_of;
use crate::{IntoParts, Part};

/// A message that a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// The identifier that the client gave to the message.
    pub id: String,
    /// The content; never empty.
    pub parts: Vec<Part>,
    /// Further facts that the client sent: a JSON object, as text.
    pub metadata: Option<String>,
    /// Tasks that the client refers to. Hints, not permissions.
    pub reference_task_ids: Vec<String>,
}

impl Message {
    /// A message as a client would send it. Workers receive messages; tests make them.
    pub fn new(id: impl Into<String>, content: impl IntoParts) -> Self {
        Self {
            id: id.into(),
            parts: content.into_parts(),
            metadata: None,
            reference_task_ids: Vec::new(),
        }
    }

    /// The text parts, joined by line ends; empty if there are none.
    ///
    /// ```
    /// use taskyard_sdk::{Message, Part};
    ///
    /// let message = Message::new("m1", [Part::text("one"), Part::url("https://a.example/"), Part::text("two")]);
    /// assert_eq!(message.text(), "one\ntwo");
    /// ```
    pub fn text(&self) -> String {
        text_of(&self.parts)
    }
}

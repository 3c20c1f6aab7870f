//! Events as bytes: each a whole JSON text in one `data:` line.

use std::fmt;

use a2a::StreamResponse;
use axum::body::Bytes;
use bytes::{BufMut as _, BytesMut};
use futures::StreamExt as _;
use serde::Serialize;
use taskyard_task::Seq;

use crate::error::ApiError;
use crate::follow::{Events, InPieces};
use crate::operation::Holes;

/// What a binding puts around an event and an error.
pub(crate) trait Envelope: fmt::Debug + Send + 'static {
    /// The event within its envelope.
    fn event<'a>(&'a self, seq: Seq, event: &'a StreamResponse) -> impl Serialize + 'a;

    /// The error within its envelope. Logs what operators must know.
    fn error<'a>(&'a self, error: &'a ApiError) -> impl Serialize + 'a;

    /// Whether content looks the same within the envelope as in the protocol, so that it can be written where a
    /// mark for it is.
    const IN_PIECES: bool = true;

    /// The name of the event that an error is, if the binding has one.
    fn error_name(&self) -> Option<&'static str> {
        None
    }
}

/// Writes events one behind the other into a buffer. They are serialised straight into it: a stream of
/// small chunks is bound by this.
#[derive(Debug)]
pub(crate) struct Frames<E> {
    envelope: E,
    buffer: BytesMut,
}

impl<E: Envelope> Frames<E> {
    pub(crate) fn new(envelope: E) -> Self {
        Self {
            envelope,
            buffer: BytesMut::new(),
        }
    }
}

impl<E: Envelope> Events for Frames<E> {
    type Chunk = Bytes;

    const IN_PIECES: bool = E::IN_PIECES;

    fn take_in_pieces(&mut self, holes: Holes) -> Result<InPieces<Bytes>, ApiError> {
        Ok(holes.written(&self.buffer.split().freeze())?.boxed())
    }

    fn event(&mut self, seq: Seq, event: &StreamResponse) -> Result<(), ApiError> {
        let before = self.buffer.len();
        self.buffer.extend_from_slice(b"id: ");
        self.buffer.extend_from_slice(seq.to_string().as_bytes());
        self.buffer.extend_from_slice(b"\n");
        let answer = self.envelope.event(seq, event);
        write_data(&mut self.buffer, &answer).map_err(|error| {
            self.buffer.truncate(before);
            ApiError::Internal(error.to_string())
        })
    }

    fn error(&mut self, error: &ApiError, breaks_event: bool) {
        if breaks_event {
            // Ends the event, or the error would be a part of it; and takes its id back, or a client that
            // reconnects would go on after it.
            self.buffer.extend_from_slice(b"\nid:\n\n");
        }
        if let Some(name) = self.envelope.error_name() {
            self.buffer.extend_from_slice(b"event: ");
            self.buffer.extend_from_slice(name.as_bytes());
            self.buffer.extend_from_slice(b"\n");
        }
        let answer = self.envelope.error(error);
        // An error is made of texts and numbers, and those can be serialised.
        let _ = write_data(&mut self.buffer, &answer);
    }

    fn len(&self) -> usize {
        self.buffer.len()
    }

    fn take(&mut self) -> Option<Bytes> {
        let bytes = self.buffer.split().freeze();
        (!bytes.is_empty()).then_some(bytes)
    }
}

/// JSON text has no line breaks of its own, so one line holds it.
fn write_data(buffer: &mut BytesMut, answer: &impl Serialize) -> serde_json::Result<()> {
    buffer.extend_from_slice(b"data: ");
    serde_json::to_writer((&mut *buffer).writer(), answer)?;
    buffer.extend_from_slice(b"\n\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug)]
    struct Bare;

    impl Envelope for Bare {
        fn event<'a>(&'a self, _: Seq, event: &'a StreamResponse) -> impl Serialize + 'a {
            event
        }

        fn error<'a>(&'a self, error: &'a ApiError) -> impl Serialize + 'a {
            error.to_string()
        }

        fn error_name(&self) -> Option<&'static str> {
            Some("error")
        }
    }

    fn text(frames: &mut Frames<Bare>) -> String {
        String::from_utf8(frames.take().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn an_event_is_an_id_and_one_line_of_data() {
        let mut frames = Frames::new(Bare);
        let mut message = a2a::Message::new(a2a::Role::Agent, vec![a2a::Part::text("two\nlines")]);
        message.message_id = "m".to_owned();
        frames
            .event(Seq(7), &StreamResponse::Message(message))
            .unwrap();
        let text = text(&mut frames);
        let data = text
            .strip_prefix("id: 7\ndata: ")
            .and_then(|rest| rest.strip_suffix("\n\n"))
            .unwrap();
        assert!(!data.contains('\n'));
        let data: Value = serde_json::from_str(data).unwrap();
        let part = json!([{"text": "two\nlines"}]);
        let message = json!({"messageId": "m", "role": "ROLE_AGENT", "parts": part});
        assert_eq!(data, json!({"message": message}));
        assert_eq!(frames.take(), None);
    }

    #[test]
    fn an_error_is_data_without_an_id() {
        let mut frames = Frames::new(Bare);
        frames.error(&ApiError::TaskNotFound, false);
        let expected = "event: error\ndata: \"there is no such task\"\n\n";
        assert_eq!(text(&mut frames), expected);
    }

    #[test]
    fn an_event_that_breaks_off_takes_its_id_back() {
        let mut frames = Frames::new(Bare);
        frames.error(&ApiError::TaskNotFound, true);
        assert!(text(&mut frames).starts_with("\nid:\n\nevent: error\n"));
    }
}

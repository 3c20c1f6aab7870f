//! Events as bytes: each a whole JSON-RPC response in one `data:` line (A2A 9.4.2).

use a2a::{JsonRpcId, StreamResponse};
use axum::body::Bytes;
use bytes::{BufMut as _, BytesMut};
use serde::Serialize;
use taskyard_task::Seq;

use crate::error::{ApiError, ErrorAnswer};
use crate::trace::RequestId;

/// Writes events one behind the other into a buffer. They are serialised straight into it: a stream of
/// small chunks is bound by this.
#[derive(Debug)]
pub(super) struct Frames {
    id: JsonRpcId,
    request: RequestId,
    buffer: BytesMut,
}

#[derive(Serialize)]
struct Success<'a> {
    jsonrpc: &'static str,
    id: &'a JsonRpcId,
    result: &'a StreamResponse,
}

impl Frames {
    /// Events that answer the JSON-RPC request `id`.
    pub(super) fn new(id: JsonRpcId, request: RequestId) -> Self {
        Self {
            id,
            request,
            buffer: BytesMut::new(),
        }
    }

    /// An event, under the number of its entry.
    pub(super) fn event(&mut self, seq: Seq, event: &StreamResponse) {
        let before = self.buffer.len();
        self.buffer.extend_from_slice(b"id: ");
        self.buffer.extend_from_slice(seq.to_string().as_bytes());
        self.buffer.extend_from_slice(b"\n");
        let answer = Success {
            jsonrpc: "2.0",
            id: &self.id,
            result: event,
        };
        if let Err(error) = write_data(&mut self.buffer, &answer) {
            self.buffer.truncate(before);
            self.error(&ApiError::Internal(error.to_string()));
        }
    }

    /// The last thing that a client hears when something goes wrong in the middle.
    pub(super) fn error(&mut self, error: &ApiError) {
        let answer = ErrorAnswer::new(error, &self.id, &self.request);
        // An error is made of texts and numbers, and those can be serialised.
        let _ = write_data(&mut self.buffer, &answer);
    }

    /// How many bytes wait to be taken.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// What was written since the last time.
    pub(super) fn take(&mut self) -> Bytes {
        self.buffer.split().freeze()
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

    fn frames() -> Frames {
        let request = RequestId::of(&axum::http::Request::new(()).into_parts().0);
        Frames::new("r-1".into(), request)
    }

    fn text(frames: &mut Frames) -> String {
        String::from_utf8(frames.take().to_vec()).unwrap()
    }

    #[test]
    fn an_event_is_an_id_and_one_line_of_data() {
        let mut frames = frames();
        let mut message = a2a::Message::new(a2a::Role::Agent, vec![a2a::Part::text("two\nlines")]);
        message.message_id = "m".to_owned();
        frames.event(Seq(7), &StreamResponse::Message(message));
        let text = text(&mut frames);
        let data = text
            .strip_prefix("id: 7\ndata: ")
            .and_then(|rest| rest.strip_suffix("\n\n"))
            .unwrap();
        assert!(!data.contains('\n'));
        let data: Value = serde_json::from_str(data).unwrap();
        let part = json!([{"text": "two\nlines"}]);
        let message = json!({"messageId": "m", "role": "ROLE_AGENT", "parts": part});
        assert_eq!(
            data,
            json!({"jsonrpc": "2.0", "id": "r-1", "result": {"message": message}})
        );
        assert_eq!(frames.len(), 0);
    }

    #[test]
    fn an_error_is_data_without_an_id() {
        let mut frames = frames();
        frames.error(&ApiError::TaskNotFound);
        let text = text(&mut frames);
        assert!(
            text.starts_with(r#"data: {"jsonrpc":"2.0","id":"r-1","error":{"code":-32001,"#),
            "{text}"
        );
        assert!(text.ends_with("\n\n"));
    }
}

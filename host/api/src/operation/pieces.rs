//! Answers whose large artifacts are written to the client piece by piece, as they are read.
//!
//! An answer is made and serialised like any other, with a mark in place of each content that is not at hand.
//! Where the marks come out, the content goes in. So memory follows what one entry of a log holds, not what
//! the task does, and no binding has a second way to write a task.

use std::collections::VecDeque;

use a2a::{PartContent, SendMessageResponse, Task};
use axum::body::{Body, Bytes};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use futures::Stream;
use serde_json::{Value, json};
use taskyard_broker::{self as broker, Broker, ContentReader, TaskSnapshot};
use taskyard_clock::IdSource;
use taskyard_task::PartBody;
use taskyard_task::wire::{self, Projection};

use super::Plain;
use crate::error::ApiError;
use crate::memory::Account;

/// Digits of the number of a hole, after the secret of the answer: together a mark has as many characters as
/// 24 bytes have in base64, and consists of nothing else, so it looks the same as text and as bytes.
const NUMBER_DIGITS: usize = 8;
const SECRET_DIGITS: usize = 24;
/// Small content is written together up to this many bytes: about what one write to a socket takes.
const PIECE_BYTES: usize = 64 << 10;

/// How often content is in memory while a binding writes down a whole answer: as it was read, as the
/// protocol's type has it, and as it is encoded.
const COPIES: usize = 3;

/// What a binding holds while it writes down a whole answer with `content` bytes of content.
pub(crate) fn held_by_whole(content: u64) -> usize {
    let content = usize::try_from(content).unwrap_or(usize::MAX);
    content.saturating_mul(COPIES)
}

/// What is missing in an answer.
#[derive(Debug)]
pub(crate) struct Holes {
    /// What all marks begin with. Random, so that nothing a client or a worker wrote looks like one.
    secret: String,
    /// Of what kind the content of each hole is.
    kinds: Vec<Kind>,
    /// What reads that content, in order.
    readers: VecDeque<ContentReader>,
    /// How much content that is.
    bytes: u64,
}

/// How content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As a string.
    Text,
    /// As base64.
    Bytes,
    /// As it is: it is JSON.
    Json,
}

impl Holes {
    /// No holes.
    pub(crate) fn new(ids: &IdSource) -> Self {
        let mut secret: String = ids
            .unique()
            .chars()
            .filter(char::is_ascii_hexdigit)
            .collect();
        secret.truncate(SECRET_DIGITS);
        Self {
            secret,
            kinds: Vec::new(),
            readers: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Those there are so far; none are left here.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            secret: self.secret.clone(),
            kinds: std::mem::take(&mut self.kinds),
            readers: std::mem::take(&mut self.readers),
            bytes: std::mem::take(&mut self.bytes),
        }
    }

    /// Whether nothing is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The task as clients see it, with marks for what is added to the holes.
    pub(crate) fn show(
        &mut self,
        broker: &Broker,
        mut snapshot: TaskSnapshot,
        projection: Projection,
    ) -> Task {
        let outline = &mut snapshot.outline;
        if projection.artifacts {
            let artifacts = 0..outline.view.artifacts.len();
            let wanted = artifacts.flat_map(|place| broker::apart(outline, place));
            let reader = broker.content(snapshot.header.id, wanted);
            let artifacts = outline.view.artifacts.iter_mut().zip(&outline.content);
            for (artifact, content) in artifacts {
                let parts = artifact.parts.iter_mut().zip(content);
                for (part, _) in parts.filter(|(_, content)| content.apart.is_some()) {
                    self.mark(&mut part.body);
                }
            }
            if !reader.is_done() {
                self.bytes = self.bytes.saturating_add(outline.content_bytes());
                self.readers.push_back(reader);
            }
        }
        wire::task_to_a2a(snapshot.header.place(), &snapshot.outline.view, projection)
    }

    fn mark(&mut self, body: &mut PartBody) {
        let mark = self.mark_of(self.kinds.len());
        self.kinds.push(match body {
            PartBody::Text(_) | PartBody::Url(_) => Kind::Text,
            PartBody::Bytes(_) => Kind::Bytes,
            PartBody::Data(_) => Kind::Json,
        });
        *body = match body {
            PartBody::Text(_) => PartBody::Text(mark),
            PartBody::Url(_) => PartBody::Url(mark),
            // A mark is valid base64.
            PartBody::Bytes(_) => PartBody::Bytes(STANDARD.decode(mark).unwrap_or_default()),
            // 0.3 shows objects and other values in different ways.
            PartBody::Data(json) if json.starts_with('{') => {
                PartBody::Data(json!({ mark: null }).to_string())
            }
            PartBody::Data(_) => PartBody::Data(json!(mark).to_string()),
        };
    }

    fn mark_of(&self, hole: usize) -> String {
        format!("{}{hole:0width$x}", self.secret, width = NUMBER_DIGITS)
    }

    /// The content of the next hole.
    fn next_content(&mut self) -> Result<PartBody, broker::Error> {
        while self.readers.front().is_some_and(ContentReader::is_done) {
            self.readers.pop_front();
        }
        let lacking = || broker::Error::Internal("an answer lacks its content".to_owned());
        self.readers.front_mut().ok_or_else(lacking)?.next_body()
    }

    /// The answer with the content where the marks are.
    ///
    /// # Errors
    /// [`ApiError::Internal`] if it does not have exactly these marks.
    pub(crate) async fn fill(self, response: Response) -> Result<Response, ApiError> {
        let (head, body) = response.into_parts();
        let internal = |problem: String| ApiError::Internal(problem);
        let bytes = axum::body::to_bytes(body, usize::MAX).await;
        let bytes = bytes.map_err(|error| internal(error.to_string()))?;
        let body = Body::from_stream(self.written(&bytes)?);
        Ok(Response::from_parts(head, body))
    }

    /// What was serialised, in pieces, with the content where the marks are.
    ///
    /// # Errors
    /// [`ApiError::Internal`] if it does not have exactly these marks.
    pub(crate) fn written(
        mut self,
        bytes: &Bytes,
    ) -> Result<impl Stream<Item = Result<Bytes, broker::Error>> + Send + use<>, ApiError> {
        let wrong = || ApiError::Internal("an answer lacks a mark".to_owned());
        let mut rest = std::str::from_utf8(bytes).map_err(|_| wrong())?;
        let mut before_holes = Vec::with_capacity(self.kinds.len());
        // Artifacts are written in the order in which they were shown.
        for (number, kind) in self.kinds.iter().enumerate() {
            let (before, after) = split(rest, &self.mark_of(number), *kind).ok_or_else(wrong)?;
            before_holes.push(bytes.slice_ref(before.as_bytes()));
            rest = after;
        }
        let rest = bytes.slice_ref(rest.as_bytes());
        Ok(async_stream::try_stream! {
            let mut piece = BytesMut::new();
            for before in before_holes {
                piece.extend_from_slice(&before);
                piece.extend_from_slice(written(&self.next_content()?).as_bytes());
                if piece.len() >= PIECE_BYTES {
                    yield piece.split().freeze();
                }
            }
            piece.extend_from_slice(&rest);
            yield piece.freeze();
        })
    }

    /// The answer with all content in it, for bindings that must know it before they can write anything.
    ///
    /// `account` holds it while it is written down.
    ///
    /// # Errors
    /// [`ApiError`] if the content cannot be read, or there is no memory for it. A send has taken effect, and is
    /// answered in any case.
    pub(crate) fn whole(
        mut self,
        mut plain: Plain,
        account: &mut Account,
    ) -> Result<Plain, ApiError> {
        let bytes = held_by_whole(self.bytes);
        match plain {
            Plain::Sent(_) => account.hold_anyway(bytes),
            _ => account.hold(bytes)?,
        }
        match &mut plain {
            Plain::Sent(sent) => match &mut **sent {
                SendMessageResponse::Task(task) => self.fill_task(task)?,
                SendMessageResponse::Message(_) => {}
            },
            Plain::Task(task) => self.fill_task(task)?,
            Plain::Tasks(page) => {
                for task in &mut page.tasks {
                    self.fill_task(task)?;
                }
            }
            Plain::Config(_) | Plain::Configs(_) | Plain::Card(_) | Plain::Deleted {} => {}
        }
        Ok(plain)
    }

    fn fill_task(&mut self, task: &mut Task) -> Result<(), ApiError> {
        let artifacts = task.artifacts.iter_mut().flatten();
        for part in artifacts.flat_map(|artifact| &mut artifact.parts) {
            if self.is_mark(&part.content) {
                part.content = content_of(self.next_content()?);
            }
        }
        Ok(())
    }

    fn is_mark(&self, content: &PartContent) -> bool {
        match content {
            PartContent::Text(text) | PartContent::Url(text) => text.starts_with(&self.secret),
            PartContent::Raw(bytes) => STANDARD.encode(bytes).starts_with(&self.secret),
            PartContent::Data(Value::String(text)) => text.starts_with(&self.secret),
            PartContent::Data(Value::Object(members)) => members
                .keys()
                .next()
                .is_some_and(|key| key.starts_with(&self.secret)),
            PartContent::Data(_) => false,
        }
    }
}

fn content_of(body: PartBody) -> PartContent {
    match body {
        PartBody::Text(text) => PartContent::Text(text),
        PartBody::Url(url) => PartContent::Url(url),
        PartBody::Bytes(bytes) => PartContent::Raw(bytes),
        // The text was parsed when the part was made.
        PartBody::Data(json) => PartContent::Data(serde_json::from_str(&json).unwrap_or_default()),
    }
}

/// What is before and after a mark, without what only stands for content that is JSON.
fn split<'a>(text: &'a str, mark: &str, kind: Kind) -> Option<(&'a str, &'a str)> {
    let (before, after) = text.split_once(mark)?;
    Some(match kind {
        Kind::Text | Kind::Bytes => (before, after),
        Kind::Json => {
            let (before, after) = (before.strip_suffix('"')?, after.strip_prefix('"')?);
            match after.strip_prefix(":null}") {
                Some(after) => (before.strip_suffix('{')?, after),
                None => (before, after),
            }
        }
    })
}

/// Content as it is written between what is around it.
fn written(body: &PartBody) -> String {
    match body {
        PartBody::Text(text) | PartBody::Url(text) => escaped(text),
        PartBody::Bytes(bytes) => STANDARD.encode(bytes),
        // Outside of its texts, and it has none with line breaks, JSON does not care which white space it has. Lines
        // of events do.
        PartBody::Data(json) => json.replace(['\n', '\r'], " "),
    }
}

/// A text as it is between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    let inner = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_written_as_it_is_in_json() {
        let text = "a \"quoted\" line\n\u{1F600}\u{1}";
        let quoted = format!("\"{}\"", written(&PartBody::Text(text.to_owned())));
        assert_eq!(quoted, Value::from(text).to_string());
        assert_eq!(written(&PartBody::Bytes(vec![0, 1, 255])), "AAH/");
        let lines = PartBody::Data("[\r\n1,\n2]".to_owned());
        assert_eq!(written(&lines), "[  1, 2]");
    }

    #[test]
    fn a_mark_is_found_with_what_only_stands_for_json() {
        let cases = [
            (Kind::Text, r#"{"text":"MARK"}"#, r#"{"text":""#, r#""}"#),
            (
                Kind::Json,
                r#"{"data":"MARK","a":1}"#,
                r#"{"data":"#,
                r#","a":1}"#,
            ),
            (Kind::Json, r#"{"data":{"MARK":null}}"#, r#"{"data":"#, "}"),
        ];
        for (kind, text, before, after) in cases {
            assert_eq!(split(text, "MARK", kind), Some((before, after)), "{text}");
        }
        assert_eq!(split("{}", "MARK", Kind::Text), None);
    }
}

//! Reading a stream of server-sent events, with their ids.

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Response;
use serde_json::Value;

use super::task;
use super::wait::in_time;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// The SSE id: the number of the log entry.
    pub(crate) id: Option<u64>,
    /// The whole JSON-RPC response.
    pub(crate) response: Value,
}

impl Event {
    /// What happened: an A2A `StreamResponse`.
    pub(crate) fn result(&self) -> &Value {
        &self.response["result"]
    }

    /// Which of the four kinds it is.
    pub(crate) fn kind(&self) -> &str {
        let members = self.result().as_object();
        let kind = members.and_then(|members| members.keys().next());
        kind.map_or("", String::as_str)
    }

    /// The state that it tells, if it tells one.
    pub(crate) fn state(&self) -> Option<&str> {
        let result = self.result();
        match self.kind() {
            "task" => Some(task::state(&result["task"])),
            "statusUpdate" => result["statusUpdate"]["status"]["state"].as_str(),
            _ => None,
        }
    }

    /// The text that a status update says, if it says one.
    pub(crate) fn text(&self) -> Option<&str> {
        self.result()["statusUpdate"]["status"]["message"]["parts"][0]["text"].as_str()
    }

    /// The text of an artifact update.
    pub(crate) fn chunk(&self) -> Option<&str> {
        self.result()["artifactUpdate"]["artifact"]["parts"][0]["text"].as_str()
    }
}

/// A stream of events, read one by one.
pub(crate) struct Events {
    bytes: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    /// All comments so far.
    comments: Vec<String>,
    /// Whether the stream broke off instead of ending.
    broken: bool,
}

impl Events {
    pub(crate) fn of(response: Response) -> Self {
        let bytes = response.bytes_stream().map(|chunk| Ok(chunk?.to_vec()));
        Self {
            bytes: bytes.boxed(),
            buffer: Vec::new(),
            comments: Vec::new(),
            broken: false,
        }
    }

    /// The next event; nothing once the stream is over.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        in_time("the next event", async {
            loop {
                let block = self.block().await?;
                if let Some(event) = self.read(&block) {
                    return Some(event);
                }
            }
        })
        .await
    }

    /// The first event from here on that is as wanted; those before are skipped.
    pub(crate) async fn find(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            match self.next().await {
                Some(event) if wanted(&event) => return event,
                Some(_) => {}
                None => panic!("the stream ended without {what}"),
            }
        }
    }

    /// All events until the stream is over.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// Waits for a comment; no event may come before.
    pub(crate) async fn comment(&mut self) -> String {
        let block = in_time("a comment", self.block()).await.unwrap();
        assert_eq!(self.read(&block), None);
        self.comments.last().cloned().unwrap()
    }

    /// Whether the stream broke off instead of ending.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The text up to the next empty line.
    async fn block(&mut self) -> Option<String> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(String::from_utf8(block).unwrap());
            }
            match self.bytes.next().await {
                Some(Ok(chunk)) => self.buffer.extend(chunk),
                Some(Err(_)) => {
                    self.broken = true;
                    return None;
                }
                None => return None,
            }
        }
    }

    fn read(&mut self, block: &str) -> Option<Event> {
        let (mut id, mut data) = (None, String::new());
        for line in block.lines() {
            match line.split_once(':') {
                Some(("", comment)) => self.comments.push(comment.trim().to_owned()),
                Some(("id", value)) => id = Some(value.trim().parse().unwrap()),
                Some(("data", value)) => data.push_str(value),
                _ => {}
            }
        }
        let response = (!data.is_empty()).then(|| serde_json::from_str(&data).unwrap())?;
        Some(Event { id, response })
    }
}

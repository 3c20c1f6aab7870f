//! Server-sent events, as language models send their tokens.

use super::Response;
use super::lines::{Lines, MAX_LINE_BYTES, too_long};
use crate::{Error, Result};

/// The media type of server-sent events.
const EVENT_STREAM: &str = "text/event-stream";
/// Nothing to read, and that is meant.
const NO_CONTENT: u16 = 204;

/// The data of the server-sent events of a stream: the `data` lines of each event, joined by line ends.
/// Names and numbers of events are left out. An error is the last item.
///
/// Servers are lenient, and so is this: the content type does not matter as long as there are events, the
/// last one may lack the empty line at its end, and bytes that are not UTF-8 become U+FFFD, as the
/// standard has it. But a body that is something else, such as the JSON of an error or a page of a proxy, is
/// never taken for a stream without events: it is the error `not-events`, and so is a body that ends
/// with a line that belongs to no event.
#[derive(Debug)]
pub struct Events {
    lines: Lines,
    parser: EventParser,
    /// Whether there was an event.
    any: bool,
    is_over: bool,
}

impl Events {
    pub(super) fn new(lines: Lines) -> Self {
        Self {
            lines,
            parser: EventParser::default(),
            any: false,
            is_over: false,
        }
    }

    fn next_event(&mut self) -> Result<Option<String>> {
        for line in self.lines.by_ref() {
            if let Some(event) = self.parser.take(&line?)? {
                self.any = true;
                return Ok(Some(event));
            }
        }
        // HTTP tells whether the body is whole, so what lacks its empty line is whole as well.
        if let Some(event) = self.parser.data.take() {
            self.any = true;
            return Ok(Some(event));
        }
        self.check_end().map(|()| None)
    }

    /// Whether what was read is a stream of events.
    fn check_end(&self) -> Result<()> {
        if self.parser.is_strange() {
            return Err(not_events(&self.lines.head()?));
        }
        if self.any {
            return Ok(());
        }
        // Nothing at all: the head must say that it is about events.
        let head = self.lines.head()?;
        match media_type(&head) {
            Some(other) if other != EVENT_STREAM && head.status != NO_CONTENT => {
                Err(not_events(&head))
            }
            _ => Ok(()),
        }
    }
}

impl Iterator for Events {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let event = self.next_event().transpose();
        self.is_over = !matches!(event, Some(Ok(_)));
        event
    }
}

fn media_type(head: &Response) -> Option<String> {
    let value = head.header("content-type")?;
    let name = value.split(';').next().unwrap_or_default();
    Some(name.trim().to_ascii_lowercase())
}

fn not_events(head: &Response) -> Error {
    let kind =
        media_type(head).map_or_else(|| "no content type".to_owned(), |name| format!("{name:?}"));
    let message = format!(
        "the response is not a stream of server-sent events, or does not end as one: its status is {} and \
         its type is {kind}",
        head.status
    );
    Error::permanent("not-events", message)
}

/// The event that is being read.
#[derive(Debug, Default)]
struct EventParser {
    data: Option<String>,
    /// Whether there was a line already: only before the first one there may be a byte order mark.
    began: bool,
    /// Whether there was a line of more than blanks.
    wrote: bool,
    /// Whether there was a line of an event, or a comment.
    any: bool,
    /// Whether there was a line that is none, and no complete event after it.
    stray: bool,
}

impl EventParser {
    /// Takes one line; an empty one ends the event.
    fn take(&mut self, line: &str) -> Result<Option<String>> {
        let mark = if self.began { None } else { Some('\u{feff}') };
        self.began = true;
        let line = mark
            .and_then(|mark| line.strip_prefix(mark))
            .unwrap_or(line);
        if line.is_empty() {
            let event = self.data.take();
            self.stray &= event.is_none();
            return Ok(event);
        }
        // A field without a name that anybody could know, and nothing that somebody wrote.
        if line.trim().is_empty() {
            return Ok(None);
        }
        self.wrote = true;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        match field {
            "data" => self.add(value.strip_prefix(' ').unwrap_or(value))?,
            "" | "event" | "id" | "retry" => {}
            // Unknown fields are to be ignored, but a stream does not consist of nothing else.
            other => {
                self.stray |= !is_name(other);
                return Ok(None);
            }
        }
        self.any = true;
        Ok(None)
    }

    fn add(&mut self, line: &str) -> Result<()> {
        match &mut self.data {
            None => self.data = Some(line.to_owned()),
            Some(data) if data.len() + line.len() < MAX_LINE_BYTES => {
                data.push('\n');
                data.push_str(line);
            }
            Some(_) => return Err(too_long()),
        }
        Ok(())
    }

    /// Whether the lines so far are not those of a stream of events.
    fn is_strange(&self) -> bool {
        self.stray || (self.wrote && !self.any)
    }
}

/// Whether this may be the name of a field that is not known yet.
fn is_name(field: &str) -> bool {
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    field.bytes().all(may_be)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events in a text, and whether it is one of events.
    fn events(text: &str) -> (Vec<String>, bool) {
        let mut parser = EventParser::default();
        let events = text.lines().filter_map(|line| parser.take(line).unwrap());
        let events = events.collect();
        (events, !parser.is_strange())
    }

    #[test]
    fn only_data_of_events_is_given() {
        for (text, expected) in [
            ("data: one\n\ndata: two\n\n", vec!["one", "two"]),
            ("\u{feff}data:one\n\n", vec!["one"]),
            ("event: delta\nid: 7\ndata:  x\nretry: 3\n\n", vec![" x"]),
            ("data: {\ndata: }\n\n", vec!["{\n}"]),
            (": a comment\n\n\n", vec![]),
            ("data\n\n", vec![""]),
            ("database: no\ndata: yes\n\n", vec!["yes"]),
            ("", vec![]),
            ("\n\n\n", vec![]),
            ("\u{feff}\n", vec![]),
            ("\u{feff}", vec![]),
            ("  \n\t\n", vec![]),
            ("data: one\n\n   \n", vec!["one"]),
            ("data: one\n \ndata: two\n\n", vec!["one\ntwo"]),
            (": keep-alive\n \n", vec![]),
            ("<p>\ndata: yes\n\n", vec!["yes"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(events(text), (expected, true), "{text:?}");
        }
    }

    #[test]
    fn a_text_that_is_something_else_is_noticed() {
        for text in [
            "{\"error\": \"overloaded\"}",
            "<html>\n<body>busy</body>\n</html>\n",
            "OK\n",
            "\u{1f}\u{fffd}\u{8}\0\0:x",
            "database: no\n\n",
            ": comment\n{\"error\": 1}\n",
            "\n  \n{\"error\": 1}\n",
        ] {
            assert_eq!(events(text), (vec![], false), "{text:?}");
        }
        let (given, is_right) = events("data: one\n\n{\"error\": \"overloaded\"}\n");
        assert_eq!((given.len(), is_right), (1, false));
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut parser = EventParser::default();
        let line = format!("data: {}", "x".repeat(MAX_LINE_BYTES / 2));
        assert_eq!(parser.take(&line), Ok(None));
        assert_eq!(parser.take(&line).unwrap_err().code(), "line-too-long");
    }
}

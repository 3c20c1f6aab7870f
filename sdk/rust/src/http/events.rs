//! Server-sent events, as language models send their tokens.

use super::lines::{Lines, MAX_LINE_BYTES, too_long};
use crate::Result;

/// The data of the server-sent events of a stream: the `data` lines of each event, joined by line ends.
/// Names and numbers of events are left out. An event that was cut off at the end is not given. An error
/// is the last item.
#[derive(Debug)]
pub struct Events {
    lines: Lines,
    parser: EventParser,
}

impl Events {
    pub(super) fn new(lines: Lines) -> Self {
        Self {
            lines,
            parser: EventParser::default(),
        }
    }
}

impl Iterator for Events {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let event = match self.lines.next()? {
                Ok(line) => self.parser.take(&line).transpose(),
                Err(error) => Some(Err(error)),
            };
            if event.is_some() {
                return event;
            }
        }
    }
}

/// The event that is being read.
#[derive(Debug, Default)]
struct EventParser {
    data: Option<String>,
    /// Whether there was a line already: only before the first one there may be a byte order mark.
    began: bool,
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
            return Ok(self.data.take());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field == "data" {
            self.add(value.strip_prefix(' ').unwrap_or(value))?;
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Vec<String> {
        let mut parser = EventParser::default();
        let events = text.lines().filter_map(|line| parser.take(line).unwrap());
        events.collect()
    }

    #[test]
    fn only_data_of_complete_events_is_given() {
        for (text, expected) in [
            ("data: one\n\ndata: two\n\n", vec!["one", "two"]),
            ("\u{feff}data:one\n\n", vec!["one"]),
            ("event: delta\nid: 7\ndata:  x\nretry: 3\n\n", vec![" x"]),
            ("data: {\ndata: }\n\n", vec!["{\n}"]),
            (": a comment\n\n\n", vec![]),
            ("data\n\n", vec![""]),
            ("database: no\n\n", vec![]),
            ("data: cut off\n", vec![]),
        ] {
            assert_eq!(events(text), expected, "{text:?}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut parser = EventParser::default();
        let line = format!("data: {}", "x".repeat(MAX_LINE_BYTES / 2));
        assert_eq!(parser.take(&line), Ok(None));
        assert_eq!(parser.take(&line).unwrap_err().code(), "line-too-long");
    }
}

//! Takes server-sent events out of a stream of bytes.

/// Takes server-sent events out of a stream of bytes.
#[derive(Debug)]
pub(crate) struct Events {
    limit: usize,
    line: Vec<u8>,
    data: Vec<u8>,
    /// Whether bytes of the line were dropped, so that it is not empty although it looks so.
    cut: bool,
    too_large: bool,
    after_return: bool,
    /// Whether there was a line already: only before the first one there may be a byte order mark.
    began: bool,
}

/// The mark with which some servers begin a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// An event was larger than the limit, and its data is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// The data of an event.
type Event = Result<Vec<u8>, TooLarge>;

impl Events {
    /// Takes in events of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            data: Vec::new(),
            cut: false,
            too_large: false,
            after_return: false,
            began: false,
        }
    }

    /// The event that lacked its end when the stream came to its own. HTTP tells whether a stream is whole, so
    /// the event is, too.
    pub(crate) fn finish(&mut self) -> Option<Event> {
        let rest = (!self.line.is_empty()).then(|| self.end_line()).flatten();
        rest.or_else(|| self.end_line())
    }

    /// Takes in what came, and gives the data of the events that it completed.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut complete = Vec::new();
        for byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                // The second half of a line end.
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    complete.extend(self.end_line());
                }
                byte if self.line.len() + self.data.len() < self.limit => {
                    self.line.push(*byte);
                }
                _ => {
                    self.cut = true;
                    self.too_large = true;
                }
            }
        }
        complete
    }

    /// An empty line ends an event.
    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let line = match std::mem::replace(&mut self.began, true) {
            false => line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line),
            true => &line,
        };
        let cut = std::mem::take(&mut self.cut);
        if line.is_empty() && !cut {
            let data = std::mem::take(&mut self.data);
            if std::mem::take(&mut self.too_large) {
                return Some(Err(TooLarge));
            }
            return (!data.is_empty()).then_some(Ok(data));
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data
                .extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1 << 20;

    fn texts(events: Vec<Event>) -> Vec<String> {
        let text = |event: Event| match event {
            Ok(event) => String::from_utf8(event).unwrap(),
            Err(TooLarge) => "too large".to_owned(),
        };
        events.into_iter().map(text).collect()
    }

    #[test]
    fn events_end_with_an_empty_line() {
        for end in ["\n", "\r\n", "\r"] {
            let stream =
                ": ping||id: 1|data: {\"a\":1}||data:x|data: y||event: z||data: unfinished|";
            let stream = stream.replace('|', end);
            let mut events = Events::new(LIMIT);
            let found = texts(events.push(stream.as_bytes()));
            assert_eq!(found, ["{\"a\":1}", "x\ny"], "{end:?}");
            let last = texts(events.finish().into_iter().collect());
            assert_eq!(last, ["unfinished"], "{end:?}");
            assert_eq!(events.finish(), None);
        }
    }

    #[test]
    fn a_mark_at_the_beginning_is_no_part_of_the_first_line() {
        for (stream, expected) in [
            ("\u{feff}data: one\n\ndata: two\n\n", vec!["one", "two"]),
            ("\u{feff}\ndata: one\n\n", vec!["one"]),
            // Anywhere else it is a character.
            ("\n\u{feff}data: one\n\ndata: two\n\n", vec!["two"]),
            ("data: \u{feff}one\n\n", vec!["\u{feff}one"]),
        ] {
            let mut whole = Events::new(LIMIT);
            assert_eq!(texts(whole.push(stream.as_bytes())), expected, "{stream:?}");
            let mut events = Events::new(LIMIT);
            let bytes = stream.as_bytes().chunks(1);
            let found: Vec<_> = bytes.flat_map(|byte| events.push(byte)).collect();
            assert_eq!(texts(found), expected, "{stream:?}");
        }
    }

    #[test]
    fn the_data_of_an_event_that_is_too_large_is_dropped() {
        let mut events = Events::new(LIMIT);
        let large = format!("data: {}\n\ndata: small\n\n", "x".repeat(2 * LIMIT));
        assert_eq!(texts(events.push(large.as_bytes())), ["too large", "small"]);
        let many = "data: line\n".repeat(LIMIT) + "\ndata: small\n\n";
        assert_eq!(texts(events.push(many.as_bytes())), ["too large", "small"]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            stream in "(data: ?[a-z]{0,5}(\n|\r\n)|[:\n]){0,20}",
            cut in 0_usize..100,
        ) {
            let whole = Events::new(LIMIT).push(stream.as_bytes());
            let (head, tail) = stream.as_bytes().split_at(cut.min(stream.len()));
            let mut events = Events::new(LIMIT);
            let mut found = events.push(head);
            found.extend(events.push(tail));
            prop_assert_eq!(found, whole);
        }
    }
}

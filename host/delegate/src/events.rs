//! Takes server-sent events out of a stream of bytes.

/// Larger events are dropped: all that matters here is that something happened.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// Takes server-sent events out of a stream of bytes.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    /// Whether bytes of the line were dropped, so that it is not empty although it looks so.
    cut: bool,
    too_large: bool,
    after_return: bool,
}

impl Events {
    /// Takes in what came, and gives the data of the events that it completed.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
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
                byte if self.line.len() + self.data.len() < MAX_EVENT_BYTES => {
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
    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        if line.is_empty() && !cut {
            let data = std::mem::take(&mut self.data);
            let too_large = std::mem::take(&mut self.too_large);
            return (!too_large && !data.is_empty()).then_some(data);
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

    fn texts(events: Vec<Vec<u8>>) -> Vec<String> {
        let text = |event| String::from_utf8(event).unwrap();
        events.into_iter().map(text).collect()
    }

    #[test]
    fn events_end_with_an_empty_line() {
        for end in ["\n", "\r\n", "\r"] {
            let stream =
                ": ping||id: 1|data: {\"a\":1}||data:x|data: y||event: z||data: unfinished|";
            let stream = stream.replace('|', end);
            let found = texts(Events::default().push(stream.as_bytes()));
            assert_eq!(found, ["{\"a\":1}", "x\ny"], "{end:?}");
        }
    }

    #[test]
    fn an_event_that_is_too_large_is_dropped() {
        let mut events = Events::default();
        let large = format!(
            "data: {}\n\ndata: small\n\n",
            "x".repeat(2 * MAX_EVENT_BYTES)
        );
        assert_eq!(texts(events.push(large.as_bytes())), ["small"]);
        let many = "data: line\n".repeat(MAX_EVENT_BYTES) + "\ndata: small\n\n";
        assert_eq!(texts(events.push(many.as_bytes())), ["small"]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            stream in "(data: ?[a-z]{0,5}(\n|\r\n)|[:\n]){0,20}",
            cut in 0_usize..100,
        ) {
            let whole = Events::default().push(stream.as_bytes());
            let (head, tail) = stream.as_bytes().split_at(cut.min(stream.len()));
            let mut events = Events::default();
            let mut found = events.push(head);
            found.extend(events.push(tail));
            prop_assert_eq!(found, whole);
        }
    }
}

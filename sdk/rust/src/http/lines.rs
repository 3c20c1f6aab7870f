//! The lines of a stream, wherever its pieces are cut.

use super::{Response, Stream};
use crate::{Error, OpError, Result};

/// The longest line, and the most data of one server-sent event. More is no text that somebody wrote line
/// by line, and would only fill the memory.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// The lines of a stream, without their ends: LF, CR LF or CR. An error is the last item.
///
/// Bytes that are not UTF-8 become U+FFFD each: one of them is worth less than the line that it is in. Read the
/// pieces of the stream instead if the bytes matter.
#[derive(Debug)]
pub struct Lines {
    stream: Stream,
    buffer: LineBuffer,
    is_over: bool,
}

impl Lines {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: LineBuffer::default(),
            is_over: false,
        }
    }

    /// Status and headers.
    pub(super) fn head(&self) -> Result<Response, OpError> {
        self.stream.head()
    }

    /// Each turn takes a line or one more piece of the stream, which ends.
    fn next_line(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(line) = self.buffer.next_line()? {
                return Ok(Some(line));
            }
            match self.stream.next_piece()? {
                Some(piece) => self.buffer.push(&piece),
                None => return Ok(self.buffer.rest()),
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let line = self.next_line().transpose();
        self.is_over = !matches!(line, Some(Ok(_)));
        line
    }
}

/// Bytes that arrived, to be cut into lines.
#[derive(Debug, Default)]
struct LineBuffer {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where there is no line end, so that nothing is looked at twice.
    searched: usize,
    /// Whether the last line ended with CR: an LF may belong to it, perhaps in the next piece.
    after_cr: bool,
}

impl LineBuffer {
    fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(piece);
    }

    fn next_line(&mut self) -> Result<Option<String>> {
        self.skip_lf();
        let unseen = self.bytes.get(self.searched..).unwrap_or_default();
        let end = unseen.iter().position(|byte| b"\r\n".contains(byte));
        let length = self.searched - self.start + end.unwrap_or(unseen.len());
        if length > MAX_LINE_BYTES {
            return Err(too_long());
        }
        let Some(end) = end.map(|end| self.searched + end) else {
            self.searched = self.bytes.len();
            return Ok(None);
        };
        let line = text(self.bytes.get(self.start..end));
        self.after_cr = self.bytes.get(end) == Some(&b'\r');
        self.start = end + 1;
        self.searched = self.start;
        Ok(Some(line))
    }

    fn skip_lf(&mut self) {
        let Some(first) = self.bytes.get(self.start) else {
            return;
        };
        if self.after_cr && *first == b'\n' {
            self.start += 1;
            self.searched = self.start;
        }
        self.after_cr = false;
    }

    /// What is left without a line end.
    fn rest(&mut self) -> Option<String> {
        let rest = text(self.bytes.get(self.start..));
        *self = Self::default();
        (!rest.is_empty()).then_some(rest)
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

pub(super) fn too_long() -> Error {
    let message = format!("a line of the response has more than {MAX_LINE_BYTES} bytes");
    Error::permanent("line-too-long", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of `text`, cut into pieces of `size` bytes.
    fn lines(text: &str, size: usize) -> Vec<String> {
        let mut buffer = LineBuffer::default();
        let mut lines = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            buffer.push(piece);
            while let Some(line) = buffer.next_line().unwrap() {
                lines.push(line);
            }
        }
        lines.extend(buffer.rest());
        lines
    }

    #[test]
    fn pieces_may_be_cut_anywhere() {
        let text = "one\r\ntwö\n\n\rthree\r\r\nfour";
        let expected = ["one", "twö", "", "", "three", "", "four"];
        for size in 1..=text.len() {
            assert_eq!(lines(text, size), expected, "pieces of {size} bytes");
        }
        assert!(lines("", 1).is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut buffer = LineBuffer::default();
        buffer.push(&vec![b'x'; MAX_LINE_BYTES]);
        assert_eq!(buffer.next_line(), Ok(None));
        buffer.push(b"x");
        assert_eq!(buffer.next_line().unwrap_err().code(), "line-too-long");
    }
}

//! What a worker tells the operator: log lines, standard output and standard error.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use taskyard_task::RunLimits;

/// How much of each stream is kept to explain a failure.
const KEPT_BYTES: usize = 8 << 10;
/// How much of that clients get to see.
const LAST_WORDS_BYTES: usize = 500;
/// Longer lines of output are cut, whatever the operator allows for log lines.
const LINE_BYTES: usize = 8 << 10;

/// What Rust adds to each panic. Workers have no environment, so nobody can follow the advice.
const USELESS: &str = "note: run with `RUST_BACKTRACE=1`";

/// What a worker tells the operator. Clients see nothing of it, but for the last words of a worker
/// that broke. While replaying it was all told before, and only the last words are kept.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    /// Set once the run is live.
    live: Arc<AtomicBool>,
    lines_left: AtomicU64,
    line_bytes: usize,
    stdout: Mutex<Tail>,
    stderr: Mutex<Tail>,
}

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

#[derive(Debug, Default)]
struct Tail {
    kept: VecDeque<u8>,
    /// The line that has no end yet.
    line: Vec<u8>,
}

impl Diagnostics {
    /// Within the pinned limits of a run, which says itself when it is live.
    pub(crate) fn new(limits: &RunLimits, live: Arc<AtomicBool>) -> Arc<Self> {
        Arc::new(Self {
            live,
            lines_left: AtomicU64::new(limits.log_lines),
            line_bytes: usize::try_from(limits.log_line_bytes).unwrap_or(usize::MAX),
            stdout: Mutex::default(),
            stderr: Mutex::default(),
        })
    }

    /// Of a worker that only describes itself: nothing is passed on.
    pub(crate) fn silent() -> Arc<Self> {
        Self::new(&RunLimits::default(), Arc::default())
    }

    /// Whether one more line may pass: not while replaying, and not beyond the limit.
    pub(crate) fn admit_line(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        self.live.load(Ordering::Relaxed)
            && self
                .lines_left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
    }

    /// As much of a line as may pass.
    pub(crate) fn cut<'t>(&self, text: &'t str) -> &'t str {
        cut(text, self.line_bytes)
    }

    /// The worker wrote to a stream.
    pub(crate) fn write(&self, stream: Stream, bytes: &[u8]) {
        let mut tail = self.tail(stream);
        tail.keep(bytes);
        if tracing::enabled!(target: "taskyard_worker", tracing::Level::DEBUG) {
            tail.split_lines(bytes, |line| self.pass_on(stream, line));
        }
    }

    /// What the worker wrote last, in one line: to standard error, or else to standard output.
    pub(crate) fn last_words(&self) -> Option<String> {
        [Stream::Err, Stream::Out]
            .into_iter()
            .map(|stream| self.tail(stream).last_words())
            .find(|words| !words.is_empty())
    }

    fn pass_on(&self, stream: Stream, line: &[u8]) {
        if self.admit_line() {
            let line = String::from_utf8_lossy(line);
            let line = self.cut(&line);
            tracing::debug!(target: "taskyard_worker", ?stream, "{line}");
        }
    }

    fn tail(&self, stream: Stream) -> std::sync::MutexGuard<'_, Tail> {
        let tail = match stream {
            Stream::Out => &self.stdout,
            Stream::Err => &self.stderr,
        };
        tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tail {
    fn keep(&mut self, bytes: &[u8]) {
        let bytes = bytes
            .get(bytes.len().saturating_sub(KEPT_BYTES)..)
            .unwrap_or(bytes);
        let surplus = (self.kept.len() + bytes.len()).saturating_sub(KEPT_BYTES);
        self.kept.drain(..surplus);
        self.kept.extend(bytes);
    }

    fn split_lines(&mut self, bytes: &[u8], mut pass_on: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(self.line.len());
            self.line.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                pass_on(self.line.trim_ascii_end());
                self.line.clear();
            }
        }
    }

    fn last_words(&mut self) -> String {
        let kept = String::from_utf8_lossy(self.kept.make_contiguous());
        let helpful = kept.lines().filter(|line| !line.starts_with(USELESS));
        let words: Vec<&str> = helpful.flat_map(str::split_whitespace).collect();
        let words = words.join(" ");
        let surplus = words.len().saturating_sub(LAST_WORDS_BYTES);
        let last = words.get(words.ceil_char_boundary(surplus)..);
        last.unwrap_or_default().to_owned()
    }
}

/// The beginning of `text` that fits into `most` bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_those_of_stderr() {
        let diagnostics = Diagnostics::silent();
        assert_eq!(diagnostics.last_words(), None);
        diagnostics.write(Stream::Out, b"all fine\n");
        assert_eq!(diagnostics.last_words().as_deref(), Some("all fine"));
        diagnostics.write(Stream::Err, b"panicked:\n told to\n");
        diagnostics.write(Stream::Err, format!("{USELESS} environment\n").as_bytes());
        assert_eq!(
            diagnostics.last_words().as_deref(),
            Some("panicked: told to")
        );
    }

    #[test]
    fn only_the_end_of_long_output_is_kept() {
        let diagnostics = Diagnostics::silent();
        diagnostics.write(Stream::Err, &vec![b'x'; 3 * KEPT_BYTES]);
        diagnostics.write(Stream::Err, b" the end");
        let tail = diagnostics.tail(Stream::Err);
        assert_eq!(tail.kept.len(), KEPT_BYTES);
        drop(tail);
        assert!(diagnostics.last_words().unwrap().ends_with("x the end"));
    }

    #[test]
    fn lines_pass_only_live_and_within_the_limit() {
        let limits = RunLimits {
            log_lines: 2,
            log_line_bytes: 3,
            ..RunLimits::default()
        };
        let live = Arc::new(AtomicBool::new(false));
        let diagnostics = Diagnostics::new(&limits, Arc::clone(&live));
        assert!(!diagnostics.admit_line());
        live.store(true, Ordering::Relaxed);
        assert!(diagnostics.admit_line() && diagnostics.admit_line());
        assert!(!diagnostics.admit_line());
        assert_eq!(diagnostics.cut("aäö"), "aä");
    }
}

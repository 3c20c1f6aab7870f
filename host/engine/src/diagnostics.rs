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

/// Which lines of a run are new to the operator. All are counted, passed on or not, from where replays
/// begin: so each run counts as those before it did.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    /// Whether the run is live. What it says before that was said by an earlier run.
    open: AtomicBool,
    /// How many lines there were.
    lines: AtomicU64,
    /// How many of them the operator knows, since the task was suspended only after them.
    known: u64,
}

impl Outlet {
    /// Of a run after one that was suspended, and had told so many lines.
    pub(crate) fn after(known: u64) -> Self {
        Self {
            known,
            ..Self::default()
        }
    }

    /// The run is live.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
    }

    /// Whether the run is live.
    #[cfg(test)]
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// How many lines there were.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// There is one more line. Whether it is new.
    fn count_line(&self) -> bool {
        let before = self.lines.fetch_add(1, Ordering::Relaxed);
        self.open.load(Ordering::Relaxed) && before >= self.known
    }
}

/// What a worker tells the operator. Clients see nothing of it, but for the last words of a worker
/// that broke. What was told before is not passed on again, and only the last words of it are kept.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    outlet: Arc<Outlet>,
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
    /// Within the pinned limits of a run, which says itself how far it is.
    pub(crate) fn new(limits: &RunLimits, outlet: Arc<Outlet>) -> Arc<Self> {
        Arc::new(Self {
            outlet,
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

    /// Whether one more line may pass: not if it was told before, and not beyond the limit. Called once for each
    /// line, whoever wants to read it.
    pub(crate) fn admit_line(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        self.outlet.count_line()
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
        tail.split_lines(bytes, |line| self.pass_on(stream, line));
    }

    /// The worker ended, and so do lines without an end.
    pub(crate) fn end_lines(&self) {
        for stream in [Stream::Out, Stream::Err] {
            let line = std::mem::take(&mut self.tail(stream).line);
            if !line.is_empty() {
                self.pass_on(stream, line.trim_ascii_end());
            }
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
        let outlet = Arc::<Outlet>::default();
        let diagnostics = Diagnostics::new(&limits, Arc::clone(&outlet));
        assert!(!diagnostics.admit_line());
        outlet.open();
        assert!(diagnostics.admit_line() && diagnostics.admit_line());
        assert!(!diagnostics.admit_line());
        assert_eq!(diagnostics.cut("aäö"), "aä");
    }

    #[test]
    fn what_was_told_before_a_suspension_is_not_told_again() {
        let first = Outlet::default();
        assert!(!first.count_line(), "it replays");
        first.open();
        assert!(first.count_line() && first.count_line());

        // The next run says the same, and goes on.
        let second = Outlet::after(first.lines());
        assert!(!second.count_line() && !second.count_line());
        second.open();
        assert!(!second.count_line());
        assert!(second.count_line());
        assert_eq!(second.lines(), 4);
    }
}

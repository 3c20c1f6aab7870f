//! What a connection is doing, and for how long it may.
//!
//! Slow headers and silence between two requests are different things: whoever takes long to say what it
//! wants does not want anything, but a pool of connections that waits for its next request is welcome.
//! A client that takes nothing of an answer which is ready holds memory, so that has an end, too.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Version;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

/// How often a connection is looked at, and so how late it can be closed.
const LOOK: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 10_000 });

/// How long a connection may be without a request that is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until the first request is read, and from the first byte of a later one until it is.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// While the client takes nothing of what is ready for it.
    pub(crate) write: Duration,
}

/// What one connection is doing. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Activity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    doing: Doing,
    since: Instant,
    /// Whether it ever asked for anything.
    asked: bool,
    /// Over HTTP/2 bytes come that ask for nothing, and headers are never slow: they are one frame.
    multiplexed: bool,
    /// Whether the connection takes no bytes now.
    is_blocked: bool,
    /// Answers of which a piece was handed out and no other was asked for since.
    untaken: usize,
    /// When the client took something last, or was given something new to take.
    progress: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// It has not asked for anything yet.
    Opening,
    /// So many requests are under way.
    Answering(usize),
    /// All requests are answered.
    Idle,
    /// A further request has begun to arrive.
    Asking,
}

impl Activity {
    /// That of a connection which is new.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            doing: Doing::Opening,
            since: Instant::now(),
            asked: false,
            multiplexed: false,
            is_blocked: false,
            untaken: 0,
            progress: Instant::now(),
        })))
    }

    /// Resolves once the connection is silent for too long.
    pub(crate) async fn overdue(&self, patience: Patience) {
        loop {
            match self.left(patience) {
                Some(Duration::ZERO) => return,
                left => sleep(left.unwrap_or(LOOK).min(LOOK)).await,
            }
        }
    }

    /// Whether it waits for its next request.
    pub(crate) fn is_idle(&self) -> bool {
        self.state().doing == Doing::Idle
    }

    /// How dispensable the connection is, the least first; nothing while it is answered. One that never
    /// asked for anything comes before one that did, and of those the one that is silent for longest.
    pub(crate) fn dispensable(&self) -> Option<(bool, Instant)> {
        let state = self.state();
        match state.doing {
            Doing::Answering(_) => None,
            Doing::Opening | Doing::Idle | Doing::Asking => Some((state.asked, state.since)),
        }
    }

    /// A request was read; it is under way until what is given is dropped.
    pub(crate) fn asked(&self, version: Version) -> UnderWay {
        let mut state = self.state();
        state.asked = true;
        state.multiplexed = version == Version::HTTP_2;
        state.doing = match state.doing {
            Doing::Answering(others) => Doing::Answering(others + 1),
            Doing::Opening | Doing::Idle | Doing::Asking => Doing::Answering(1),
        };
        UnderWay(self.clone())
    }

    fn answered(&self) {
        let mut state = self.state();
        state.doing = match state.doing {
            Doing::Answering(several @ 2..) => Doing::Answering(several - 1),
            _ => Doing::Idle,
        };
        state.since = Instant::now();
    }

    /// Bytes came.
    fn heard(&self) {
        let mut state = self.state();
        if state.doing == Doing::Idle && !state.multiplexed {
            state.doing = Doing::Asking;
            state.since = Instant::now();
        }
    }

    fn left(&self, patience: Patience) -> Option<Duration> {
        let state = self.state();
        let silence = match state.doing {
            Doing::Answering(_) => None,
            Doing::Opening | Doing::Asking => Some(patience.head),
            Doing::Idle => Some(patience.idle),
        };
        let silence = silence.map(|most| most.saturating_sub(state.since.elapsed()));
        let is_stuck = state.is_blocked || state.untaken > 0;
        let stuck = is_stuck.then(|| patience.write.saturating_sub(state.progress.elapsed()));
        silence.into_iter().chain(stuck).min()
    }

    /// The connection took bytes, or takes none now.
    fn wrote(&self, is_blocked: bool) {
        let mut state = self.state();
        if !is_blocked || !state.is_blocked {
            state.progress = Instant::now();
        }
        state.is_blocked = is_blocked;
    }

    /// A piece of an answer was handed out.
    fn handed_out(&self) {
        let mut state = self.state();
        state.untaken += 1;
        state.progress = Instant::now();
    }

    /// The piece that was handed out last was taken, or is not wanted any more.
    fn taken(&self) {
        let mut state = self.state();
        state.untaken = state.untaken.saturating_sub(1);
        state.progress = Instant::now();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is not answered to the end yet.
#[derive(Debug)]
pub(crate) struct UnderWay(Activity);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// What is handed out of an answer at once: whatever is handed out is in memory until the client takes it.
const PIECE_BYTES: usize = 64 << 10;

/// The body of an answer, which is under way until the last of it is handed over.
#[derive(Debug)]
pub(crate) struct Answer<B> {
    body: B,
    /// What is left of a large piece.
    rest: Bytes,
    is_untaken: bool,
    under_way: UnderWay,
}

impl<B> Answer<B> {
    pub(crate) fn new(body: B, under_way: UnderWay) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            is_untaken: false,
            under_way,
        }
    }

    fn hand_out(&mut self, mut piece: Bytes) -> Frame<Bytes> {
        self.rest = piece.split_off(piece.len().min(PIECE_BYTES));
        self.is_untaken = true;
        self.under_way.0.handed_out();
        Frame::data(piece)
    }

    fn was_taken(&mut self) {
        if std::mem::take(&mut self.is_untaken) {
            self.under_way.0.taken();
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.was_taken();
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.hand_out(rest))));
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map_ok(|frame| match frame.into_data() {
            Ok(piece) => self.hand_out(piece),
            Err(trailers) => trailers,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.was_taken();
    }
}

/// A stream that tells when bytes come, and whether they go.
#[derive(Debug)]
pub(crate) struct Heard<S> {
    stream: S,
    activity: Activity,
}

impl<S> Heard<S> {
    pub(crate) fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.heard();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.wrote(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.activity.wrote(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_pending() {
            self.activity.wrote(true);
        }
        flushed
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_ONLY: Patience = Patience {
        head: Duration::ZERO,
        idle: Duration::MAX,
        write: Duration::MAX,
    };
    const IDLE_ONLY: Patience = Patience {
        head: Duration::MAX,
        idle: Duration::ZERO,
        write: Duration::MAX,
    };

    /// Which patience is over at once.
    fn check(activity: &Activity, is_head: bool, is_idle: bool) {
        let over = |patience| activity.left(patience) == Some(Duration::ZERO);
        assert_eq!((over(HEAD_ONLY), over(IDLE_ONLY)), (is_head, is_idle));
        assert_eq!(activity.is_idle(), is_idle);
        assert_eq!(activity.dispensable().is_some(), is_head || is_idle);
    }

    #[test]
    fn each_silence_has_a_time_of_its_own() {
        let activity = Activity::new();
        check(&activity, true, false);
        activity.heard();
        check(&activity, true, false);
        let first = activity.asked(Version::HTTP_11);
        check(&activity, false, false);
        activity.heard();
        check(&activity, false, false);
        drop(first);
        check(&activity, false, true);
        activity.heard();
        check(&activity, true, false);
        drop(activity.asked(Version::HTTP_11));
        check(&activity, false, true);
    }

    #[test]
    fn over_http2_bytes_ask_for_nothing_and_requests_overlap() {
        let activity = Activity::new();
        let first = activity.asked(Version::HTTP_2);
        let second = activity.asked(Version::HTTP_2);
        drop(first);
        check(&activity, false, false);
        drop(second);
        check(&activity, false, true);
        activity.heard();
        check(&activity, false, true);
    }

    #[test]
    fn a_client_that_takes_nothing_has_a_time_of_its_own() {
        const WRITE_ONLY: Patience = Patience {
            head: Duration::MAX,
            idle: Duration::MAX,
            write: Duration::ZERO,
        };
        let activity = Activity::new();
        let is_over = || activity.left(WRITE_ONLY) == Some(Duration::ZERO);
        let request = activity.asked(Version::HTTP_2);
        assert!(!is_over(), "a stream on which nothing happens");
        activity.wrote(true);
        assert!(is_over());
        activity.wrote(false);
        assert!(!is_over());
        let mut answer = Answer::new(axum::body::Body::from("x"), request);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let frame = Pin::new(&mut answer).poll_frame(&mut context);
        assert!(frame.is_ready() && is_over());
        assert!(Pin::new(&mut answer).poll_frame(&mut context).is_ready());
        assert!(!is_over());
    }

    #[test]
    fn large_answers_are_handed_out_in_pieces() {
        let activity = Activity::new();
        let body = axum::body::Body::from(vec![7; 2 * PIECE_BYTES + 1]);
        let mut answer = Answer::new(body, activity.asked(Version::HTTP_11));
        assert_eq!(answer.size_hint().exact(), Some(2 * PIECE_BYTES as u64 + 1));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut pieces = Vec::new();
        while let Poll::Ready(Some(frame)) = Pin::new(&mut answer).poll_frame(&mut context) {
            pieces.push(frame.unwrap().into_data().unwrap().len());
        }
        assert_eq!(pieces, [PIECE_BYTES, PIECE_BYTES, 1]);
    }

    #[test]
    fn those_that_never_asked_are_dispensable_first() {
        let old = Activity::new();
        drop(old.asked(Version::HTTP_11));
        let (silent, newer) = (Activity::new(), Activity::new());
        drop(newer.asked(Version::HTTP_11));
        let mut order = [&newer, &old, &silent].map(Activity::dispensable);
        order.sort();
        assert_eq!(order, [&silent, &old, &newer].map(Activity::dispensable));
    }
}

//! What a connection is doing, and for how long it may.
//!
//! Slow headers and silence between two requests are different things: whoever takes long to say what it
//! wants does not want anything, but a pool of connections that waits for its next request is welcome.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

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
        let most = match state.doing {
            Doing::Answering(_) => return None,
            Doing::Opening | Doing::Asking => patience.head,
            Doing::Idle => patience.idle,
        };
        Some(most.saturating_sub(state.since.elapsed()))
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

/// The body of an answer, which is under way until the last of it is handed over.
#[derive(Debug)]
pub(crate) struct Answer<B> {
    body: B,
    _under_way: UnderWay,
}

impl<B> Answer<B> {
    pub(crate) fn new(body: B, under_way: UnderWay) -> Self {
        Self {
            body,
            _under_way: under_way,
        }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells when bytes come.
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
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
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
    };
    const IDLE_ONLY: Patience = Patience {
        head: Duration::MAX,
        idle: Duration::ZERO,
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

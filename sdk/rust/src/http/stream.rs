//! A response that is read piece by piece.

use super::{Events, Lines, Response};
use crate::host::TicketId;
use crate::{OpError, Result, Ticket, current};

/// A response that is read piece by piece. What arrives close together is one piece.
///
/// As an iterator it gives the pieces; an error is the last item.
///
/// ```
/// # use taskyard_sdk::prelude::*;
/// # struct Chat;
/// # impl Worker for Chat {
/// #     fn describe() -> Manifest { Manifest::new("chat", "1.0.0", "Talks to a model.") }
/// fn run(task: &Task, input: Message) -> Result<Outcome> {
///     let request = http::request("POST", "https://model.example/chat").body(input.text());
///     let mut answer = task.artifact("answer").open()?;
///     for data in request.stream()?.ok()?.events() {
///         answer.append(data?)?;
///     }
///     answer.close()?;
///     Ok(Outcome::completed())
/// }
/// # }
/// # use taskyard_sdk::testing::{Host, Reply};
/// # let host = Host::new().respond("POST https://model.example/chat", Reply::events(["Good ", "day"]));
/// # assert_eq!(host.run::<Chat>().artifact_text("answer").unwrap(), "Good day");
/// ```
#[derive(Debug)]
pub struct Stream {
    id: TicketId,
    is_over: bool,
}

impl Stream {
    pub(super) fn new(id: TicketId) -> Self {
        Self { id, is_over: false }
    }

    /// Status and headers; waits for them if need be.
    ///
    /// # Errors
    /// Like [`Request::send`](super::Request::send).
    pub fn head(&self) -> Result<Response, OpError> {
        current::host().fetch_take(self.id)
    }

    /// The stream itself if its status says that it went well; waits for the status.
    ///
    /// # Errors
    /// `http-status`, and like [`head`](Self::head).
    pub fn ok(self) -> Result<Self> {
        self.head()?.ok()?;
        Ok(self)
    }

    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// [`OpError::Failed`] when the other side broke off, [`OpError::TimedOut`] when it was silent for
    /// too long, [`OpError::Interrupted`] when the host went down in the middle: the pieces so far are
    /// safe, the rest is lost.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, OpError> {
        if self.is_over {
            return Ok(None);
        }
        let piece = next_piece(self.id);
        self.is_over = !matches!(piece, Ok(Some(_)) | Err(OpError::Canceled));
        piece
    }

    /// A ticket for the next piece, to wait for it and for something else at once. Good for one piece.
    pub fn piece(&self) -> Ticket<Option<Vec<u8>>> {
        Ticket::new(self.id, next_piece)
    }

    /// The lines of the body, such as those of newline-delimited JSON.
    pub fn lines(self) -> Lines {
        Lines::new(self)
    }

    /// The data of the server-sent events in the body (`text/event-stream`).
    pub fn events(self) -> Events {
        Events::new(self.lines())
    }

    /// Breaks it off.
    ///
    /// # Errors
    /// See [`OpError`].
    pub fn cancel(self) -> Result<(), OpError> {
        current::host().cancel(self.id)
    }
}

impl Iterator for Stream {
    type Item = Result<Vec<u8>, OpError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_piece().transpose()
    }
}

fn next_piece(stream: TicketId) -> Result<Option<Vec<u8>>, OpError> {
    current::host().next_piece(stream)
}

//! Tickets: things that were started and can be waited for.

use std::fmt;
use std::time::Duration;

use crate::children::ChildEnd;
use crate::host::TicketId;
use crate::{OpError, current, millis};

/// Something that was started and can be waited for: a question, a timer, a request, a child, the next
/// message. `T` is what taking it gives.
///
/// A ticket is a plain number with a type: copy it freely, and drop it without any effect.
///
/// ```
/// use std::time::Duration;
/// use taskyard_sdk::prelude::*;
/// # struct Impatient;
/// # impl Worker for Impatient {
/// #     fn describe() -> Manifest { Manifest::new("impatient", "1.0.0", "Asks in a hurry.") }
///
/// fn run(task: &Task, _: Message) -> Result<Outcome> {
///     let question = task.ask_later("Which colour?")?;
///     let colour = match question.within(Duration::from_secs(60))? {
///         Some(answer) => answer.text(),
///         None => {
///             question.cancel()?;
///             "blue".to_owned()
///         }
///     };
///     Ok(Outcome::completed_with(colour))
/// }
/// # }
/// # use taskyard_sdk::testing::Host;
/// # assert_eq!(Host::new().run_with_crashes::<Impatient>().final_text().unwrap(), "blue");
/// # assert_eq!(Host::new().answer("red").run::<Impatient>().final_text().unwrap(), "red");
/// ```
pub struct Ticket<T> {
    id: TicketId,
    take: fn(TicketId) -> Result<T, OpError>,
}

impl<T> Ticket<T> {
    pub(crate) fn new(id: TicketId, take: fn(TicketId) -> Result<T, OpError>) -> Self {
        Self { id, take }
    }

    /// The number that the host gave to it.
    pub fn id(self) -> u64 {
        self.id
    }

    /// Takes what came of it, and waits for that if need be.
    ///
    /// Ends of children can be taken again; answers, messages and responses only once.
    ///
    /// # Errors
    /// Those of the thing itself, such as [`OpError::Failed`] for a request without a response;
    /// [`OpError::Canceled`], once, when the client cancels while it waits.
    pub fn take(self) -> Result<T, OpError> {
        (self.take)(self.id)
    }

    /// Takes what came of it if that is there within `span`; nothing if it is not. Then the ticket stays
    /// good: take it later, or [`cancel`](Self::cancel) it.
    ///
    /// # Errors
    /// Like [`take`](Self::take).
    pub fn within(self, span: Duration) -> Result<Option<T>, OpError> {
        match current::host().wait_any(&[self.id], Some(millis::of_span(span))) {
            Ok(_) => self.take().map(Some),
            Err(OpError::TimedOut) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives it up: a question is withdrawn, so that a later answer counts as a message; a request is
    /// broken off; a child is asked to cancel, and its end can still be taken; a timer is forgotten.
    /// Nothing happens if it is complete already.
    ///
    /// # Errors
    /// See [`OpError`].
    pub fn cancel(self) -> Result<(), OpError> {
        current::host().cancel(self.id)
    }
}

impl Ticket<ChildEnd> {
    /// The identifier of the child's task on this host; nothing for a remote child.
    ///
    /// # Errors
    /// See [`OpError`].
    pub fn task_id(self) -> Result<Option<String>, OpError> {
        current::host().child_task_id(self.id)
    }
}

impl<T> Clone for Ticket<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ticket<T> {}

impl<T> PartialEq for Ticket<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<T> Eq for Ticket<T> {}

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.id).finish()
    }
}

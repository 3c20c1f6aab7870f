//! Waiting for several tickets at once.

use std::time::Duration;

use crate::{OpError, Ticket, current, millis};

/// What [`select`] gives: the one that completed first, taken already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first ticket.
    First(A),
    /// The second ticket.
    Second(B),
}

/// Waits for two things, and takes the one that completed first. The other ticket stays good.
///
/// ```
/// use std::time::Duration;
/// use taskyard_sdk::prelude::*;
/// # struct Deadline;
/// # impl Worker for Deadline {
/// #     fn describe() -> Manifest { Manifest::new("deadline", "1.0.0", "Waits a day.") }
///
/// fn run(task: &Task, _: Message) -> Result<Outcome> {
///     let answer = task.ask_later("Shall I go on?")?;
///     match select(answer, wait::timer(Duration::from_secs(24 * 60 * 60)))? {
///         Either::First(message) => Ok(Outcome::completed_with(message.text())),
///         Either::Second(()) => Ok(Outcome::rejected("nobody answered for a day")),
///     }
/// }
/// # }
/// # use taskyard_sdk::testing::Host;
/// # assert!(Host::new().answer("yes").run_with_crashes::<Deadline>().is_completed());
/// # assert!(!Host::new().run_with_crashes::<Deadline>().is_completed());
/// ```
///
/// # Errors
/// What taking it gives, and [`OpError::Canceled`], once, when the client cancels while it waits.
pub fn select<A, B>(first: Ticket<A>, second: Ticket<B>) -> Result<Either<A, B>, OpError> {
    let done = current::host().wait_any(&[first.id(), second.id()], None)?;
    if done == first.id() {
        first.take().map(Either::First)
    } else {
        second.take().map(Either::Second)
    }
}

/// Waits for several things of one kind, and takes the one that completed first, with its index. At most
/// 1,000 at once.
///
/// # Errors
/// Like [`select`]; [`OpError::Invalid`] when there are no tickets or too many.
pub fn select_all<T>(tickets: &[Ticket<T>]) -> Result<(usize, T), OpError> {
    let done = current::host().wait_any(&ids(tickets), None)?;
    let mut found = tickets.iter().enumerate();
    match found.find(|(_, ticket)| ticket.id() == done) {
        Some((index, ticket)) => Ok((index, ticket.take()?)),
        None => Err(OpError::Invalid(format!(
            "ticket {done} was not waited for"
        ))),
    }
}

/// Waits for two things, and takes both.
///
/// # Errors
/// Like [`select`]. When both fail, the error of the first.
pub fn join<A, B>(first: Ticket<A>, second: Ticket<B>) -> Result<(A, B), OpError> {
    current::host().wait_all(&[first.id(), second.id()], None)?;
    Ok((first.take()?, second.take()?))
}

/// Waits for several things of one kind, and takes them all, in the order given. At most 1,000 at once.
///
/// To go on although some fail, take each ticket by itself: they complete side by side all the same.
///
/// # Errors
/// Like [`select`]. When several fail, the error of the first in the order given.
pub fn join_all<T>(tickets: impl IntoIterator<Item = Ticket<T>>) -> Result<Vec<T>, OpError> {
    let tickets: Vec<Ticket<T>> = tickets.into_iter().collect();
    current::host().wait_all(&ids(&tickets), None)?;
    tickets.into_iter().map(Ticket::take).collect()
}

/// Like [`join_all`], but gives nothing if they are not all complete within `span`. Then all tickets stay
/// good.
///
/// # Errors
/// Like [`join_all`].
pub fn join_all_within<T>(
    tickets: impl IntoIterator<Item = Ticket<T>>,
    span: Duration,
) -> Result<Option<Vec<T>>, OpError> {
    let tickets: Vec<Ticket<T>> = tickets.into_iter().collect();
    match current::host().wait_all(&ids(&tickets), Some(millis::of_span(span))) {
        Ok(()) => {
            let taken: Result<Vec<T>, OpError> = tickets.into_iter().map(Ticket::take).collect();
            taken.map(Some)
        }
        Err(OpError::TimedOut) => Ok(None),
        Err(error) => Err(error),
    }
}

fn ids<T>(tickets: &[Ticket<T>]) -> Vec<u64> {
    tickets.iter().map(|ticket| ticket.id()).collect()
}

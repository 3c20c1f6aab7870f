//! Time: waiting, timers, the clock; and random numbers.
//!
//! Waiting costs the host a timer, not a thread. While a task waits for long, the worker is not in memory,
//! so a wait of months is fine.

use std::time::{Duration, SystemTime};

use crate::host::TicketId;
use crate::{OpError, Ticket, current, millis};

/// Waits for this span; in tests no time passes. Spans are whole milliseconds, rounded up.
///
/// # Errors
/// [`OpError::Canceled`], once, when the client cancels meanwhile.
pub fn sleep(span: Duration) -> Result<(), OpError> {
    current::host().sleep(millis::of_span(span))
}

/// Waits until this moment; not at all if it is past.
///
/// # Errors
/// [`OpError::Canceled`], once, when the client cancels meanwhile.
pub fn sleep_until(moment: SystemTime) -> Result<(), OpError> {
    current::host().sleep_until(millis::of_moment(moment))
}

/// A ticket that is complete once this span has passed: the time limit in a
/// [`select`](crate::select()).
#[must_use]
pub fn timer(span: Duration) -> Ticket<()> {
    let id = current::host().timer(millis::of_span(span));
    Ticket::new(id, wait_for)
}

/// A ticket that is complete from this moment on.
#[must_use]
pub fn timer_at(moment: SystemTime) -> Ticket<()> {
    let id = current::host().timer_at(millis::of_moment(moment));
    Ticket::new(id, wait_for)
}

fn wait_for(timer: TicketId) -> Result<(), OpError> {
    current::host().wait_any(&[timer], None).map(drop)
}

/// The time, in whole milliseconds. In a worker `SystemTime::now()` gives the same; in tests this one can
/// be replayed.
pub fn now() -> SystemTime {
    millis::to_moment(current::host().now())
}

/// A random UUID, for names and idempotency keys. The same in every replay.
pub fn new_id() -> String {
    current::host().new_id()
}

/// A random number. The same in every replay.
pub fn random() -> u64 {
    current::host().random()
}

//! Walks the log as of the beginning of the run, entry by entry.

use std::collections::VecDeque;

use taskyard_task::{Entry, Event, Seq, Submission, Timestamp};

use super::inbox::Inbox;

/// How many bytes of entries a page is meant to have.
const PAGE_BYTES: usize = 1 << 20;
/// Before anything is known about the sizes of entries. Enough for tasks that just begin.
const FIRST_PAGE: usize = 16;
/// However small they look: entries take room of their own that `Event::size` does not count.
const MOST_PER_PAGE: usize = 1_024;

/// An entry that the worker caused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logged {
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) event: Event,
}

/// The log as of the beginning of the run, read page by page.
///
/// Between two calls of the worker it is never hungry: it knows the next entry that the worker
/// caused, or that there is none.
#[derive(Debug)]
pub(super) struct Journal {
    page: VecDeque<(Seq, Entry)>,
    /// How many entries the next page shall have.
    page_size: usize,
    /// The last entry read.
    read: Seq,
    /// The last entry that can have been caused by an earlier run.
    end: Seq,
    next: Option<Logged>,
    /// How the task began, until somebody takes it.
    submitted: Option<(Timestamp, Box<Submission>)>,
    /// What the client sent meanwhile.
    pub(super) inbox: Inbox,
}

impl Journal {
    /// A log of which nothing is read yet, and nothing behind `end` will be.
    pub(super) fn new(end: Seq) -> Self {
        Self {
            page: VecDeque::new(),
            page_size: FIRST_PAGE,
            read: Seq::ZERO,
            end,
            next: None,
            submitted: None,
            inbox: Inbox::default(),
        }
    }

    /// Where the next page begins and how long it shall be, if one is needed to know how it goes on.
    pub(super) fn hunger(&self) -> Option<(Seq, usize)> {
        let left = usize::try_from(self.end.0.saturating_sub(self.read.0)).unwrap_or(usize::MAX);
        let hungry = self.next.is_none() && left > 0;
        hungry.then_some((self.read, self.page_size.min(left)))
    }

    /// Takes the page that was asked for; an empty one means that the log is shorter than it said.
    pub(super) fn feed(&mut self, page: Vec<(Seq, Entry)>) {
        self.read = page.last().map_or(self.end, |(seq, _)| *seq);
        let bytes: usize = page.iter().map(|(_, entry)| entry.event.size()).sum();
        let average = bytes / page.len().max(1);
        self.page_size = (PAGE_BYTES / average.max(1)).clamp(1, MOST_PER_PAGE);
        self.page.extend(page);
        self.advance();
    }

    /// The next entry that the worker caused; none: the run is live.
    pub(super) fn next(&self) -> Option<&Logged> {
        self.next.as_ref()
    }

    /// Goes on behind the next entry that the worker caused.
    pub(super) fn pass(&mut self) {
        self.next = None;
        self.advance();
    }

    /// How the task began.
    pub(super) fn take_submitted(&mut self) -> Option<(Timestamp, Box<Submission>)> {
        self.submitted.take()
    }

    fn advance(&mut self) {
        while self.next.is_none()
            && let Some((seq, entry)) = self.page.pop_front()
        {
            self.walk(seq, entry);
        }
    }

    fn walk(&mut self, seq: Seq, Entry { at, event }: Entry) {
        match event {
            Event::Submitted(submission) => self.submitted = Some((at, submission)),
            Event::Received { message } => self.inbox.push(seq, at, message),
            event if event.is_journaled() => self.next = Some(Logged { seq, at, event }),
            // What the host and the client did around the worker.
            _ => {}
        }
    }
}

//! Walks the log as of the beginning of the run, entry by entry.

use std::collections::{HashSet, VecDeque};

use taskyard_task::{Continuation, Entry, Event, Seq, Submission, Ticket, Timestamp, header};

use super::outside::Outside;

/// How many bytes of entries a page is meant to have.
const PAGE_BYTES: usize = 1 << 20;
/// Before anything is known about the sizes of entries. Enough for tasks that just begin.
const FIRST_PAGE: usize = 16;
/// However small they look: entries take room of their own that `Event::size` does not count.
const MOST_PER_PAGE: usize = 1_024;

/// The entry that begins every log.
const SUBMISSION: Seq = Seq(1);

/// An entry that the worker caused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logged {
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) event: Event,
}

/// Which part of a log counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extent {
    /// The entry that the worker's part begins with, if that is not the submission.
    pub(crate) from: Seq,
    /// The last entry that can have been caused by an earlier run.
    pub(crate) end: Seq,
    /// What operators took back.
    pub(crate) rewound: Vec<(Seq, Seq)>,
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
    extent: Extent,
    next: Option<Logged>,
    /// How the task began, until somebody takes it.
    submitted: Option<(Timestamp, Box<Submission>)>,
    /// What the worker took with it when it continued as new, until somebody takes it.
    continued: Option<(Seq, Timestamp, Box<Continuation>)>,
    /// Children that were started in what was taken back.
    forgotten: HashSet<Ticket>,
    /// What came from outside meanwhile.
    pub(super) outside: Outside,
}

impl Journal {
    /// A log of which nothing is read yet.
    pub(super) fn new(extent: Extent) -> Self {
        Self {
            page: VecDeque::new(),
            page_size: if extent.from > SUBMISSION {
                1
            } else {
                FIRST_PAGE
            },
            read: Seq::ZERO,
            extent,
            next: None,
            submitted: None,
            continued: None,
            forgotten: HashSet::new(),
            outside: Outside::default(),
        }
    }

    /// Where the next page begins and how long it shall be, if one is needed to know how it goes on.
    pub(super) fn hunger(&self) -> Option<(Seq, usize)> {
        let left = self.extent.end.0.saturating_sub(self.read.0);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let hungry = self.next.is_none() && left > 0;
        hungry.then_some((self.read, self.page_size.min(left)))
    }

    /// Takes the page that was asked for; an empty one means that the log is shorter than it said.
    pub(super) fn feed(&mut self, page: Vec<(Seq, Entry)>) {
        self.read = page.last().map_or(self.extent.end, |(seq, _)| *seq);
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

    /// Takes the next entry that the worker caused, and goes on behind it.
    pub(super) fn pass(&mut self) -> Option<Logged> {
        let passed = self.next.take();
        self.advance();
        passed
    }

    /// How the task began.
    pub(super) fn take_submitted(&mut self) -> Option<(Timestamp, Box<Submission>)> {
        self.submitted.take()
    }

    /// What the worker took with it when it continued as new.
    pub(super) fn take_continued(&mut self) -> Option<(Seq, Timestamp, Box<Continuation>)> {
        self.continued.take()
    }

    fn advance(&mut self) {
        while self.next.is_none()
            && let Some((seq, entry)) = self.page.pop_front()
        {
            self.walk(seq, entry);
        }
    }

    fn walk(&mut self, seq: Seq, entry: Entry) {
        let counts = header::counts(&self.extent.rewound, seq);
        if let Event::ChildStarted {
            ticket,
            begun: Ok(_),
            ..
        } = &entry.event
        {
            // Tickets are counted again behind what was taken back.
            match counts {
                true => self.forgotten.remove(ticket),
                false => self.forgotten.insert(*ticket),
            };
        }
        match entry.event {
            Event::Submitted(submission) => {
                self.submitted = Some((entry.at, submission));
                // What is between is no part of what is replayed.
                self.read = self.read.max(Seq(self.extent.from.0.saturating_sub(1)));
            }
            Event::ContinuedAsNew(continuation) if seq == self.extent.from => {
                self.continued = Some((seq, entry.at, continuation));
            }
            Event::ChildEnded { ticket, .. } if !counts && self.forgotten.contains(&ticket) => {
                // Nor is it to be read again while live.
                self.outside.skip_to(seq);
            }
            ref event if event.is_from_outside() => self.outside.push(seq, entry),
            event if event.is_journaled() && counts => {
                self.next = Some(Logged {
                    seq,
                    at: entry.at,
                    event,
                });
            }
            // What the host did around the worker, and what an operator took back.
            _ => {}
        }
    }
}

//! Tasks as they are, without the content of large artifacts; and that content, part by part.

use std::collections::VecDeque;
use std::sync::Arc;

use taskyard_storage::{ReadError, Storage};
use taskyard_task::outline::part_of;
use taskyard_task::{Entry, Header, Outline, Part, PartBody, Seq, TaskId, TaskView};

use crate::broker::Broker;
use crate::error::Error;
use crate::operations::TaskSnapshot;
use crate::run::leaves_outline;
use crate::slots::Slot;

/// Entries that are folded at once; each is at most a few hundred bytes without its content.
const FOLD_PAGE: usize = 1_024;
/// What is read at once of content: about what a connection takes at once. One entry can be larger.
const READ_AHEAD_BYTES: usize = 256 << 10;
/// Small parts that are read at once.
const READ_AHEAD: usize = 256;

impl Broker {
    /// What the durable log of a task amounts to, up to where `header` says. [`Error::TaskNotFound`] if it
    /// was forgotten meanwhile.
    pub(crate) fn snapshot_of(&self, header: Header) -> Result<TaskSnapshot, Error> {
        self.snapshot_with(header, None)
    }

    /// The same with at most so many of the most recent messages.
    pub(crate) fn snapshot_with(
        &self,
        header: Header,
        history_length: Option<usize>,
    ) -> Result<TaskSnapshot, Error> {
        let stored = match leaves_outline(&header) {
            true => self.shared.storage.outline(header.id)?,
            false => None,
        };
        let mut outline = match stored {
            Some(outline) => outline,
            None => self.fold_with(&header, history_length)?,
        };
        outline.keep_history(history_length);
        Ok(TaskSnapshot { header, outline })
    }

    /// A task as its entry `seq` left it.
    pub(crate) fn snapshot_at(&self, header: Header, seq: Seq) -> Result<TaskSnapshot, Error> {
        if header.last == seq {
            return self.snapshot_of(header);
        }
        let last = seq;
        let header = Header { last, ..header };
        let outline = self.fold(&header)?;
        Ok(TaskSnapshot { header, outline })
    }

    pub(crate) fn fold(&self, header: &Header) -> Result<Outline, Error> {
        self.fold_with(header, None)
    }

    fn fold_with(&self, header: &Header, history_length: Option<usize>) -> Result<Outline, Error> {
        let (task, last) = (header.id, header.last);
        let mut outline = Outline::default();
        while outline.view.last < last {
            let read = outline.view.last;
            let page = self.shared.storage.light_log(task, read, FOLD_PAGE)?;
            if page.is_empty() {
                if self.shared.storage.header(task)?.is_none() {
                    return Err(Error::TaskNotFound);
                }
                let problem = format!("the log of task {task} ends at {read} instead of {last}");
                return Err(Error::Internal(problem));
            }
            for (seq, entry) in page.into_iter().take_while(|(seq, _)| *seq <= last) {
                outline.apply(&header.rewound, seq, entry);
            }
            outline.keep_history(history_length);
        }
        Ok(outline)
    }

    /// The fold with all content of its artifacts. All of it is in memory: only for those who need it at once.
    ///
    /// # Errors
    /// [`Error::Internal`] if it cannot be read, [`Error::TaskNotFound`] if it was forgotten meanwhile.
    pub fn whole(&self, snapshot: &TaskSnapshot) -> Result<TaskView, Error> {
        let TaskSnapshot { header, outline } = snapshot;
        let mut view = outline.view.clone();
        for (place, artifact) in view.artifacts.iter_mut().enumerate() {
            artifact.parts = self.whole_parts(header.id, outline, place)?;
        }
        Ok(view)
    }

    /// The parts of the artifact at this place of an outline, with all of their content.
    pub(crate) fn whole_parts(
        &self,
        task: TaskId,
        outline: &Outline,
        artifact: usize,
    ) -> Result<Vec<Part>, Error> {
        let mut content = self.content(task, apart(outline, artifact));
        let mut whole = Vec::new();
        for (part, apart) in outline.parts_of(artifact) {
            let mut part = part.clone();
            if apart.is_some() {
                part.body = content.next_body()?;
            }
            whole.push(part);
        }
        Ok(whole)
    }

    /// Reads the content of these parts, which their entries hold. The task is not forgotten before the reader
    /// is dropped.
    #[must_use]
    pub fn content(&self, task: TaskId, wanted: impl IntoIterator<Item = Apart>) -> ContentReader {
        ContentReader {
            storage: self.shared.storage.clone(),
            task,
            wanted: wanted.into_iter().collect(),
            read: VecDeque::new(),
            _slot: self.shared.slots.get(task),
        }
    }
}

/// A part whose content is only in its entry.
#[derive(Debug, Clone, Copy)]
pub struct Apart {
    entry: Seq,
    /// Its place in its artifact.
    place: usize,
}

/// Those of the artifact at this place of an outline, in order.
pub fn apart(outline: &Outline, artifact: usize) -> impl Iterator<Item = Apart> {
    let parts = outline.parts_of(artifact).enumerate();
    parts.filter_map(|(place, (_, content))| {
        let entry = content?.apart?;
        Some(Apart { entry, place })
    })
}

/// Reads the content of parts one after the other, in few reads and little memory.
pub struct ContentReader {
    storage: Storage,
    task: TaskId,
    /// The parts that were not given yet.
    wanted: VecDeque<Apart>,
    /// The next entries that hold them.
    read: VecDeque<(Seq, Entry)>,
    /// Keeps the task from being forgotten.
    _slot: Arc<Slot>,
}

impl std::fmt::Debug for ContentReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentReader")
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

impl ContentReader {
    /// Whether all was given.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The content of the next part.
    ///
    /// # Errors
    /// [`Error::Internal`] if it cannot be read or there is none, [`Error::TaskNotFound`] if the task is gone.
    pub fn next_body(&mut self) -> Result<PartBody, Error> {
        let missing = || Error::Internal(format!("task {} lacks a part of a result", self.task));
        let next = self.wanted.pop_front().ok_or_else(missing)?;
        // Entries were read in the order in which parts want them, which need not be that of the log.
        while self.read.front().is_some_and(|(seq, _)| *seq != next.entry) {
            self.read.pop_front();
        }
        if self.read.is_empty() {
            self.read = self.read_from(next)?.into();
        }
        let (seq, entry) = self.read.front().ok_or(Error::TaskNotFound)?;
        let part = (*seq == next.entry).then(|| part_of(&entry.event, next.place));
        let part = part.flatten().ok_or_else(missing)?;
        Ok(part.body.clone())
    }

    /// Some entries, the one that holds `next` first.
    fn read_from(&self, next: Apart) -> Result<Vec<(Seq, Entry)>, ReadError> {
        let later = self.wanted.iter().take(READ_AHEAD);
        let mut seqs: Vec<_> = std::iter::once(&next)
            .chain(later)
            .map(|it| it.entry)
            .collect();
        seqs.dedup();
        self.storage.entries(self.task, &seqs, READ_AHEAD_BYTES)
    }
}

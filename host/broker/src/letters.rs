//! Letters between tasks: committed with the change that caused them, delivered afterwards, once.
//!
//! A delivery is one more change of the recipient, and takes the letter in the same commit. Delivering
//! twice does nothing the second time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use taskyard_storage::{ReadError, Storage};
use taskyard_task::{Change, ChildEnd, Commit, Header, Input, Letter, News};
use tokio::sync::Notify;

use crate::broker::Broker;
use crate::error::Error;
use crate::lines::BACKGROUND;

/// Letters that are kept in memory; further ones are read from the disk once these are under way.
const MAX_KEPT: usize = 16_384;
/// Letters that are read from the disk at once.
const PAGE: usize = 1_024;
/// Letters that are delivered at once. Each waits for the disk, and may carry all results of a child.
const AT_ONCE: usize = 32;
/// How long to wait after a delivery that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The letters that are to be delivered.
pub(crate) struct Mailbox {
    waiting: Mutex<Waiting>,
    added: Notify,
}

struct Waiting {
    letters: VecDeque<Letter>,
    unread: Unread,
}

/// What may be on the disk and not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    Nothing,
    All,
    Behind(Letter),
}

impl Default for Mailbox {
    fn default() -> Self {
        let waiting = Waiting {
            letters: VecDeque::new(),
            // What was posted before the start.
            unread: Unread::All,
        };
        Self {
            waiting: Mutex::new(waiting),
            added: Notify::new(),
        }
    }
}

impl Mailbox {
    /// A letter is durable.
    pub(crate) fn post(&self, letter: Letter) {
        let mut waiting = self.waiting();
        if waiting.letters.len() < MAX_KEPT {
            waiting.letters.push_back(letter);
        } else {
            waiting.unread = Unread::All;
        }
        self.added.notify_one();
    }

    /// The next letter, from the disk if there is none in memory. It may have been given before.
    fn next(&self, storage: &Storage) -> Result<Option<Letter>, ReadError> {
        let letter = self.waiting().letters.pop_front();
        if letter.is_some() {
            return Ok(letter);
        }
        self.read_on(storage)?;
        Ok(self.waiting().letters.pop_front())
    }

    fn read_on(&self, storage: &Storage) -> Result<(), ReadError> {
        let unread = std::mem::replace(&mut self.waiting().unread, Unread::Nothing);
        let page = match &unread {
            Unread::Nothing => return Ok(()),
            Unread::All => storage.letters(None, PAGE),
            Unread::Behind(last) => storage.letters(Some(last), PAGE),
        };
        let mut waiting = self.waiting();
        let page = page.inspect_err(|_| waiting.unread = Unread::All)?;
        if let Some(last) = page.last()
            && page.len() == PAGE
            && waiting.unread == Unread::Nothing
        {
            waiting.unread = Unread::Behind(*last);
        }
        waiting.letters.extend(page);
        Ok(())
    }

    fn read_again(&self) {
        self.waiting().unread = Unread::All;
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker {
    pub(crate) async fn run_letters(self) {
        tokio::select! {
            () = self.deliver_letters() => {}
            () = self.shared.closing.cancelled() => {}
            () = self.shared.failed.cancelled() => {}
        }
    }

    async fn deliver_letters(&self) {
        let mailbox = &self.shared.mailbox;
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < AT_ONCE {
                match mailbox.next(&self.shared.storage) {
                    Ok(Some(letter)) => under_way.push(self.deliver_or_retry(letter)),
                    Ok(None) => break,
                    Err(error) => {
                        if let Some(left_out) = BACKGROUND.next() {
                            tracing::error!(%error, left_out, "cannot read the letters between tasks");
                        }
                        // They are still there: nobody else would say so.
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            tokio::select! {
                Some(()) = under_way.next() => {}
                () = mailbox.added.notified() => {}
            }
        }
    }

    async fn deliver_or_retry(&self, letter: Letter) {
        if let Err(error) = self.deliver(letter).await {
            if let Some(left_out) = BACKGROUND.next() {
                tracing::error!(from = %letter.from, to = %letter.to, news = ?letter.news, %error, left_out, "cannot deliver a letter between tasks");
            }
            tokio::time::sleep(PAUSE).await;
            self.shared.mailbox.read_again();
        }
    }

    async fn deliver(&self, letter: Letter) -> Result<(), Error> {
        match letter.news {
            News::ChildEnded => {
                let end = self.child_end(&letter)?;
                self.hand_over(letter, end.map(Box::new)).await
            }
            News::Cancel => self.hand_over(letter, None).await,
            News::CancelRemote { since } => self.cancel_remote(letter, since).await,
        }
    }

    async fn hand_over(&self, letter: Letter, end: Option<Box<ChildEnd>>) -> Result<(), Error> {
        let input = Input::Letter { letter, end };
        match self.change(letter.to, input, |_| Ok(())).await {
            Ok(_) => Ok(()),
            Err(Error::TaskNotFound) => self.take(letter).await,
            Err(error) => Err(error),
        }
    }

    /// How a child ended; nothing if its parent does not care any more.
    fn child_end(&self, letter: &Letter) -> Result<Option<ChildEnd>, Error> {
        let storage = &self.shared.storage;
        let Some(parent) = storage.header(letter.to)? else {
            return Ok(None);
        };
        let mut children = parent.children.iter();
        if !children.any(|child| child.task == Some(letter.from)) {
            return Ok(None);
        }
        let end = match storage.header(letter.from)? {
            Some(child) => self.end_of(child, self.message_bytes(&parent.agent))?,
            None => ChildEnd::failed("the child's task is gone"),
        };
        Ok(Some(end))
    }

    /// Results that are too large for the parent are not even read.
    fn end_of(&self, child: Header, most_bytes: usize) -> Result<ChildEnd, Error> {
        let child = self.snapshot_of(child)?;
        match ChildEnd::of_too_much(&child.outline, most_bytes) {
            Some(end) => Ok(end),
            None => Ok(ChildEnd::of(self.whole(&child)?, most_bytes)),
        }
    }

    /// Nobody is there who could read it.
    async fn take(&self, letter: Letter) -> Result<(), Error> {
        let place = self.shared.storage.reserve(0).await?;
        let taken = Change::Taken { letter };
        let commit = Commit::new(letter.to.partition(), 1, vec![taken]);
        place.submit(commit, Arc::new(())).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use taskyard_task::{Partition, TaskId, Ticket};
    use tempfile::TempDir;

    use super::*;

    fn letters(count: u64) -> Vec<Letter> {
        let ids = taskyard_clock::IdSource::seeded(1);
        let to = ids.task_id(Some(Partition::of_hash(1)));
        let letter = |ticket| Letter {
            to,
            from: TaskId::from_bytes([0; 16]),
            ticket: Ticket(ticket),
            news: News::ChildEnded,
        };
        (0..count).map(letter).collect()
    }

    fn storage(folder: &TempDir) -> Storage {
        let config = taskyard_storage::Config {
            folder: folder.path().to_owned(),
            sync: false,
            max_open_files: None,
            accept_data_loss: false,
        };
        Storage::open(&config, |_| {}).unwrap()
    }

    fn all(mailbox: &Mailbox, storage: &Storage) -> Vec<Letter> {
        std::iter::from_fn(|| mailbox.next(storage).unwrap()).collect()
    }

    #[tokio::test]
    async fn letters_are_read_from_the_disk_page_by_page() {
        let folder = TempDir::new().unwrap();
        let storage = storage(&folder);
        let posted = letters(2 * PAGE as u64 + 1);
        let changes = posted.iter().map(|letter| Change::Post { letter: *letter });
        let commit = Commit::new(Partition::of_hash(1), 1, changes.collect());
        let place = storage.reserve(0).await.unwrap();
        place.submit(commit, Arc::new(())).await.unwrap();
        let mailbox = Mailbox::default();
        assert_eq!(all(&mailbox, &storage), posted);

        // What finds no place in memory is found on the disk.
        let more = letters(MAX_KEPT as u64);
        more.iter().for_each(|letter| mailbox.post(*letter));
        mailbox.post(posted[0]);
        assert_eq!(all(&mailbox, &storage), [more, posted].concat());
    }
}

//! Following a task: the log from a number on, first what is stored, then what becomes durable.
//!
//! A watch reads the log at its own pace. It holds up neither the worker nor other watches, and can
//! lose nothing.

use std::sync::Arc;

use taskyard_task::{AgentName, Entry, Header, Seq, TaskId};
use tokio::sync::watch;

use crate::broker::Broker;
use crate::error::Error;
use crate::operations::{Caller, TaskSnapshot};
use crate::patience::unanswered;
use crate::send::Sent;
use crate::slots::Slot;

/// Entries that are read at once.
const PAGE: usize = 256;

/// A view of a task that moves on.
pub struct Watch {
    broker: Broker,
    header: Header,
    applied: watch::Receiver<u64>,
    after: Seq,
    /// Keeps the slot, and with it the wake-ups, alive.
    slot: Arc<Slot>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("task", &self.header.id)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

impl Broker {
    /// Follows a task that the caller may see.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`].
    pub async fn watch(
        &self,
        caller: &Caller,
        agent: &AgentName,
        task: TaskId,
    ) -> Result<Watch, Error> {
        let watch = self.watch_task(task)?;
        caller.may_see(agent, &watch.header)?;
        Ok(watch)
    }

    /// Follows the task of a message just sent, which may still end in a direct answer.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub async fn watch_sent(&self, sent: &Sent) -> Result<Watch, Error> {
        self.watch_task(sent.task)
    }

    /// Waits until the turn that a message began is over: the task ended, or waits for somebody
    /// (A2A 3.2.2), or was answered directly.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the host fails meanwhile.
    pub async fn turn_end(&self, sent: &Sent) -> Result<TaskSnapshot, Error> {
        self.watch_task(sent.task)?.turn_end(sent.seq).await
    }

    /// Waits until `task` has ended.
    pub(crate) async fn ended(&self, task: TaskId) -> Result<(), Error> {
        self.watch_task(task)?
            .until(Header::is_ended)
            .await
            .map(|_| ())
    }

    /// Waits until clients can be shown `task`, or until it has ended.
    pub(crate) async fn shown(&self, task: TaskId) -> Result<(), Error> {
        self.watch_task(task)?
            .until(|header| header.announced || header.is_ended())
            .await
            .map(|_| ())
    }

    fn watch_task(&self, task: TaskId) -> Result<Watch, Error> {
        let slot = self.shared.slots.get(task);
        // IMPORTANT: before the first look, or what becomes durable in between would wake nobody.
        let applied = slot.follow();
        // IMPORTANT: after following, which is what keeps a task from being forgotten.
        if slot.turn().is_gone() {
            return Err(Error::TaskNotFound);
        }
        let header = self
            .shared
            .storage
            .header(task)?
            .ok_or(Error::TaskNotFound)?;
        Ok(Watch {
            broker: self.clone(),
            header,
            applied,
            after: Seq::ZERO,
            slot,
        })
    }
}

impl Watch {
    /// Follows a task that was decided about and is not on the disk yet.
    pub(crate) fn of_new(broker: &Broker, header: Header, slot: &Arc<Slot>) -> Self {
        Self {
            broker: broker.clone(),
            header,
            applied: slot.follow(),
            after: Seq::ZERO,
            slot: Arc::clone(slot),
        }
    }

    /// What the task came to, if its first commit, which is durable now, was all of it.
    pub(crate) fn take_whole(&self) -> Option<TaskSnapshot> {
        self.slot.turn().take_whole()
    }

    /// Waits until the turn that entry `seq` began is over.
    pub(crate) async fn turn_end(&mut self, seq: Seq) -> Result<TaskSnapshot, Error> {
        let over = |header: &Header| header.is_ended() || header.state.is_interrupted();
        let header = self
            .until(|header| header.last >= seq && over(header))
            .await?;
        self.broker.snapshot_of(header)
    }

    /// Which task: id, conversation, agent and tenant never change; the rest is as of the last look.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The task as it is; [`Watch::next`] goes on behind it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if it cannot be read.
    pub async fn snapshot(&mut self) -> Result<TaskSnapshot, Error> {
        self.look()?;
        let snapshot = self.broker.snapshot_of(self.header.clone())?;
        self.after = snapshot.header.last;
        Ok(snapshot)
    }

    /// The task as the client's message `sent` left it; [`Watch::next`] goes on behind it.
    ///
    /// # Errors
    /// [`Error::Internal`] if it cannot be read.
    pub async fn snapshot_of_sent(&mut self, sent: Seq) -> Result<TaskSnapshot, Error> {
        let header = self.until(|header| header.last >= sent).await?;
        let mut snapshot = self.broker.snapshot_at(header.clone(), sent)?;
        // A message to a task that waited also made it work again, in the entry behind its own: nobody must
        // take the old question for a new one.
        if snapshot.outline.view.state.is_interrupted() && header.last > sent {
            snapshot = self.broker.snapshot_at(header, sent.next())?;
        }
        self.after = snapshot.outline.view.last;
        Ok(snapshot)
    }

    /// Where the task is.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Goes on behind entry `seq`.
    pub fn resume_after(&mut self, seq: Seq) {
        self.after = seq;
    }

    /// Waits until clients may be shown the task, or until it was answered directly; [`Watch::next`]
    /// goes on behind what is returned.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the host fails meanwhile.
    pub async fn announced(&mut self) -> Result<TaskSnapshot, Error> {
        self.until(|header| header.announced || header.is_ended())
            .await?;
        self.snapshot().await
    }

    /// The next entries, in order, once they are durable; at most 256. Empty: the task has ended and
    /// nothing will follow.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the host fails meanwhile. A task that is followed is not forgotten.
    pub async fn next(&mut self) -> Result<Vec<(Seq, Entry)>, Error> {
        loop {
            self.applied.mark_unchanged();
            let entries = self
                .broker
                .shared
                .storage
                .log(self.header.id, self.after, PAGE)?;
            if let Some((last, _)) = entries.last() {
                self.after = *last;
                return Ok(entries);
            }
            self.look()?;
            if self.header.is_ended() && self.header.last <= self.after {
                return Ok(Vec::new());
            }
            if self.header.last <= self.after {
                self.changed().await?;
            }
        }
    }

    async fn until(&mut self, reached: impl Fn(&Header) -> bool) -> Result<Header, Error> {
        loop {
            self.applied.mark_unchanged();
            self.look()?;
            if reached(&self.header) {
                return Ok(self.header.clone());
            }
            self.changed().await?;
        }
    }

    fn look(&mut self) -> Result<(), Error> {
        match self.broker.shared.storage.header(self.header.id)? {
            Some(header) => self.header = header,
            None if self.slot.turn().is_gone() => return Err(Error::TaskNotFound),
            // It is decided, but not durable yet.
            None => {}
        }
        Ok(())
    }

    /// Waits for the first change of a task that its caller knows nothing of yet.
    pub(crate) async fn first_change(&mut self) -> Result<(), Error> {
        let broker = self.broker.clone();
        tokio::select! {
            biased;
            changed = self.changed() => changed,
            trouble = broker.shared.storage.trouble() => Err(unanswered(&trouble)),
        }
    }

    pub(crate) async fn changed(&mut self) -> Result<(), Error> {
        let failed = || Error::Unavailable("the host cannot store anything any more".to_owned());
        tokio::select! {
            changed = self.applied.changed() => changed.map_err(|_| failed()),
            () = self.broker.shared.failed.cancelled() => Err(failed()),
        }
    }
}

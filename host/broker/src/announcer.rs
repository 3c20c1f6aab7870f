//! Tasks that stay quiet are shown to their clients after a while, and can then no longer end in a
//! direct message.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use taskyard_storage::{ReadError, WorkItem};
use taskyard_task::{Header, Input, TaskId, Timestamp};
use tokio::sync::Notify;

use crate::broker::Broker;
use crate::error::Error;

/// New tasks in the order of their submission. Bounded by what is submitted within the delay, which
/// is the same for all of them.
#[derive(Default)]
pub(crate) struct Announcer {
    waiting: Mutex<VecDeque<(Timestamp, TaskId)>>,
    added: Notify,
}

impl Announcer {
    fn push(&self, due: Timestamp, task: TaskId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((due, task));
        if waiting.len() == 1 {
            self.added.notify_one();
        }
    }

    fn first(&self) -> Option<(Timestamp, TaskId)> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .front()
            .copied()
    }

    fn pop(&self) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
    }
}

impl Broker {
    /// Shows `task` to clients in a while, unless that happens or it ends before.
    pub(crate) fn announce_later(&self, task: TaskId) {
        let now = self.shared.sources.clock.now();
        let due = now.plus_millis(self.shared.config.task.announce_after_ms);
        self.shared.announcer.push(due, task);
    }

    /// Whoever waited for a task before a restart is gone, and looks for it in lists.
    pub(crate) fn announce_recovered(&self, work: &[WorkItem]) -> Result<(), ReadError> {
        for item in work {
            let header = self.shared.storage.header(item.task)?;
            if header.is_some_and(|header| !header.announced) {
                self.announce_later(item.task);
            }
        }
        Ok(())
    }

    pub(crate) async fn run_announcer(self) {
        let stop = self.shared.closing.clone();
        stop.run_until_cancelled(async {
            loop {
                self.announce_next().await;
            }
        })
        .await;
    }

    async fn announce_next(&self) {
        let Some((due, task)) = self.shared.announcer.first() else {
            self.shared.announcer.added.notified().await;
            return;
        };
        let wait = due.millis_since(self.shared.sources.clock.now());
        if wait > 0 {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            return;
        }
        self.shared.announcer.pop();
        if let Err(error) = self.announce(task).await {
            tracing::warn!(%task, %error, "cannot announce a task");
            if let Error::Unavailable(_) = error {
                self.announce_later(task);
            }
        }
    }

    /// Shows `task` to clients now, unless it has ended.
    pub(crate) async fn announce(&self, task: TaskId) -> Result<(), Error> {
        let quiet = |header: &Header| !header.announced && !header.is_ended();
        let slot = self.shared.slots.get(task);
        // As decided: what is not on the disk yet must not be forgotten here.
        if !slot.turn().header(&self.shared.storage)?.is_some_and(quiet) {
            return Ok(());
        }
        let unless_ended = |header: &Header| match header.is_ended() {
            true => Err(Error::TaskNotFound),
            false => Ok(()),
        };
        match self.change(task, Input::Announce, unless_ended).await {
            // It ended meanwhile, and is visible or was answered directly.
            Ok(_) | Err(Error::TaskNotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

//! Children on other hosts: which there are, and how far each is.
//!
//! The row of such a child has two writers: whoever follows it there, and the letter of a parent that
//! wants it no more. They take turns.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use taskyard_task::{
    AgentName, Change, ChildEnd, Commit, EgressPolicy, Input, Letter, RemoteChild, RemoteId,
    RemoteStage, Seq, Timestamp,
};
use tokio::sync::{MutexGuard, Notify};

use crate::broker::Broker;
use crate::error::Error;

/// The children that somebody must look at, because they are new or wanted no more. At most one element
/// for each that has a row on disk.
#[derive(Default)]
pub(crate) struct Remotes {
    ready: Mutex<HashSet<RemoteId>>,
    added: Notify,
    turns: Turns,
}

impl Remotes {
    pub(crate) fn add(&self, children: impl IntoIterator<Item = RemoteId>) {
        self.ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(children);
        self.added.notify_one();
    }

    fn take(&self) -> Vec<RemoteId> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.drain().collect()
    }
}

/// A child on another host, and under which circumstances it is followed.
#[derive(Debug, Clone)]
pub struct RemoteWork {
    /// The child.
    pub child: RemoteChild,
    /// Whether its parent waits for its end, or may come to do so.
    pub awaited: bool,
    /// When its parent ends, at the latest.
    pub deadline: Timestamp,
    /// What the agent may ask of whom, as of now.
    pub egress: EgressPolicy,
    /// How many bytes its results may have.
    pub most_bytes: usize,
}

impl Broker {
    /// Waits for children on other hosts that are new or wanted no more since the last call. The first
    /// call gives all that there are.
    pub async fn remotes_ready(&self) -> Vec<RemoteId> {
        loop {
            let ready = self.shared.remotes.take();
            if !ready.is_empty() {
                return ready;
            }
            self.shared.remotes.added.notified().await;
        }
    }

    /// A child on another host; nothing once it is over.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if it cannot be read.
    pub async fn remote(&self, id: RemoteId) -> Result<Option<RemoteWork>, Error> {
        let storage = &self.shared.storage;
        let parent = storage.header(id.parent)?;
        let awaited = parent.as_ref().is_some_and(|parent| {
            let mut children = parent.children.iter();
            children.any(|child| child.since == id.since && child.task.is_none())
        });
        let Some(mut child) = storage.remote(id)? else {
            return Ok(None);
        };
        if !awaited && !child.cancel {
            // IMPORTANT: after the header and before the row. Whatever a parent that is over wanted is then
            // still in a letter, or in the row already.
            let cancel = storage.is_posted(&child.cancel_letter())?;
            child = match storage.remote(id)? {
                Some(child) => child,
                None => return Ok(None),
            };
            child.cancel |= cancel;
        }
        Ok(Some(RemoteWork {
            awaited,
            deadline: parent.map_or_else(Timestamp::default, |parent| parent.deadline),
            egress: self.egress_of(&child.agent),
            most_bytes: self.message_bytes(&child.agent),
            child,
        }))
    }

    /// A child on another host is further than it was. Returns once that is durable.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if that cannot be stored.
    pub async fn remote_stage(&self, id: RemoteId, stage: RemoteStage) -> Result<(), Error> {
        let _turn = self.shared.remotes.turns.of(id).await;
        match self.shared.storage.remote(id)? {
            Some(child) => {
                let child = Box::new(RemoteChild { stage, ..child });
                self.commit_remote(id, vec![Change::PutRemote { child }])
                    .await
            }
            None => Ok(()),
        }
    }

    /// A child on another host ended, or could not be started or followed; its parent learns of it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if that cannot be stored.
    pub async fn remote_ended(&self, id: RemoteId, end: ChildEnd) -> Result<(), Error> {
        let _turn = self.shared.remotes.turns.of(id).await;
        let input = Input::RemoteEnded {
            since: id.since,
            end: Box::new(end),
        };
        match self.change(id.parent, input, |_| Ok(())).await {
            Ok(_) => Ok(()),
            Err(Error::TaskNotFound) => {
                self.commit_remote(id, vec![Change::DeleteRemote { child: id }])
                    .await
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a letter that says that a child elsewhere is wanted no more.
    pub(crate) async fn cancel_remote(&self, letter: Letter, since: Seq) -> Result<(), Error> {
        let id = RemoteId {
            parent: letter.to,
            since,
        };
        let _turn = self.shared.remotes.turns.of(id).await;
        let mut changes = vec![Change::Taken { letter }];
        if let Some(child) = self.shared.storage.remote(id)? {
            let cancel = true;
            let child = Box::new(RemoteChild { cancel, ..child });
            changes.push(Change::PutRemote { child });
        }
        self.commit_remote(id, changes).await
    }

    /// What the workers of an agent may ask of whom, as of now.
    pub(crate) fn egress_of(&self, agent: &AgentName) -> EgressPolicy {
        let agents = self.agents();
        let agent = agents.get(agent);
        agent.map_or_else(EgressPolicy::default, |agent| agent.egress.clone())
    }

    /// How many bytes a message of an agent's worker may have, as of now.
    pub(crate) fn message_bytes(&self, agent: &AgentName) -> usize {
        let agents = self.agents();
        let agent = agents.get(agent);
        let limits = agent.map_or(self.shared.config.worker, |agent| agent.limits);
        usize::try_from(limits.message_bytes).unwrap_or(usize::MAX)
    }

    async fn commit_remote(&self, id: RemoteId, changes: Vec<Change>) -> Result<(), Error> {
        let commit = Commit::new(id.parent.partition(), 1, changes);
        let place = self.shared.storage.reserve(commit.size()).await?;
        place.submit(commit, Arc::new(())).await?;
        Ok(())
    }
}

/// Who changes the row of a child holds its turn until the change is durable, so that the next one reads
/// what the last one wrote.
#[derive(Default)]
struct Turns([tokio::sync::Mutex<()>; Turns::STRIPES]);

impl Turns {
    /// Children that share a stripe wait for each other without need; more stripes make that rare.
    const STRIPES: usize = 32;

    async fn of(&self, id: RemoteId) -> MutexGuard<'_, ()> {
        let [.., last] = id.parent.to_bytes();
        let [first, ..] = &self.0;
        let stripe = (usize::from(last) + id.since.0 as usize) % Self::STRIPES;
        self.0.get(stripe).unwrap_or(first).lock().await
    }
}

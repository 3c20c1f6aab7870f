//! Due notifications: committed with the entries that caused them, handed out lane by lane.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use taskyard_storage::Lane;
use taskyard_task::commit::DeliveryState;
use taskyard_task::wire::{self, Notification, Projection};
use taskyard_task::{
    Change, Commit, Header, PushConfig, Seq, TaskId, Tenant, Timestamp, WireVersion,
};
use tokio::sync::Notify;

use crate::broker::Broker;
use crate::error::Error;

/// The most content of artifacts that a notification of 0.3 carries, in bytes. Each tells of the whole task, and
/// is in memory while it is posted; beyond this it says nothing of artifacts, and its receiver gets the task.
const MAX_ARTIFACT_BYTES: usize = 16 << 20;
/// Lanes of which it is remembered how far they are. Others begin with the first row there was.
const MAX_HEADS: usize = 100_000;

/// The lanes that got something to do since they were asked for, and how far each is. At most one element
/// for each lane that has rows on disk.
#[derive(Default)]
pub(crate) struct Outbox {
    ready: Mutex<HashSet<Lane>>,
    /// The last entry that was struck off a lane that has more: what is due comes after it.
    heads: Mutex<HashMap<Lane, Seq>>,
    added: Notify,
}

impl Outbox {
    pub(crate) fn add(&self, task: TaskId, config: &str) {
        let lane = Lane {
            task,
            config: config.to_owned(),
        };
        self.recover([lane]);
    }

    pub(crate) fn recover(&self, lanes: impl IntoIterator<Item = Lane>) {
        self.ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(lanes);
        self.added.notify_one();
    }

    /// Behind which entry a lane goes on.
    pub(crate) fn head(&self, lane: &Lane) -> Seq {
        self.heads().get(lane).copied().unwrap_or_default()
    }

    fn struck_off(&self, lane: &Lane, seq: Seq) {
        let mut heads = self.heads();
        if heads.len() >= MAX_HEADS {
            heads.clear();
        }
        heads.insert(lane.clone(), seq);
    }

    /// Nothing is due in a lane: what comes later has larger numbers, but nobody need remember that.
    fn is_empty(&self, lane: &Lane) {
        self.heads().remove(lane);
    }

    fn heads(&self) -> MutexGuard<'_, HashMap<Lane, Seq>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<Lane> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.drain().collect()
    }
}

/// What a lane has to do next.
#[derive(Debug, Clone)]
pub enum NextDelivery {
    /// Nothing is due.
    Nothing,
    /// Nothing before this moment, as the last attempt failed; never by itself if absent.
    NotBefore(Option<Timestamp>),
    /// This is due.
    Due(Box<Delivery>),
}

impl NextDelivery {
    /// What is due, if something is.
    #[must_use]
    pub fn due(self) -> Option<Delivery> {
        match self {
            Self::Due(delivery) => Some(*delivery),
            Self::Nothing | Self::NotBefore(_) => None,
        }
    }
}

/// One notification that is due.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its lane.
    pub lane: Lane,
    /// The entry that it is about; unique within the lane.
    pub seq: Seq,
    /// Whose task it is about.
    pub tenant: Tenant,
    /// Where to.
    pub config: PushConfig,
    /// What to say (A2A 4.3.3).
    pub payload: Notification,
    /// How the attempts went so far, if there were any.
    pub state: Option<DeliveryState>,
}

impl Broker {
    /// Waits for lanes that got something to do since the last call. The first call gives all lanes
    /// that have something on disk.
    pub async fn lanes_ready(&self) -> Vec<Lane> {
        loop {
            let ready = self.shared.outbox.take();
            if !ready.is_empty() {
                return ready;
            }
            self.shared.outbox.added.notified().await;
        }
    }

    /// The oldest notification that is due to a lane.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if it cannot be read.
    pub async fn next_delivery(&self, lane: &Lane) -> Result<NextDelivery, Error> {
        let storage = &self.shared.storage;
        let outbox = &self.shared.outbox;
        while let Some(seq) = storage.next_due(lane, outbox.head(lane))? {
            let state = storage.delivery_state(lane)?;
            let now = self.shared.sources.clock.now();
            // What is to be told is not even read before its time.
            if let Some(state) = &state
                && state.retry_at.is_none_or(|at| at > now)
            {
                return Ok(NextDelivery::NotBefore(state.retry_at));
            }
            let config = storage.push_config(lane.task, &lane.config)?;
            let payload = match &config {
                Some(config) => self.payload(config, lane.task, seq)?,
                None => None,
            };
            let (Some(config), Some((tenant, payload))) = (config, payload) else {
                // The configuration was removed while its row was on the way, or its version of the
                // protocol has no words for the event.
                self.forget(lane, seq).await?;
                continue;
            };
            return Ok(NextDelivery::Due(Box::new(Delivery {
                lane: lane.clone(),
                seq,
                tenant,
                config,
                payload,
                state,
            })));
        }
        outbox.is_empty(lane);
        Ok(NextDelivery::Nothing)
    }

    /// A notification arrived.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if that cannot be stored: it will be sent again.
    pub async fn delivered(&self, delivery: &Delivery) -> Result<(), Error> {
        let Lane { task, config } = delivery.lane.clone();
        let seq = delivery.seq;
        let mut changes = Vec::with_capacity(2);
        if delivery.state.is_some() {
            changes.push(delivery_state(&delivery.lane, None));
        }
        changes.push(Change::Delivered { task, config, seq });
        self.commit_for(&delivery.lane, changes).await?;
        self.shared.outbox.struck_off(&delivery.lane, seq);
        Ok(())
    }

    /// A notification did not arrive; `state` says what comes next.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if that cannot be stored.
    pub async fn delivery_failed(
        &self,
        delivery: &Delivery,
        state: DeliveryState,
    ) -> Result<(), Error> {
        let Lane { task, config } = &delivery.lane;
        // Removed while the attempt was on its way: a row about it would stay for ever.
        if self.shared.storage.push_config(*task, config)?.is_none() {
            return Ok(());
        }
        let change = delivery_state(&delivery.lane, Some(state));
        self.commit_for(&delivery.lane, vec![change]).await
    }

    /// At most `most` lanes whose deliveries do not go well, for operators.
    ///
    /// # Errors
    /// [`Error::Unavailable`] or [`Error::Internal`] if they cannot be read.
    pub async fn deliveries(&self, most: usize) -> Result<Vec<(Lane, DeliveryState)>, Error> {
        Ok(self.shared.storage.delivery_states(most)?)
    }

    /// Tries a lane again at once, as if nothing had failed; also one that was given up. What is due goes
    /// out in order, as ever. `false` if its deliveries go well, or there is no such lane.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if that cannot be stored.
    pub async fn retry_deliveries(&self, lane: &Lane) -> Result<bool, Error> {
        if self.shared.storage.delivery_state(lane)?.is_none() {
            return Ok(false);
        }
        self.commit_for(lane, vec![delivery_state(lane, None)])
            .await?;
        Ok(true)
    }

    fn payload(
        &self,
        config: &PushConfig,
        task: TaskId,
        seq: Seq,
    ) -> Result<Option<(Tenant, Notification)>, Error> {
        let Some(header) = self.shared.storage.header(task)? else {
            return Ok(None);
        };
        let Some(event) = self.event(&header, seq)? else {
            return Ok(None);
        };
        let tenant = header.tenant.clone();
        let notification = match config.version {
            WireVersion::V1 => Notification::V1(Box::new(event)),
            WireVersion::V03 if wire::is_news_to_v03(&event) => {
                let task = self.task_at(header, seq)?;
                Notification::V03(Box::new(task))
            }
            WireVersion::V03 => return Ok(None),
        };
        Ok(Some((tenant, notification)))
    }

    fn event(&self, header: &Header, seq: Seq) -> Result<Option<a2a::StreamResponse>, Error> {
        let before = Seq(seq.0.saturating_sub(1));
        let entry = self
            .shared
            .storage
            .log(header.id, before, 1)?
            .pop()
            .filter(|(found, _)| *found == seq);
        Ok(entry.and_then(|(seq, entry)| wire::event_to_a2a(header.place(), seq, &entry)))
    }

    /// The task as the entry `seq` left it.
    fn task_at(&self, header: Header, seq: Seq) -> Result<a2a::Task, Error> {
        let mut snapshot = self.snapshot_at(header, seq)?;
        let artifacts = 0..snapshot.outline.view.artifacts.len();
        let bytes = artifacts.map(|place| snapshot.outline.size_of(place));
        let artifacts = bytes.sum::<usize>() <= MAX_ARTIFACT_BYTES;
        if !artifacts {
            snapshot.outline.forget_artifacts();
        }
        let view = self.whole(&snapshot)?;
        let projection = Projection {
            artifacts,
            ..Projection::WHOLE
        };
        Ok(wire::task_to_a2a(
            snapshot.header.place(),
            &view,
            projection,
        ))
    }

    async fn forget(&self, lane: &Lane, seq: Seq) -> Result<(), Error> {
        let Lane { task, config } = lane.clone();
        self.commit_for(lane, vec![Change::Delivered { task, config, seq }])
            .await?;
        self.shared.outbox.struck_off(lane, seq);
        Ok(())
    }

    async fn commit_for(&self, lane: &Lane, changes: Vec<Change>) -> Result<(), Error> {
        let place = self.shared.storage.reserve(0).await?;
        let commit = Commit::new(lane.task.partition(), 1, changes);
        place.submit(commit, std::sync::Arc::new(())).await?;
        Ok(())
    }
}

fn delivery_state(lane: &Lane, state: Option<DeliveryState>) -> Change {
    Change::DeliveryState {
        task: lane.task,
        config: lane.config.clone(),
        state,
    }
}

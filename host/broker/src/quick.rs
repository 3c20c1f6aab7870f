//! Tasks that are over at once: their whole life is one write.
//!
//! Who sends a message and waits for its end needs nothing on the disk before that. So the beginning of such
//! a task is held back for a moment, and what its run does joins it: one commit and one sync instead of four,
//! and none of the rows that only say that the task is under way. What takes longer, or leaves the sandbox,
//! is written first as ever; a crash meanwhile takes back a task that nobody was told of.

use std::sync::Arc;
use std::time::Duration;

use taskyard_storage::Reservation;
use taskyard_task::Seq;

use crate::broker::Broker;
use crate::error::Error;
use crate::held::MAX_HELD_BYTES;
use crate::operations::{Caller, TaskSnapshot};
use crate::send::SendRequest;
use crate::slots::Slot;
use crate::watch::Watch;

/// How long a beginning is held back. A task that is not over by then gains little from waiting longer.
const PATIENCE: Duration = Duration::from_millis(10);

impl SendRequest {
    /// Whether nothing of the task may be seen before its turn is over, by whomever.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        let unseen = !self.announces() && self.push.is_none() && self.idempotency.is_none();
        unseen && self.task.is_none()
    }
}

impl Broker {
    /// Sends a message that [is quick](SendRequest::is_quick) and waits until the turn that it begins is over,
    /// as [`Broker::send`] and [`Broker::turn_end`] do. The task is there from the first poll on that finds
    /// room for it, whether or not anybody goes on waiting.
    ///
    /// # Errors
    /// As both of them.
    pub async fn send_quick(
        &self,
        caller: &Caller,
        mut request: SendRequest,
    ) -> Result<TaskSnapshot, Error> {
        self.check_open(&request)?;
        self.check_request(caller, &mut request).await?;
        if let Some(sent) = self.answer_by_context(caller, &request, None).await? {
            return self.turn_end(&sent).await;
        }
        let (new, size) = self.new_task_of(caller, request, None)?;
        let mut place = self.place(size).await?;
        let slot = self.shared.slots.get(new.id);
        let mut watch = {
            let mut turn = slot.turn();
            let decision = self.decide_new(self.shared.sources.clock.now(), new, &slot, &mut turn);
            let watch = Watch::of_new(self, decision.header.clone(), &slot);
            turn.held()
                .begin(decision.into_commit(), place.take_bytes());
            watch
        };
        let held = HeldBack {
            broker: self,
            slot,
            place: Some(place),
        };
        let patience = match size {
            ..=MAX_HELD_BYTES => PATIENCE,
            _ => Duration::ZERO,
        };
        let mut end = std::pin::pin!(watch.first_turn_end());
        if let Ok(end) = tokio::time::timeout(patience, &mut end).await {
            return end;
        }
        drop(held);
        end.await
    }
}

impl Watch {
    async fn first_turn_end(&mut self) -> Result<TaskSnapshot, Error> {
        self.first_change().await?;
        match self.take_whole() {
            Some(whole) => Ok(whole),
            None => self.turn_end(Seq::ZERO.next()).await,
        }
    }
}

impl Broker {
    /// Hands over what is held back, if anything is.
    pub(crate) async fn write_held(&self, slot: &Arc<Slot>) -> Result<(), Error> {
        let is_empty = slot.turn().held().is_empty();
        if !is_empty {
            let place = self.shared.storage.reserve_place().await?;
            write(slot, place);
        }
        Ok(())
    }
}

impl Broker {
    /// Writes everything that is held back: afterwards, what the disk says of tasks decided before is true.
    pub(crate) async fn write_all_held(&self) -> Result<(), Error> {
        for slot in self.shared.slots.all() {
            self.write_held(&slot).await?;
            self.committed(&slot).await?;
        }
        Ok(())
    }

    /// Resolves once everything that was handed over of a task is durable.
    pub(crate) async fn committed(&self, slot: &Slot) -> Result<(), Error> {
        let Some(last) = slot.turn().last_commit() else {
            return Ok(());
        };
        let failed = &self.shared.failed;
        tokio::select! {
            done = last => Ok(done?),
            () = failed.cancelled() => Err(Error::Unavailable("the host cannot store anything any more".to_owned())),
        }
    }
}

fn write(slot: &Arc<Slot>, mut place: Reservation<'_>) {
    let mut turn = slot.turn();
    if let Some(commit) = turn.held().release(&mut place) {
        drop(turn.submit(place, commit, Arc::clone(slot) as _));
    }
}

/// Hands over what is held back when it is dropped; a task that goes on is announced as any other.
struct HeldBack<'a> {
    broker: &'a Broker,
    slot: Arc<Slot>,
    place: Option<Reservation<'a>>,
}

impl Drop for HeldBack<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            write(&self.slot, place);
        }
        if !self.slot.turn().has_ended() {
            self.broker.announce_later(self.slot.task);
        }
    }
}

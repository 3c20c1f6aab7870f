//! Sending a message: a new task, or the next message of one (A2A 3.1.1, 3.4).

use std::time::Duration;

use taskyard_storage::Reservation;
use taskyard_task::commit::Remembered;
use taskyard_task::decide::{NewTask, submit};
use taskyard_task::entry::REPLAY_CONTRACT;
use taskyard_task::{
    Agent, AgentName, Decision, Digest, Header, Input, Message, Partition, Priority, Seq,
    Submission, TaskId, Tenant, Timestamp,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::broker::{Broker, Changed};
use crate::error::Error;
use crate::operations::Caller;
use crate::push::PushRequest;
use crate::scheduler::Full;
use crate::slots::{Slot, Turn};

/// The longest name of a conversation that a client may choose, in bytes.
const MAX_CONTEXT_ID_BYTES: usize = 256;
/// When it may be worth trying again after a full queue.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A message to send.
#[derive(Debug, Clone)]
pub struct SendRequest {
    /// To whom.
    pub agent: AgentName,
    /// What.
    pub message: Message,
    /// The task that it belongs to; a new one if absent.
    pub task: Option<TaskId>,
    /// The conversation that it belongs to; a new one, or the task's, if absent.
    pub context_id: Option<String>,
    /// Media types that the client accepts.
    pub accepted_output_modes: Vec<String>,
    /// The client's metadata of the request: a JSON object, as text.
    pub metadata: Option<String>,
    /// A webhook to register with it.
    pub push: Option<PushRequest>,
    /// Whether the client is shown the task at once (A2A `returnImmediately`).
    pub announce: bool,
    /// Makes sending again safe.
    pub idempotency: Option<IdempotencyKey>,
    /// When a new task is to run. Says nothing about one that exists.
    pub wishes: Wishes,
}

/// When a client wants a new task to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Its place before other tasks of the same tenant and agent.
    pub priority: Priority,
    /// When it fails if it has not ended; never later than the host's own limit.
    pub deadline: Option<Timestamp>,
    /// When it may run at the earliest.
    pub not_before: Option<Timestamp>,
}

impl SendRequest {
    /// Whether a new task is shown at once. One that waits for a moment has nothing to hide until then.
    pub(crate) fn announces(&self) -> bool {
        self.announce || self.wishes.not_before.is_some()
    }
}

/// A key under which a request takes effect once.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// The client's key. Counts for this caller and agent only.
    pub key: String,
    /// A digest of the request. The same key with another one is a conflict.
    pub body: Digest,
}

/// What a message became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The task.
    pub task: TaskId,
    /// The entry that the message made.
    pub seq: Seq,
}

impl Broker {
    /// Sends a message. Returns once it is durable.
    ///
    /// # Errors
    /// [`Error`]; nothing was stored then.
    pub async fn send(&self, caller: &Caller, mut request: SendRequest) -> Result<Sent, Error> {
        self.check_open(&request)?;
        let Some(idempotency) = &request.idempotency else {
            self.check_request(caller, &mut request).await?;
            return self.send_once(caller, request, None).await;
        };
        let key = scoped_key(caller, &request, &idempotency.key);
        let remember = (key, idempotency.body);
        self.send_under_key(caller, request, remember).await
    }

    pub(crate) fn check_open(&self, request: &SendRequest) -> Result<(), Error> {
        match self.shared.closing.is_cancelled() {
            true => Err(Error::ShuttingDown),
            false => check_context_id(request.context_id.as_deref()),
        }
    }

    async fn send_under_key(
        &self,
        caller: &Caller,
        mut request: SendRequest,
        remember: (Digest, Digest),
    ) -> Result<Sent, Error> {
        if let Some(sent) = self.sent_before(&request, remember)? {
            return self.send_again(sent, request.announce).await;
        }
        // IMPORTANT: before the turn, which others wait for: looking at a webhook may take seconds.
        let checked = self.check_request(caller, &mut request).await;
        let _turn = self.shared.idempotency.turn(remember.0).await;
        if let Some(sent) = self.sent_before(&request, remember)? {
            return self.send_again(sent, request.announce).await;
        }
        checked?;
        self.send_once(caller, request, Some(remember)).await
    }

    /// What was sent under the key before: to the task that the request names, as a new one, or to the one
    /// that waited in the request's context.
    fn sent_before(
        &self,
        request: &SendRequest,
        (key, body): (Digest, Digest),
    ) -> Result<Option<Sent>, Error> {
        let own = request
            .task
            .map_or_else(|| partition_of(key), TaskId::partition);
        let storage = &self.shared.storage;
        let mut known = storage.remembered(own, key)?;
        if known.is_none() && self.may_answer_by_context(request) {
            known = storage.remembered_anywhere(key)?;
        }
        match known {
            Some(Remembered {
                task,
                seq,
                body: known,
            }) if known == body => Ok(Some(Sent { task, seq })),
            Some(_) => Err(Error::IdempotencyConflict),
            None => Ok(None),
        }
    }

    /// Nothing is sent again, but who is to be shown the task at once must be able to get it from then on.
    async fn send_again(&self, sent: Sent, announce: bool) -> Result<Sent, Error> {
        if announce {
            self.announce(sent.task).await?;
            // Somebody else may have announced or ended it, which may not be durable yet.
            self.shown(sent.task).await?;
        }
        Ok(sent)
    }

    /// Whether the message may be sent; drops what it refers to and its sender may not know. Does not keep a
    /// request that is repeated under its key from finding its task: what it wished may have come by then.
    pub(crate) async fn check_request(
        &self,
        caller: &Caller,
        request: &mut SendRequest,
    ) -> Result<(), Error> {
        self.keep_known_references(caller, &mut request.message)?;
        if let Some(push) = &request.push {
            self.check_webhook(&caller.tenant, push).await?;
        }
        if request.task.is_none() {
            let now = self.shared.sources.clock.now();
            check_wishes(request.wishes, now, self.new_deadline())?;
        }
        Ok(())
    }

    async fn send_once(
        &self,
        caller: &Caller,
        request: SendRequest,
        remember: Option<(Digest, Digest)>,
    ) -> Result<Sent, Error> {
        if let Some(task) = request.task {
            let any = |_: &Header| Ok(());
            return self
                .continue_task(caller, task, request, remember, any)
                .await;
        }
        if let Some(sent) = self.answer_by_context(caller, &request, remember).await? {
            return Ok(sent);
        }
        self.new_task(caller, request, remember).await
    }

    /// Sends to a task that exists, if `check` allows it once it is the task's turn.
    pub(crate) async fn continue_task(
        &self,
        caller: &Caller,
        task: TaskId,
        request: SendRequest,
        remember: Option<(Digest, Digest)>,
        check: impl FnOnce(&Header) -> Result<(), Error> + Send,
    ) -> Result<Sent, Error> {
        self.check_disk_for(&caller.tenant)?;
        let input = Input::Message {
            message: request.message,
            push: request.push.map(|push| self.push_config_of(push)),
            remember,
        };
        let changed = self
            .change_for_caller(task, input, |header| {
                caller.may_see(&request.agent, header)?;
                match &request.context_id {
                    // A2A 3.4: another conversation than the task's must be refused.
                    Some(context) if *context != header.context_id => Err(Error::ContextMismatch),
                    _ => check(header),
                }
            })
            .await?;
        Ok(Sent {
            task,
            seq: changed.first,
        })
    }

    async fn new_task(
        &self,
        caller: &Caller,
        request: SendRequest,
        remember: Option<(Digest, Digest)>,
    ) -> Result<Sent, Error> {
        let announced = request.announces();
        let (new, size) = self.new_task_of(caller, request, remember)?;
        let id = new.id;
        let place = self.place(size).await?;
        let begun = self.begin(place, new).await;
        // Also if it is not known yet what becomes of it.
        if !announced {
            self.announce_later(id);
        }
        begun?;
        Ok(Sent {
            task: id,
            seq: Seq::ZERO.next(),
        })
    }

    /// The task that a message makes, if there is room for it, and roughly how large it is.
    pub(crate) fn new_task_of(
        &self,
        caller: &Caller,
        request: SendRequest,
        remember: Option<(Digest, Digest)>,
    ) -> Result<(NewTask, usize), Error> {
        let agent = self.shared.agents.open_for_new_tasks(&request.agent)?;
        self.check_disk_for(&caller.tenant)?;
        self.check_room(&caller.tenant)?;
        let partition = remember.map(|(key, _)| partition_of(key));
        let id = self.shared.sources.ids.task_id(partition);
        let size = request.message.size() + agent.config.len();
        metrics::counter!("taskyard_tasks_submitted_total", "agent" => agent.name.to_string())
            .increment(1);
        Ok((self.prepare(caller, &agent, id, request, remember), size))
    }

    fn prepare(
        &self,
        caller: &Caller,
        agent: &Agent,
        id: TaskId,
        request: SendRequest,
        remember: Option<(Digest, Digest)>,
    ) -> NewTask {
        let sources = &self.shared.sources;
        let host_deadline = self.new_deadline();
        let announced = request.announces();
        let context_id = request.context_id.unwrap_or_else(|| sources.ids.unique());
        NewTask {
            id,
            submission: Submission {
                message: request.message,
                tenant: caller.tenant.clone(),
                agent: agent.name.clone(),
                context_id,
                digest: agent.digest,
                config: agent.config.clone(),
                limits: agent.limits,
                accepted_output_modes: request.accepted_output_modes,
                metadata: request.metadata,
                contract: REPLAY_CONTRACT,
                seed: sources.ids.random(),
                parent: None,
                lineage: Vec::new(),
            },
            // On one host, partitions have had one owner for ever.
            epoch: 1,
            deadline: request
                .wishes
                .deadline
                .map_or(host_deadline, |deadline| deadline.min(host_deadline)),
            priority: request.wishes.priority,
            not_before: request.wishes.not_before,
            announced,
            push: request.push.map(|push| self.push_config_of(push)),
            remember,
        }
    }

    async fn begin(&self, place: Reservation<'_>, new: NewTask) -> Result<Changed, Error> {
        let slot = self.shared.slots.get(new.id);
        let (changed, durable) = {
            let mut turn = slot.turn();
            let decision = self.decide_new(self.shared.sources.clock.now(), new, &slot, &mut turn);
            let changed = Changed::of(&decision);
            let keep = std::sync::Arc::clone(&slot) as _;
            let durable = turn.submit(place, decision.into_commit(), keep);
            (changed, durable)
        };
        self.acknowledged(durable).await?;
        Ok(changed)
    }

    /// Decides about a new task, which is to be handed over within the same turn.
    pub(crate) fn decide_new(
        &self,
        now: Timestamp,
        new: NewTask,
        slot: &Slot,
        turn: &mut Turn<'_>,
    ) -> Decision {
        let decision = submit(now, new);
        turn.decide(decision.header.clone());
        if let Some((_, entry)) = decision.entries().next() {
            slot.keep_beginning(entry);
        }
        self.follow(&decision);
        decision
    }

    /// When a task that is submitted now fails if it has not ended.
    pub(crate) fn new_deadline(&self) -> Timestamp {
        let seconds = self.shared.config.task.deadline_seconds;
        let now = self.shared.sources.clock.now();
        now.plus_millis(seconds.saturating_mul(1_000))
    }

    /// Whether there is room for one more task of `tenant`.
    pub(crate) fn check_room(&self, tenant: &Tenant) -> Result<(), Error> {
        let full = match self.scheduler().room_for(tenant) {
            Ok(()) => return Ok(()),
            Err(full) => full,
        };
        let what = match full {
            Full::Host => "the host has as many tasks in line as it may",
            Full::Tenant => "the tenant has as many tasks in line as it may",
        };
        metrics::counter!("taskyard_tasks_refused_total").increment(1);
        Err(Error::QueueFull {
            what: what.to_owned(),
            retry_after: RETRY_AFTER,
        })
    }
}

/// Whether a task that is made now can be as wished, where the host lets none go on beyond `latest`. Not
/// asked of a request that is repeated under its key: what it wished may have come by then.
fn check_wishes(wishes: Wishes, now: Timestamp, latest: Timestamp) -> Result<(), Error> {
    let refuse = |field, problem: &str| {
        let problem = problem.to_owned();
        Err(Error::Invalid { field, problem })
    };
    if wishes.deadline.is_some_and(|deadline| deadline <= now) {
        return refuse("deadline", "must be in the future");
    }
    let end = wishes.deadline.unwrap_or(latest).min(latest);
    if wishes.not_before.is_some_and(|begin| begin >= end) {
        return refuse(
            "notBefore",
            "must be before the deadline that the task has on this host",
        );
    }
    Ok(())
}

fn check_context_id(context_id: Option<&str>) -> Result<(), Error> {
    match context_id {
        Some(id) if id.is_empty() || id.len() > MAX_CONTEXT_ID_BYTES => Err(Error::Invalid {
            field: "message.contextId",
            problem: format!("must have between 1 and {MAX_CONTEXT_ID_BYTES} bytes"),
        }),
        _ => Ok(()),
    }
}

/// The key as nobody else can have it: callers never meet each other's keys. It counts for new tasks, or
/// for the messages of one task, because it is kept with the task.
fn scoped_key(caller: &Caller, request: &SendRequest, key: &str) -> Digest {
    let Caller {
        tenant, principal, ..
    } = caller;
    let principal = principal.as_deref().unwrap_or_default();
    let agent = &request.agent;
    let task = request
        .task
        .map(|task| task.to_string())
        .unwrap_or_default();
    // Only the key itself can contain a zero byte.
    Digest::of(format!("{tenant}\0{agent}\0{task}\0{principal}\0{key}").as_bytes())
}

/// A new task is made where its idempotency key is kept, so that both are one commit.
fn partition_of(key: Digest) -> Partition {
    let [first, ..] = key.to_bytes();
    Partition::of_hash(first)
}

/// Requests with the same idempotency key take turns, so that the second finds what the first stored.
#[derive(Default)]
pub(crate) struct IdempotencyLocks {
    stripes: [Mutex<()>; IdempotencyLocks::STRIPES],
}

impl IdempotencyLocks {
    /// Keys that share a stripe wait for each other without need; more stripes make that rare.
    const STRIPES: usize = 32;

    async fn turn(&self, key: Digest) -> MutexGuard<'_, ()> {
        let [.., last] = key.to_bytes();
        let [first, ..] = &self.stripes;
        let stripe = self.stripes.get(usize::from(last) % Self::STRIPES);
        stripe.unwrap_or(first).lock().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_ends_after_now_and_after_it_may_begin() {
        let at = |millis: u64| Some(Timestamp(millis));
        let check = |deadline, not_before| {
            let wishes = Wishes {
                deadline,
                not_before,
                ..Wishes::default()
            };
            match check_wishes(wishes, Timestamp(10), Timestamp(100)) {
                Ok(()) => "",
                Err(Error::Invalid { field, .. }) => field,
                Err(_) => "another error",
            }
        };
        assert_eq!(check(None, None), "");
        assert_eq!(check(at(11), None), "");
        assert_eq!(check(at(10), None), "deadline");
        assert_eq!(check(at(1_000), at(99)), "");
        assert_eq!(check(at(1_000), at(100)), "notBefore");
        assert_eq!(check(None, at(100)), "notBefore");
        assert_eq!(check(at(50), at(50)), "notBefore");
        assert_eq!(check(at(50), at(5)), "");
    }
}

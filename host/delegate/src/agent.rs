//! A remote agent: found by its address, and asked what this room asks for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use a2a::{
    A2AError, CancelTaskRequest, GetTaskRequest, ListTasksRequest, SendMessageConfiguration,
    SendMessageRequest, SendMessageResponse, StreamResponse, SubscribeToTaskRequest, Task,
};
use a2a_client::A2AClient;
use futures::stream::BoxStream;
use taskyard_clock::{Clock, Instant};
use taskyard_outbound::Outbound;
use taskyard_task::{AgentName, EgressPolicy, RemoteChild, wire};

use crate::card::Card;
use crate::carrier::{Carrier, Governed};
use crate::discover::find;
use crate::line::Line;
use crate::problem::{ConnectError, Problem};

/// How long a card counts. Agents move rarely, and children are looked at often.
const CARD_AGE: Duration = Duration::from_secs(300);
/// Cards that are remembered; each is an address and little more.
const MAX_CARDS: usize = 1_000;
/// Tasks that one look for a message asks for. Its conversation has one.
const LOOK_UP: i32 = 10;

/// Finds remote agents.
pub(crate) struct Agents {
    outbound: Outbound,
    clock: Clock,
    known: Mutex<Cards>,
}

/// By the agent under whose rules they were read, and the address.
type Cards = HashMap<(AgentName, String), (Instant, Card)>;

/// A remote agent, and the client to call it with.
#[expect(missing_debug_implementations, reason = "the official client has none")]
pub struct RemoteAgent<C: Carrier> {
    /// Calls it over whichever binding its card offers.
    pub client: A2AClient<Line<C>>,
    /// Whether tasks can be followed by a stream.
    pub streams: bool,
}

/// A remote agent that is called under the rules of an agent of this host.
pub(crate) type Agent = RemoteAgent<Governed>;

impl Agents {
    pub(crate) fn new(outbound: Outbound, clock: Clock) -> Self {
        Self {
            outbound,
            clock,
            known: Mutex::default(),
        }
    }

    /// How many requests of the host, of workers too, may be under way at once.
    pub(crate) fn most_requests(&self) -> usize {
        self.outbound.most_requests()
    }

    /// The agent that does a child, by its card of lately.
    pub(crate) async fn known(
        &self,
        child: &RemoteChild,
        policy: &EgressPolicy,
    ) -> Result<Agent, Problem> {
        let now = self.clock.instant();
        let known = self.cards().get(&key(child)).cloned();
        let card = match known {
            Some((at, card)) if now.duration_since(at) < CARD_AGE => card,
            _ => self.ask(child, policy).await?,
        };
        Ok(self.agent(child, policy, card))
    }

    /// The agent that does a child, which answered just now.
    pub(crate) async fn present(
        &self,
        child: &RemoteChild,
        policy: &EgressPolicy,
    ) -> Result<Agent, Problem> {
        let card = self.ask(child, policy).await?;
        Ok(self.agent(child, policy, card))
    }

    /// The agent may have moved.
    pub(crate) fn forget(&self, child: &RemoteChild) {
        self.cards().remove(&key(child));
    }

    async fn ask(&self, child: &RemoteChild, policy: &EgressPolicy) -> Result<Card, Problem> {
        let card = find(&self.carrier(policy), &child.url).await?;
        let now = self.clock.instant();
        let mut cards = self.cards();
        if cards.len() >= MAX_CARDS {
            cards.clear();
        }
        cards.insert(key(child), (now, card.clone()));
        Ok(card)
    }

    fn agent(&self, child: &RemoteChild, policy: &EgressPolicy, card: Card) -> Agent {
        let key = Some(child.message_id.clone());
        remote_agent(self.carrier(policy), card, key)
    }

    fn carrier(&self, policy: &EgressPolicy) -> Governed {
        Governed {
            outbound: self.outbound.clone(),
            policy: policy.clone(),
        }
    }

    fn cards(&self) -> MutexGuard<'_, Cards> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(child: &RemoteChild) -> (AgentName, String) {
    (child.agent.clone(), child.url.clone())
}

/// Finds the agent at `address` and makes a client for it: any A2A server that speaks 1.0 over JSON-RPC or
/// HTTP+JSON. The address is that of a host, of an agent, of its card, or one that the card of its host names.
///
/// # Errors
/// Why there is none, for the one who gave the address.
pub async fn connect<C: Carrier>(
    carrier: C,
    address: &str,
) -> Result<RemoteAgent<C>, ConnectError> {
    let card = find(&carrier, address).await?;
    Ok(remote_agent(carrier, card, None))
}

fn remote_agent<C: Carrier>(carrier: C, card: Card, key: Option<String>) -> RemoteAgent<C> {
    let client = A2AClient::new(Line {
        carrier,
        endpoint: card.endpoint,
        binding: card.binding,
        idempotency_key: key,
    });
    RemoteAgent {
        streams: card.streams,
        client: match card.tenant {
            Some(tenant) => client.with_tenant(tenant),
            None => client,
        },
    }
}

impl Agent {
    /// Sends the message that begins a child.
    pub(crate) async fn send(&self, child: &RemoteChild) -> Result<SendMessageResponse, Problem> {
        let request = SendMessageRequest {
            message: wire::remote_child_to_a2a(child),
            configuration: Some(SendMessageConfiguration {
                accepted_output_modes: None,
                task_push_notification_config: None,
                history_length: Some(0),
                return_immediately: Some(true),
            }),
            metadata: None,
            tenant: None,
        };
        Ok(self.client.send_message(&request).await?)
    }

    /// The task that a message became; nothing if there is none.
    ///
    /// A server that accepts a conversation of the client's choice keeps it (A2A 3.4), so the task, and
    /// nothing else, is found there.
    pub(crate) async fn find(&self, child: &RemoteChild) -> Result<Option<Task>, Problem> {
        let request = ListTasksRequest {
            context_id: Some(child.context_id.clone()),
            status: None,
            page_size: Some(LOOK_UP),
            page_token: None,
            history_length: Some(0),
            status_timestamp_after: None,
            include_artifacts: Some(false),
            tenant: None,
        };
        let page = self.client.list_tasks(&request).await?;
        let is_other = |task: &Task| task.context_id != child.context_id;
        if page.tasks.iter().any(is_other) {
            return Err(A2AError::invalid_agent_response().into());
        }
        Ok(page.tasks.into_iter().next())
    }

    /// A task as it is, with its artifacts.
    pub(crate) async fn look(&self, task: &str) -> Result<Task, Problem> {
        let request = GetTaskRequest {
            id: task.to_owned(),
            history_length: Some(0),
            tenant: None,
        };
        Ok(self.client.get_task(&request).await?)
    }

    /// Asks to cancel a task.
    pub(crate) async fn cancel(&self, task: &str) -> Result<Task, Problem> {
        let request = CancelTaskRequest {
            id: task.to_owned(),
            metadata: None,
            tenant: None,
        };
        Ok(self.client.cancel_task(&request).await?)
    }

    /// Follows a task.
    pub(crate) async fn follow(
        &self,
        task: &str,
    ) -> Result<BoxStream<'static, Result<StreamResponse, A2AError>>, Problem> {
        let request = SubscribeToTaskRequest {
            id: task.to_owned(),
            tenant: None,
        };
        Ok(self.client.subscribe_to_task(&request).await?)
    }
}

//! A remote agent: found by its address, and asked what this room asks for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use a2a::{
    A2AError, AgentCard, AgentInterface, CancelTaskRequest, GetTaskRequest, ListTasksRequest,
    SendMessageConfiguration, SendMessageRequest, SendMessageResponse, StreamResponse,
    SubscribeToTaskRequest, TRANSPORT_PROTOCOL_JSONRPC, Task, error_code,
};
use a2a_client::A2AClient;
use futures::stream::BoxStream;
use taskyard_clock::{Clock, Instant};
use taskyard_outbound::Outbound;
use taskyard_task::{AgentName, EgressPolicy, RemoteChild, wire};
use url::Url;

use crate::line::{Line, read_card};
use crate::problem::Problem;

/// Where agents have their cards (A2A 8.2).
const CARD_PATH: &str = "/.well-known/agent-card.json";
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

/// What matters of an agent's card.
#[derive(Debug, Clone)]
pub(crate) struct Card {
    endpoint: String,
    tenant: Option<String>,
    streams: bool,
}

/// A remote agent.
pub(crate) struct Agent {
    client: A2AClient<Line>,
    /// Whether tasks can be followed by a stream.
    pub(crate) streams: bool,
}

impl Agents {
    pub(crate) fn new(outbound: Outbound, clock: Clock) -> Self {
        Self {
            outbound,
            clock,
            known: Mutex::default(),
        }
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
        let line = self.line(child, policy, card_url(&child.url)?);
        let document = line.get("an agent card").await?;
        let card = card(read_card(document)?)?;
        let now = self.clock.instant();
        let mut cards = self.cards();
        if cards.len() >= MAX_CARDS {
            cards.clear();
        }
        cards.insert(key(child), (now, card.clone()));
        Ok(card)
    }

    fn agent(&self, child: &RemoteChild, policy: &EgressPolicy, card: Card) -> Agent {
        let client = A2AClient::new(self.line(child, policy, card.endpoint));
        Agent {
            client: match card.tenant {
                Some(tenant) => client.with_tenant(tenant),
                None => client,
            },
            streams: card.streams,
        }
    }

    fn line(&self, child: &RemoteChild, policy: &EgressPolicy, endpoint: String) -> Line {
        Line {
            outbound: self.outbound.clone(),
            policy: policy.clone(),
            endpoint,
            idempotency_key: child.message_id.clone(),
        }
    }

    fn cards(&self) -> MutexGuard<'_, Cards> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(child: &RemoteChild) -> (AgentName, String) {
    (child.agent.clone(), child.url.clone())
}

/// The address of a card is that of a JSON document; anything else is that of a host or an agent.
fn card_url(url: &str) -> Result<String, Problem> {
    let wrong = |error| Problem::Denied(format!("{url:?} is no address: {error}"));
    let mut url = Url::parse(url).map_err(wrong)?;
    let path = url.path();
    if !path.ends_with(".json") {
        let path = format!("{}{CARD_PATH}", path.trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url.into())
}

pub(crate) fn card(card: AgentCard) -> Result<Card, Problem> {
    let fits = |interface: &&AgentInterface| {
        let version = interface.protocol_version.split('.').next();
        interface.protocol_binding == TRANSPORT_PROTOCOL_JSONRPC
            && matches!(version, Some("1" | "") | None)
    };
    let Some(interface) = card.supported_interfaces.iter().find(fits) else {
        return Err(Problem::Refused {
            code: error_code::VERSION_NOT_SUPPORTED,
            reason: "it does not speak A2A 1.0 over JSON-RPC".to_owned(),
        });
    };
    let tenant = interface.tenant.clone();
    Ok(Card {
        endpoint: interface.url.clone(),
        tenant: tenant.filter(|tenant| !tenant.is_empty()),
        streams: card.capabilities.streaming == Some(true),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_found_by_the_address_of_a_host_an_agent_or_the_card() {
        for (url, found) in [
            (
                "https://a.example",
                "https://a.example/.well-known/agent-card.json",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/agent-card.json",
            ),
            (
                "https://a.example/agents/x/",
                "https://a.example/agents/x/.well-known/agent-card.json",
            ),
            (
                "https://a.example/x?key=1",
                "https://a.example/x/.well-known/agent-card.json?key=1",
            ),
            (
                "https://a.example/cards/x.json",
                "https://a.example/cards/x.json",
            ),
        ] {
            assert_eq!(card_url(url).as_deref(), Ok(found));
        }
        assert!(matches!(card_url("nowhere"), Err(Problem::Denied(_))));
    }
}

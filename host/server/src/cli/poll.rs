//! Follows a task of an agent that has no streams: looks again and again.

use std::time::Duration;

use a2a::{GetTaskRequest, StreamResponse, Task};
use futures::StreamExt;
use futures::stream;

use super::agent::AgentClient;
use super::watch::Events;

/// How long after an answer the agent is asked again. A person hardly waits longer for it, and no agent minds.
const PAUSE: Duration = Duration::from_millis(500);

/// The task as it was first, and again whenever its status changed.
pub(super) fn events(client: &AgentClient, first: Task) -> Events<'_> {
    let known = stream::once(std::future::ready(Ok(StreamResponse::Task(first.clone()))));
    let news = stream::unfold(first, move |known| async move {
        let seen = changed(client, &known).await;
        let next = seen.as_ref().map_or(known, Task::clone);
        Some((seen.map(StreamResponse::Task), next))
    });
    known.chain(news).boxed()
}

/// The task once it is no longer as it was `known`.
async fn changed(client: &AgentClient, known: &Task) -> Result<Task, a2a::A2AError> {
    loop {
        tokio::time::sleep(PAUSE).await;
        let request = GetTaskRequest {
            id: known.id.clone(),
            history_length: Some(0),
            tenant: None,
        };
        let task = client.client.get_task(&request).await?;
        if task.status != known.status || task.metadata != known.metadata {
            return Ok(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::extract::State;
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use serde_json::{Value, json};
    use taskyard_task::wire::PARKED_KEY;

    use super::*;
    use crate::cli::Exit;
    use crate::cli::output::Output;
    use crate::cli::watch::{Show, follow};

    /// A task that is looked at for the time `count`.
    fn task(count: usize) -> Value {
        let (state, metadata) = match count {
            0 => ("TASK_STATE_SUBMITTED", json!({})),
            1 | 2 => ("TASK_STATE_WORKING", json!({})),
            _ => (
                "TASK_STATE_SUBMITTED",
                json!({PARKED_KEY: {"code": "trap"}}),
            ),
        };
        json!({"id": "t", "contextId": "c", "status": {"state": state}, "metadata": metadata})
    }

    async fn answer(State(looks): State<Arc<AtomicUsize>>, Json(call): Json<Value>) -> Json<Value> {
        assert_eq!(call["method"], "GetTask");
        let task = task(1 + looks.fetch_add(1, Ordering::SeqCst));
        Json(json!({"jsonrpc": "2.0", "id": call["id"], "result": task}))
    }

    /// An agent whose task is parked in the end, and that has no streams.
    async fn agent() -> AgentClient {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let card = json!({
            "name": "a", "description": "", "version": "1", "skills": [],
            "capabilities": {"streaming": false},
            "defaultInputModes": [], "defaultOutputModes": [],
            "supportedInterfaces": [
                {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
            ],
        });
        let agent = Router::new()
            .route("/.well-known/agent-card.json", get(|| async { Json(card) }))
            .route("/", post(answer))
            .with_state(Arc::default());
        tokio::spawn(async { axum::serve(listener, agent).await });
        let http = crate::http::agent_client(&url, &crate::config::Config::default());
        let direct = taskyard_outbound::Direct::new(http.unwrap());
        let carrier = crate::cli::credentials::Credentialed::new(direct, None);
        taskyard_delegate::connect(carrier, &url).await.unwrap()
    }

    #[tokio::test]
    async fn a_task_is_followed_until_it_is_parked() {
        let client = agent().await;
        assert!(!client.streams);
        let first: Task = serde_json::from_value(task(0)).unwrap();
        let seen = events(&client, first.clone()).take(3);
        let seen: Vec<_> = seen.map(|event| state(event.unwrap())).collect().await;
        assert_eq!(seen, ["submitted", "working", "submitted"]);
        let events = events(&client, first);
        let output = Output::new(false);
        let followed = follow(events, Show::Nothing, output, "", None).await;
        assert_eq!(followed.unwrap().exit, Exit::TaskParked);
    }

    fn state(event: StreamResponse) -> &'static str {
        match event {
            StreamResponse::Task(task) => crate::cli::output::state_name(&task.status.state),
            other => panic!("{other:?}"),
        }
    }
}

//! The benchmark's task on the official Rust server framework, with its in-memory store as shipped.
//!
//! `peer-rust-framework PORT`. It offers no durability: all tasks are lost with the process.

use std::sync::Arc;

use a2a::{
    A2AError, Artifact, Message, Part, Role, StreamResponse, TaskArtifactUpdateEvent, TaskState,
    TaskStatus, TaskStatusUpdateEvent, new_artifact_id,
};
use a2a_server::jsonrpc::jsonrpc_router;
use a2a_server::{AgentExecutor, DefaultRequestHandler, ExecutorContext, InMemoryTaskStore};
use axum::serve::ListenerExt;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

type Event = Result<StreamResponse, A2AError>;

/// Does what the first message of a task asks for.
struct Executor;

impl AgentExecutor for Executor {
    fn execute(&self, context: ExecutorContext) -> BoxStream<'static, Event> {
        let task = Ids::of(&context);
        let stored = context.stored_task.map(|task| task.status.state);
        let message = context
            .message
            .unwrap_or_else(|| Message::new(Role::User, Vec::new()));
        let text = message.text().unwrap_or_default();
        if stored == Some(TaskState::InputRequired) {
            return stream::iter([task.status(TaskState::Completed, None)]).boxed();
        }
        match text.split(' ').collect::<Vec<_>>().as_slice() {
            ["chunks", count, size] => match (count.parse(), size.parse()) {
                (Ok(count), Ok(size)) => task.chunks(count, size),
                _ => {
                    let error = A2AError::invalid_params("chunks needs two numbers");
                    stream::iter([Err(error)]).boxed()
                }
            },
            ["ask", ..] => {
                stream::iter([task.status(TaskState::InputRequired, Some("Which one?"))]).boxed()
            }
            _ => stream::iter([
                task.artifact(new_artifact_id(), text.to_owned(), None, None),
                task.status(TaskState::Completed, None),
            ])
            .boxed(),
        }
    }

    fn cancel(&self, context: ExecutorContext) -> BoxStream<'static, Event> {
        stream::iter([Ids::of(&context).status(TaskState::Canceled, None)]).boxed()
    }
}

/// What every event of a task carries.
struct Ids {
    task: String,
    context: String,
}

impl Ids {
    fn of(context: &ExecutorContext) -> Self {
        let (task, context) = context.task_info();
        Self { task, context }
    }

    /// Works, then gives one artifact in `count` chunks of `size` bytes.
    ///
    /// The framework ends a stream with an error if its reader is 32 events behind, and gives an executor no
    /// way to wait for readers. Without letting them run after each chunk, most streams of 100 chunks fail.
    fn chunks(self, count: usize, size: usize) -> BoxStream<'static, Event> {
        let artifact = new_artifact_id();
        let first = self.status(TaskState::Working, None);
        let last = self.status(TaskState::Completed, None);
        let chunks = stream::iter(0..count).then(move |index| {
            let (append, last) = (index > 0, index + 1 == count);
            let chunk = self.artifact(artifact.clone(), "x".repeat(size), Some(append), Some(last));
            async {
                tokio::task::yield_now().await;
                chunk
            }
        });
        stream::iter([first])
            .chain(chunks)
            .chain(stream::iter([last]))
            .boxed()
    }

    fn status(&self, state: TaskState, text: Option<&str>) -> Event {
        let message = text.map(|text| Message {
            task_id: Some(self.task.clone()),
            context_id: Some(self.context.clone()),
            ..Message::new(Role::Agent, vec![Part::text(text)])
        });
        Ok(StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
            task_id: self.task.clone(),
            context_id: self.context.clone(),
            status: TaskStatus {
                state,
                message,
                timestamp: None,
            },
            metadata: None,
        }))
    }

    fn artifact(
        &self,
        artifact_id: String,
        text: String,
        append: Option<bool>,
        last_chunk: Option<bool>,
    ) -> Event {
        Ok(StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
            task_id: self.task.clone(),
            context_id: self.context.clone(),
            artifact: Artifact {
                artifact_id,
                name: None,
                description: None,
                parts: vec![Part::text(text)],
                metadata: None,
                extensions: None,
            },
            append,
            last_chunk,
            metadata: None,
        }))
    }
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).expect("the port");
    let port: u16 = port.parse().expect("a number as the port");
    let handler = DefaultRequestHandler::new(Executor, InMemoryTaskStore::new());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("a free port");
    let listener = listener.tap_io(|stream| {
        // Without it, only answers are slower.
        let _ = stream.set_nodelay(true);
    });
    println!("ready");
    axum::serve(listener, jsonrpc_router(Arc::new(handler)))
        .await
        .expect("a server");
}

//! The bare loop: what a host like ours costs at least.
//!
//! The same libraries without the host: axum takes a request, a fresh wasmtime instance answers it, one
//! group-committed and synced RocksDB write keeps request and answer. No log, no queue, no tenants, no task
//! that outlives its request. A token stream is written without storing anything.

mod committer;
mod sandbox;
mod stream;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde_json::{Value, json};

use committer::Committer;
use sandbox::Sandbox;

struct Loop {
    committer: Committer,
    sandbox: Sandbox,
}

/// Serves until it is killed; says `ready` once it listens.
pub(crate) async fn serve(port: u16, folder: &Path) -> Result<()> {
    let bare = Loop {
        committer: Committer::open(folder)?,
        sandbox: Sandbox::new(&wat::parse_str(sandbox::ECHO)?).map_err(broken)?,
    };
    let router = Router::new()
        .route("/", post(answer))
        .with_state(Arc::new(bare));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = tokio::net::TcpListener::bind(address).await?;
    crate::print("ready");
    let listener = listener.tap_io(|stream| {
        // Without it, the last bytes of an answer wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn answer(State(bare): State<Arc<Loop>>, Json(request): Json<Value>) -> Response {
    match bare.answer(&request).await {
        Ok(answer) => answer,
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

impl Loop {
    async fn answer(&self, request: &Value) -> Result<Response> {
        let text = request.pointer("/params/message/parts/0/text");
        let text = text.and_then(Value::as_str).context("no text")?;
        if request["method"] == "SendStreamingMessage" {
            return Ok(stream::chunks(text)?.into_response());
        }
        let task = self.run(request, text).await?;
        let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {"task": task}});
        Ok(Json(answer).into_response())
    }

    async fn run(&self, request: &Value, text: &str) -> Result<Value> {
        let echoed = self.sandbox.run(text).map_err(broken)?;
        let task = json!({
            "id": self.committer.number().to_string(),
            "status": {"state": "TASK_STATE_COMPLETED"},
            "artifacts": [{"artifactId": "echo", "parts": [{"text": echoed}]}],
        });
        let record = json!({"request": request, "task": task}).to_string();
        self.committer.commit(record.into_bytes()).await?;
        Ok(task)
    }
}

fn broken(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("the sandbox failed: {error:#}")
}

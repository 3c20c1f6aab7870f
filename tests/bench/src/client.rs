//! A client that costs as little as possible: one keep-alive connection, requests as text.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    agent: String,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, agent: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            agent: agent.to_owned(),
        })
    }

    /// Sends a message and gives the answer.
    pub(crate) async fn send(&mut self, text: &str, immediately: bool) -> Result<String> {
        self.request("SendMessage", text, immediately).await?;
        self.body().await
    }

    async fn body(&mut self) -> Result<String> {
        let length = self.head().await?.context("an answer without a length")?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(String::from_utf8(body)?)
    }

    /// Answers a task's question and gives the end.
    pub(crate) async fn answer(&mut self, task: &str, text: &str) -> Result<String> {
        let message = json!({"messageId": "m", "role": "ROLE_USER", "taskId": task, "parts": [{"text": text}]});
        self.call("SendMessage", json!({ "message": message }))
            .await?;
        self.body().await
    }

    /// How many tasks of the agent have completed.
    pub(crate) async fn completed(&mut self) -> Result<u64> {
        let params = json!({"status": "TASK_STATE_COMPLETED", "pageSize": 1});
        self.call("ListTasks", params).await?;
        let answer: Value = serde_json::from_str(&self.body().await?)?;
        let total = answer.pointer("/result/totalSize");
        total.and_then(Value::as_u64).context("no total")
    }

    /// Streams a task to its end and counts the events that contain `what`.
    pub(crate) async fn stream(&mut self, text: &str, what: &str) -> Result<usize> {
        self.request("SendStreamingMessage", text, false).await?;
        self.head().await?;
        let (mut count, mut line) = (0, String::new());
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                bail!("the stream ended before the task");
            }
            count += usize::from(line.starts_with("data:") && line.contains(what));
            if line.contains("TASK_STATE_COMPLETED") {
                return Ok(count);
            }
            if line.contains("TASK_STATE_FAILED") || line.contains("\"error\"") {
                bail!("the task failed: {line}");
            }
        }
    }

    async fn request(&mut self, method: &str, text: &str, immediately: bool) -> Result<()> {
        let message = json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]});
        let params =
            json!({"message": message, "configuration": {"returnImmediately": immediately}});
        self.call(method, params).await
    }

    async fn call(&mut self, method: &str, params: Value) -> Result<()> {
        let body =
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let agent = &self.agent;
        let length = body.len();
        let request = format!(
            "POST /agents/{agent} HTTP/1.1\r\nhost: localhost\r\na2a-version: 1.0\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await?;
        Ok(())
    }

    /// Reads the head of an answer; gives the length of its body, if it says so.
    async fn head(&mut self) -> Result<Option<usize>> {
        let (mut length, mut line) = (None, String::new());
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                bail!("the host closed the connection");
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                return Ok(length);
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = Some(value.trim().parse()?);
            }
        }
    }
}

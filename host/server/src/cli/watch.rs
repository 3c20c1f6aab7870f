//! Follows a task: progress bars and growing artifacts for people, one JSON line per event for programs.

use std::time::Duration;

use a2a::{A2AError, StreamResponse, SubscribeToTaskRequest};
use anyhow::bail;
use futures::StreamExt;
use futures::stream::BoxStream;
use indicatif::{ProgressBar, ProgressStyle};

use super::agent::{AgentClient, refused};
use super::transcript::{Progress, Transcript};
use super::{Exit, Output, task};

/// How often a bar moves although nothing happens, to show that the command is alive.
const TICK: Duration = Duration::from_millis(120);

/// What an agent sends about a task.
type Events = BoxStream<'static, Result<StreamResponse, A2AError>>;

/// Follows the task `id` until it ends or asks for something.
///
/// # Errors
/// If the agent cannot be reached or refuses, or its stream breaks off.
pub(super) async fn task(
    client: &AgentClient,
    id: String,
    output: Output,
    again: &str,
) -> anyhow::Result<Exit> {
    // A task that has ended cannot be subscribed to (A2A 3.1.6), only looked at.
    let now = task::get(client, id.clone()).await?;
    if now.status.state.is_terminal() {
        task::show(&now, output, again)?;
        return Ok(Exit::of_task(&now.status.state));
    }
    let request = SubscribeToTaskRequest { id, tenant: None };
    let events = client.subscribe_to_task(&request).await;
    follow(events.map_err(refused)?, output, again).await
}

/// Shows `events` until the task ends or asks for something.
///
/// # Errors
/// If the stream breaks off before.
pub(super) async fn follow(
    mut events: Events,
    output: Output,
    again: &str,
) -> anyhow::Result<Exit> {
    let mut transcript = Transcript::new(output, again);
    let mut bar = Bar(None);
    while let Some(event) = events.next().await {
        let event = event.map_err(refused)?;
        let shown = transcript.add(&event);
        if output.is_json() {
            output.event(&event)?;
        } else if !shown.text.is_empty() {
            bar.clear();
            output.text(&shown.text)?;
        }
        if let Some(exit) = shown.end {
            bar.clear();
            return Ok(exit);
        }
        if output.is_terminal() {
            bar.show(shown.progress);
        }
    }
    bar.clear();
    match transcript.command("watch") {
        None => bail!("the stream ended before there was a task"),
        Some(command) => bail!("the stream ended before the task did; go on with: {command}"),
    }
}

/// The bar at the bottom, while there is one. It goes to standard error, and away before any text.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn show(&mut self, progress: Option<Progress>) {
        let Some(progress) = progress else {
            return;
        };
        let bar = self.0.get_or_insert_with(new_bar);
        if let Some(percent) = progress.percent {
            bar.set_position(percent);
        }
        bar.set_message(progress.text);
    }

    fn clear(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::new(100);
    // A template that cannot be read only costs the looks.
    if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:30.cyan}] {percent}% {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(TICK);
    bar
}

//! Follows a task: progress bars and growing artifacts for people, one JSON line per event for programs, or
//! only what keeps the task.

use std::time::Duration;

use a2a::{A2AError, StreamResponse, SubscribeToTaskRequest};
use anyhow::bail;
use futures::StreamExt;
use futures::stream::BoxStream;
use indicatif::{ProgressBar, ProgressStyle};
use taskyard_task::wire::v1;

use super::agent::{AgentClient, refused};
use super::transcript::{Progress, Transcript};
use super::trouble::Trouble;
use super::{Exit, Output, task};

/// How often a bar moves although nothing happens, to show that the command is alive.
const TICK: Duration = Duration::from_millis(120);

/// How long a task is silent before the host is asked what keeps it.
const SILENCE: Duration = Duration::from_secs(1);

/// What an agent sends about a task.
pub(super) type Events<'a> = BoxStream<'a, Result<StreamResponse, A2AError>>;

/// What is shown of what happens, apart from what keeps the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// Each event.
    Events,
    /// Nothing: the task is shown when it is over.
    Nothing,
}

/// How a task was followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) exit: Exit,
    /// The task, if there is one; a direct answer has none.
    pub(super) task: Option<String>,
    /// The last event.
    pub(super) last: StreamResponse,
}

/// Follows the task `id` until it ends or asks for something.
///
/// # Errors
/// If the agent cannot be reached or refuses, or its stream breaks off.
pub(super) async fn task(
    client: &AgentClient,
    id: String,
    output: Output,
    again: &str,
    trouble: Option<Trouble>,
) -> anyhow::Result<Exit> {
    // A task that has ended cannot be subscribed to (A2A 3.1.6), only looked at.
    let now = task::get(client, id.clone()).await?;
    if now.status.state.is_terminal() {
        task::show(&now, output, again)?;
        return Ok(Exit::of_task(&now.status.state));
    }
    let request = SubscribeToTaskRequest { id, tenant: None };
    let events = client.client.subscribe_to_task(&request).await;
    let events = events.map_err(refused)?;
    let followed = follow(events, Show::Events, output, again, trouble).await?;
    Ok(followed.exit)
}

/// Shows `events` until the task ends, asks for something or is parked. What keeps it meanwhile is said on
/// standard error, or behind the events if people read them.
///
/// # Errors
/// If the stream breaks off before.
pub(super) async fn follow(
    mut events: Events<'_>,
    show: Show,
    output: Output,
    again: &str,
    mut trouble: Option<Trouble>,
) -> anyhow::Result<Followed> {
    let mut transcript = Transcript::new(output, again);
    let mut bar = Bar(None);
    let mut waiting = None;
    loop {
        let next = tokio::time::timeout(SILENCE, events.next());
        let event = match next.await {
            Ok(Some(event)) => event.map_err(|error| broken_off(&transcript, error))?,
            Ok(None) => break,
            Err(_) => {
                if let Some(news) = retry(trouble.as_mut(), &transcript).await {
                    bar.clear();
                    say(&news, show, output)?;
                } else if show == Show::Nothing && waiting != transcript.waiting() {
                    waiting = transcript.waiting();
                    waiting
                        .iter()
                        .try_for_each(|news| say(news, show, output))?;
                }
                continue;
            }
        };
        let shown = transcript.add(&event);
        if show == Show::Events && output.is_json() {
            output.event(&v1::Event::from(&event))?;
        } else if show == Show::Events && !shown.text.is_empty() {
            bar.clear();
            output.text(&shown.text)?;
        }
        if let Some(exit) = shown.end {
            bar.clear();
            let task = transcript.task_id().map(str::to_owned);
            if exit == Exit::TaskParked {
                explain(&shown.text, task.as_deref(), show, output, trouble).await?;
            }
            return Ok(Followed {
                exit,
                task,
                last: event,
            });
        }
        if show == Show::Events && output.is_terminal() {
            bar.show(shown.progress);
        }
    }
    bar.clear();
    match transcript.command("watch") {
        None => bail!("the stream ended before there was a task"),
        Some(command) => bail!("the stream ended before the task did; go on with: {command}"),
    }
}

/// What a task that is silent is tried again after, if that is news.
async fn retry(trouble: Option<&mut Trouble>, transcript: &Transcript) -> Option<String> {
    trouble?.retry(transcript.task_id()?).await
}

/// Says why a task is parked and what can be done about it; in words also to people who look on while a
/// program reads the answer.
async fn explain(
    seen: &str,
    task: Option<&str>,
    show: Show,
    output: Output,
    trouble: Option<Trouble>,
) -> anyhow::Result<()> {
    if output.is_json() {
        output.aside(seen.trim_end())?;
    }
    if let (Some(trouble), Some(task)) = (trouble, task) {
        for line in trouble.parked(task).await {
            say(&line, show, output)?;
        }
    }
    Ok(())
}

/// Prints a line that is no event.
fn say(line: &str, show: Show, output: Output) -> anyhow::Result<()> {
    match show {
        Show::Events if !output.is_json() => output.line(line)?,
        Show::Events | Show::Nothing => output.aside(line)?,
    }
    Ok(())
}

/// An error in the middle: the task may well go on.
fn broken_off(transcript: &Transcript, error: A2AError) -> anyhow::Error {
    let error = refused(error);
    match transcript.command("watch") {
        None => error,
        Some(command) => error.context(format!("cannot follow the task; go on with: {command}")),
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

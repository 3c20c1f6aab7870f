//! `taskyard task`: a plain A2A client, and what operators do to tasks of their host.

use std::io::Read;
use std::path::PathBuf;

use a2a::{
    CancelTaskRequest, GetTaskRequest, ListTasksRequest, Message, Part, Role,
    SendMessageConfiguration, SendMessageRequest, SendMessageResponse, StreamResponse, Task,
    TaskState,
};
use anyhow::{Context, ensure};
use clap::{Args, Subcommand, ValueEnum};
use taskyard_task::wire::v1;

use super::admin::AdminArgs;
use super::agent::{AgentArgs, AgentClient, refused};
use super::exit::HELP;
use super::operator::{self, OperatorCommand};
use super::output::{parts_text, state_name};
use super::trouble::Trouble;
use super::watch::{Followed, Show};
use super::{Exit, Output, files, poll, transcript, watch};
use crate::config::Config;

/// How many tasks one request for a list asks for; servers may refuse more.
const PAGE: usize = 100;
/// The longest answer that is read from the standard input; hosts take no longer ones.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// What `task` takes.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct TaskArgs {
    #[command(flatten)]
    agent: AgentArgs,
    #[command(flatten)]
    admin: AdminArgs,
    #[command(subcommand)]
    command: TaskCommand,
}

#[derive(Debug, Subcommand)]
enum TaskCommand {
    #[command(flatten)]
    Client(ClientCommand),
    #[command(flatten)]
    Operator(OperatorCommand),
}

/// What clients of any A2A server do.
#[derive(Debug, Subcommand)]
enum ClientCommand {
    /// Send a message; waits for the result unless told otherwise
    Send {
        #[command(flatten)]
        content: Content,
        #[command(flatten)]
        wait: Wait,
        /// Continue this task
        #[arg(long, value_name = "ID")]
        task: Option<String>,
        /// Belong to this conversation
        #[arg(long, value_name = "ID")]
        context: Option<String>,
    },
    /// Answer a task that waits, or tell one that works something more
    Answer {
        /// The task
        id: String,
        #[command(flatten)]
        content: Content,
        #[command(flatten)]
        wait: Wait,
        /// For operators: give the worker what it asks for, such as credentials, without the client seeing
        /// it; the text `-` is read from the standard input
        #[arg(long, conflicts_with_all = ["file", "stream", "no_wait"])]
        out_of_band: bool,
    },
    /// Show a task
    Get {
        /// The task
        id: String,
    },
    /// List tasks, the most recently changed first
    List {
        /// Only those of this conversation
        #[arg(long, value_name = "ID")]
        context: Option<String>,
        /// Only those in this state
        #[arg(long)]
        state: Option<State>,
        /// For operators: the unfinished tasks, of all clients, that run this component: a version, a
        /// digest, or its first digits
        #[arg(long, value_name = "VERSION|DIGEST", conflicts_with_all = ["context", "state"])]
        plugin: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: usize,
    },
    /// Follow a task until it ends or asks for something
    Watch {
        /// The task
        id: String,
    },
    /// Cancel a task
    Cancel {
        /// The task
        id: String,
    },
}

/// What a message says.
#[derive(Debug, Args)]
struct Content {
    /// What to say
    #[arg(required_unless_present = "file")]
    text: Option<String>,
    /// A file to send along; may be given several times
    #[arg(long, value_name = "PATH")]
    file: Vec<PathBuf>,
    /// The media type of the files [default: by their names]
    #[arg(long, value_name = "TYPE", requires = "file")]
    media_type: Option<String>,
}

/// How long a command stays.
#[derive(Debug, Clone, Copy, Args)]
struct Wait {
    /// Show what happens while it happens
    #[arg(long)]
    stream: bool,
    /// Return as soon as the task is accepted
    #[arg(long, conflicts_with = "stream")]
    no_wait: bool,
}

/// A state to look for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Submitted,
    Working,
    InputRequired,
    AuthRequired,
    Completed,
    Failed,
    Canceled,
    Rejected,
}

/// Does what `task` says.
///
/// # Errors
/// If the agent cannot be reached or refuses.
pub(crate) async fn run(args: TaskArgs, config: &Config, output: Output) -> anyhow::Result<Exit> {
    let TaskArgs {
        agent,
        admin,
        command,
    } = args;
    match command {
        TaskCommand::Operator(command) => {
            let admin = admin.connect(config)?;
            operator::run(command, &admin, agent.name(), output).await
        }
        TaskCommand::Client(ClientCommand::List {
            plugin: Some(plugin),
            limit,
            ..
        }) => {
            let admin = admin.connect(config)?;
            operator::list(&admin, agent.name(), &plugin, limit, output).await
        }
        TaskCommand::Client(ClientCommand::Answer {
            id,
            content,
            out_of_band: true,
            ..
        }) => {
            let admin = admin.connect(config)?;
            operator::answer(&admin, &id, content.secret()?, output).await
        }
        TaskCommand::Client(command) => {
            let client = agent.connect(config).await?;
            // Without a token, or elsewhere, what clients see must do.
            let trouble = admin.connect(config).ok().filter(|_| agent.is_here());
            let trouble = trouble.map(Trouble::new);
            as_client(command, &client, output, &agent.again(), trouble).await
        }
    }
}

async fn as_client(
    command: ClientCommand,
    client: &AgentClient,
    output: Output,
    again: &str,
    trouble: Option<Trouble>,
) -> anyhow::Result<Exit> {
    match command {
        ClientCommand::Send {
            content,
            wait,
            task,
            context,
        } => {
            let message = content.message(task, context)?;
            send(client, message, wait, output, again, trouble).await
        }
        ClientCommand::Answer {
            id, content, wait, ..
        } => {
            let message = content.message(Some(id), None)?;
            send(client, message, wait, output, again, trouble).await
        }
        ClientCommand::Get { id } => {
            show(&get(client, id).await?, output, again)?;
            Ok(Exit::Ok)
        }
        ClientCommand::List {
            context,
            state,
            limit,
            ..
        } => list(client, context, state, limit, output).await,
        ClientCommand::Watch { id } => watch::task(client, id, output, again, trouble).await,
        ClientCommand::Cancel { id } => cancel(client, id, output, again).await,
    }
}

async fn send(
    client: &AgentClient,
    message: Message,
    wait: Wait,
    output: Output,
    again: &str,
    trouble: Option<Trouble>,
) -> anyhow::Result<Exit> {
    let streams = client.streams && !wait.no_wait;
    let is_polled = !streams && !wait.stream;
    let request = SendMessageRequest {
        message,
        configuration: Some(SendMessageConfiguration {
            accepted_output_modes: None,
            task_push_notification_config: None,
            history_length: None,
            // An agent without streams would be silent until the end, also about a task that is parked.
            return_immediately: is_polled.then_some(true),
        }),
        metadata: None,
        tenant: None,
    };
    if !is_polled {
        // Also who sees nothing of the stream follows it, to learn what keeps the task.
        let what = match wait.stream {
            true => Show::Events,
            false => Show::Nothing,
        };
        let events = client.client.send_streaming_message(&request).await;
        let events = events.map_err(refused)?;
        let followed = watch::follow(events, what, output, again, trouble).await?;
        if what == Show::Nothing {
            show_followed(client, &followed, output, again).await?;
        }
        return Ok(followed.exit);
    }
    match client
        .client
        .send_message(&request)
        .await
        .map_err(refused)?
    {
        SendMessageResponse::Task(task) if wait.no_wait => {
            show(&task, output, again)?;
            Ok(Exit::of_task(&task.status.state))
        }
        SendMessageResponse::Task(task) => {
            let events = poll::events(client, task);
            let followed = watch::follow(events, Show::Nothing, output, again, trouble).await?;
            show_followed(client, &followed, output, again).await?;
            Ok(followed.exit)
        }
        SendMessageResponse::Message(message) => {
            show_reply(&message, output)?;
            Ok(Exit::Ok)
        }
    }
}

/// Prints what a task came to that was followed in silence.
async fn show_followed(
    client: &AgentClient,
    followed: &Followed,
    output: Output,
    again: &str,
) -> anyhow::Result<()> {
    match (&followed.last, &followed.task) {
        (StreamResponse::Message(message), _) => show_reply(message, output),
        (_, Some(id)) => show(&get(client, id.clone()).await?, output, again),
        (_, None) => Ok(()),
    }
}

fn show_reply(message: &Message, output: Output) -> anyhow::Result<()> {
    match output.is_json() {
        true => output.document(message),
        false => Ok(output.line(parts_text(&message.parts))?),
    }
}

pub(super) async fn get(client: &AgentClient, id: String) -> anyhow::Result<Task> {
    let request = GetTaskRequest {
        id,
        history_length: None,
        tenant: None,
    };
    client.client.get_task(&request).await.map_err(refused)
}

async fn cancel(
    client: &AgentClient,
    id: String,
    output: Output,
    again: &str,
) -> anyhow::Result<Exit> {
    let request = CancelTaskRequest {
        id,
        metadata: None,
        tenant: None,
    };
    let task = client.client.cancel_task(&request).await.map_err(refused)?;
    show(&task, output, again)?;
    Ok(match task.status.state {
        TaskState::Canceled => Exit::Ok,
        other => Exit::of_task(&other),
    })
}

async fn list(
    client: &AgentClient,
    context: Option<String>,
    state: Option<State>,
    limit: usize,
    output: Output,
) -> anyhow::Result<Exit> {
    let mut request = ListTasksRequest {
        context_id: context,
        status: state.map(TaskState::from),
        page_size: None,
        page_token: None,
        history_length: Some(0),
        status_timestamp_after: None,
        include_artifacts: None,
        tenant: None,
    };
    let mut tasks: Vec<Task> = Vec::new();
    while tasks.len() < limit {
        let page_size = PAGE.min(limit - tasks.len());
        request.page_size = i32::try_from(page_size).ok();
        let page = client.client.list_tasks(&request).await.map_err(refused)?;
        ensure!(
            page.tasks.len() <= page_size,
            "the agent sent more tasks than were asked for"
        );
        let last = page.tasks.is_empty() || page.next_page_token.is_empty();
        tasks.extend(page.tasks);
        if last {
            break;
        }
        request.page_token = Some(page.next_page_token);
    }
    match output.is_json() {
        true => output.document(&tasks.iter().map(v1::Task::from).collect::<Vec<_>>())?,
        false => output.table(
            ["TASK", "STATE", "CHANGED", "CONTEXT"],
            tasks.iter().map(row),
        )?,
    }
    Ok(Exit::Ok)
}

fn row(task: &Task) -> [String; 4] {
    let changed = task.status.timestamp;
    let changed = changed.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string());
    [
        task.id.clone(),
        state_name(&task.status.state).to_owned(),
        changed.unwrap_or_default(),
        task.context_id.clone(),
    ]
}

/// Prints a whole task of the agent that `again` names.
pub(super) fn show(task: &Task, output: Output, again: &str) -> anyhow::Result<()> {
    match output.is_json() {
        true => output.document(&v1::Task::from(task)),
        false => Ok(output.text(&transcript::of_task(task, output, again))?),
    }
}

impl Content {
    /// The text, which need not be on the command line, where other users of the machine can see it.
    fn secret(self) -> anyhow::Result<String> {
        let text = self.text.unwrap_or_default();
        if text != "-" {
            return Ok(text);
        }
        let mut text = String::new();
        let read = std::io::stdin()
            .take(MAX_SECRET_BYTES)
            .read_to_string(&mut text);
        read.context("cannot read the answer from the standard input")?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn message(&self, task: Option<String>, context: Option<String>) -> anyhow::Result<Message> {
        let mut parts: Vec<Part> = self.text.iter().map(Part::text).collect();
        for file in &self.file {
            parts.push(files::part(file, self.media_type.as_deref())?);
        }
        let mut message = Message::new(Role::User, parts);
        message.task_id = task;
        message.context_id = context;
        Ok(message)
    }
}

impl From<State> for TaskState {
    fn from(state: State) -> Self {
        match state {
            State::Submitted => Self::Submitted,
            State::Working => Self::Working,
            State::InputRequired => Self::InputRequired,
            State::AuthRequired => Self::AuthRequired,
            State::Completed => Self::Completed,
            State::Failed => Self::Failed,
            State::Canceled => Self::Canceled,
            State::Rejected => Self::Rejected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_named_as_they_are_shown() {
        for state in State::value_variants() {
            let named = state.to_possible_value().unwrap();
            assert_eq!(named.get_name(), state_name(&TaskState::from(*state)));
        }
    }
}

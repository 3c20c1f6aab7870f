//! `taskyard task` for operators: tasks of all clients, and what to do about those that stand still.

use clap::Subcommand;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use taskyard_api::admin::{
    FlightList, ParkedList, ParkedView, ProbeView, TaskBrief, reason_in_words,
};
use taskyard_task::visible::in_line;

use super::plugin::short;
use super::{Exit, Output, task_log, task_show};
use crate::admin_client::{AdminClient, encode};

/// How many tasks one request asks for.
const PAGE: usize = 200;

/// What operators do; needs the admin token.
#[derive(Debug, Subcommand)]
pub(super) enum OperatorCommand {
    /// For operators: list the tasks that stand still until you look at them
    Parked {
        /// At most this many
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
    /// For operators: tell what a task does, and why it does not
    Show {
        /// The task
        id: String,
    },
    /// For operators: show a task's log, one line for each entry; never contents
    Log {
        /// The task
        id: String,
        /// Begin with this entry
        #[arg(long, default_value_t = 1, value_name = "N")]
        from: u64,
    },
    /// For operators: let a parked task go on where it is
    Resume {
        /// The task
        id: String,
    },
    /// For operators: let a parked task go on from an earlier point; what its worker did from there on does
    /// not count, and is done again
    Retry {
        /// The task
        id: String,
        /// The first entry that is taken back
        #[arg(long, value_name = "N")]
        from: u64,
    },
    /// For operators: try whether another version does what a task's log says; changes nothing
    Probe {
        /// The task
        id: String,
        /// The version: as it is called, a digest, or its first digits
        #[arg(long, value_name = "VERSION|DIGEST")]
        to: String,
    },
    /// For operators: move a task to another version, if that does what the task's log says; a parked one
    /// goes on
    Move {
        /// The task
        id: String,
        /// The version: as it is called, a digest, or its first digits
        #[arg(long, value_name = "VERSION|DIGEST")]
        to: String,
    },
    /// For operators: end a task as failed
    Fail {
        /// The task
        id: String,
        /// Why; its client gets to see it
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Does what an operator says. `agent` narrows lists.
///
/// # Errors
/// If the host cannot be reached or refuses.
pub(super) async fn run(
    command: OperatorCommand,
    admin: &AdminClient,
    agent: Option<&str>,
    output: Output,
) -> anyhow::Result<Exit> {
    match command {
        OperatorCommand::Parked { limit } => parked(admin, agent, limit, output).await?,
        OperatorCommand::Show { id } => task_show::run(admin, &id, output).await?,
        OperatorCommand::Log { id, from } => task_log::run(admin, &id, from, output).await?,
        OperatorCommand::Resume { id } => change(admin, &id, "resume", &json!({}), output).await?,
        OperatorCommand::Retry { id, from } => {
            change(admin, &id, "retry", &json!({"from": from}), output).await?;
        }
        OperatorCommand::Move { id, to } => {
            change(admin, &id, "move", &json!({"to": to}), output).await?;
        }
        OperatorCommand::Fail { id, reason } => {
            change(admin, &id, "fail", &json!({"reason": reason}), output).await?;
        }
        OperatorCommand::Probe { id, to } => return probe(admin, &id, &to, output).await,
    }
    Ok(Exit::Ok)
}

/// Lists the unfinished tasks that run a component.
///
/// # Errors
/// If the host cannot be reached or refuses.
pub(super) async fn list(
    admin: &AdminClient,
    agent: Option<&str>,
    plugin: &str,
    limit: usize,
    output: Output,
) -> anyhow::Result<Exit> {
    let query = query([("agent", agent), ("plugin", Some(plugin))]);
    let tasks = pages(limit, async |page| {
        let list: FlightList = admin.get(&format!("/v1/tasks{query}{page}")).await?;
        Ok((list.tasks, list.next_page_token))
    })
    .await?;
    match output.is_json() {
        true => output.document(&tasks)?,
        false => output.table(
            [
                "TASK",
                "AGENT",
                "DOES",
                "STATE",
                "VERSION",
                "COMPONENT",
                "SUBMITTED",
            ],
            tasks.iter().map(in_flight_row),
        )?,
    }
    Ok(Exit::Ok)
}

/// Answers what a task asks, without its client seeing it.
///
/// # Errors
/// If the host cannot be reached or refuses.
pub(super) async fn answer(
    admin: &AdminClient,
    id: &str,
    text: String,
    output: Output,
) -> anyhow::Result<Exit> {
    change(admin, id, "answer", &json!({"text": text}), output).await?;
    Ok(Exit::Ok)
}

async fn parked(
    admin: &AdminClient,
    agent: Option<&str>,
    limit: usize,
    output: Output,
) -> anyhow::Result<()> {
    let query = query([("agent", agent)]);
    let tasks = pages(limit, async |page| {
        let list: ParkedList = admin.get(&format!("/v1/parked{query}{page}")).await?;
        Ok((list.tasks, list.next_page_token))
    })
    .await?;
    if output.is_json() {
        return output.document(&tasks);
    }
    if tasks.is_empty() {
        return Ok(output.line("no task is parked")?);
    }
    let header = ["TASK", "AGENT", "SINCE", "BEHIND ENTRY", "CODE", "REASON"];
    Ok(output.table(header, tasks.iter().map(parked_row))?)
}

async fn change(
    admin: &AdminClient,
    id: &str,
    what: &str,
    order: &impl Serialize,
    output: Output,
) -> anyhow::Result<()> {
    let path = format!("/v1/tasks/{}/{what}", encode(id));
    let task: TaskBrief = admin.order(&path, order).await?;
    match output.is_json() {
        true => output.document(&task),
        false => Ok(output.line(changed(&task))?),
    }
}

async fn probe(admin: &AdminClient, id: &str, to: &str, output: Output) -> anyhow::Result<Exit> {
    let path = format!("/v1/tasks/{}/probe", encode(id));
    let probe: ProbeView = admin.order(&path, &json!({"to": to})).await?;
    match output.is_json() {
        true => output.document(&probe)?,
        false => output.line(probed(&probe))?,
    }
    Ok(match probe.compatible {
        true => Exit::Ok,
        false => Exit::Error,
    })
}

/// Reads pages until there are `limit` things, or no more. `read` gets what to add to a query, and gives a
/// page and the token of the next one.
async fn pages<T>(
    limit: usize,
    read: impl AsyncFn(String) -> anyhow::Result<(Vec<T>, String)>,
) -> anyhow::Result<Vec<T>>
where
    T: DeserializeOwned,
{
    let (mut all, mut token) = (Vec::new(), String::new());
    while all.len() < limit {
        let size = PAGE.min(limit - all.len());
        let next = match token.as_str() {
            "" => String::new(),
            token => format!("&page_token={}", encode(token)),
        };
        let (page, following) = read(format!("page_size={size}{next}")).await?;
        all.extend(page);
        if following.is_empty() {
            break;
        }
        token = following;
    }
    Ok(all)
}

/// The beginning of a query, so that more can be added.
fn query<const N: usize>(pairs: [(&str, Option<&str>); N]) -> String {
    let given = pairs.into_iter();
    let given = given.filter_map(|(key, value)| Some(format!("{key}={}&", encode(value?))));
    format!("?{}", given.collect::<String>())
}

fn parked_row(parked: &ParkedView) -> [String; 6] {
    [
        parked.task.id.clone(),
        parked.task.agent.clone(),
        parked.since.clone(),
        parked.why.position.to_string(),
        in_line(&parked.why.code),
        in_line(&reason_in_words(&parked.why.reason)),
    ]
}

fn in_flight_row(task: &TaskBrief) -> [String; 7] {
    [
        task.id.clone(),
        task.agent.clone(),
        task.phase.clone(),
        task.state.clone(),
        in_line(task.version.as_deref().unwrap_or("?")),
        short(&task.digest),
        task.created_at.clone(),
    ]
}

fn changed(task: &TaskBrief) -> String {
    let TaskBrief { id, phase, .. } = task;
    match phase.as_str() {
        "ended" => format!("task {id} has ended ({})", task.state),
        phase => format!("task {id} is {phase} on {}", runs_on(task)),
    }
}

/// The version and the component of a task.
pub(super) fn runs_on(task: &TaskBrief) -> String {
    let version = task.version.as_deref().unwrap_or("an unknown version");
    format!("{} (component {})", in_line(version), short(&task.digest))
}

fn probed(probe: &ProbeView) -> String {
    let verdict = match probe.compatible {
        true => "compatible",
        false => "not compatible",
    };
    let version = in_line(&probe.version);
    let component = short(&probe.digest);
    let repeated = match probe.replayed {
        1 => "1 entry was repeated".to_owned(),
        entries => format!("{entries} entries were repeated"),
    };
    let what = in_line(&probe.what);
    format!("{version} (component {component}) is {verdict}: {what} ({repeated})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_begin_with_what_is_given() {
        assert_eq!(query([("agent", None)]), "?");
        let both = query([("agent", Some("a")), ("plugin", Some("1.0.0+b c"))]);
        assert_eq!(both, "?agent=a&plugin=1.0.0%2Bb+c&");
    }

    #[tokio::test]
    async fn pages_are_read_until_there_is_enough() {
        let read = async |query: String| {
            let next = if query.contains("token") { "" } else { "t&" };
            Ok((vec![query], next.to_owned()))
        };
        let all = pages(5, read).await.unwrap();
        assert_eq!(all, ["page_size=5", "page_size=4&page_token=t%26"]);
        assert_eq!(pages(1, read).await.unwrap().len(), 1);
    }

    #[test]
    fn a_change_says_what_became_of_the_task() {
        let mut task = TaskBrief {
            id: "1".to_owned(),
            tenant: String::new(),
            agent: "steps".to_owned(),
            phase: "queued".to_owned(),
            state: "submitted".to_owned(),
            digest: "ab".repeat(32),
            version: Some("1.1.0".to_owned()),
            created_at: String::new(),
        };
        assert_eq!(
            changed(&task),
            "task 1 is queued on 1.1.0 (component abababababab)"
        );
        task.phase = "ended".to_owned();
        task.state = "failed".to_owned();
        assert_eq!(changed(&task), "task 1 has ended (failed)");
    }
}

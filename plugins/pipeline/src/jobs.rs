//! What is to be done, and by whom.

use taskyard_sdk::{Message, Part};

/// More jobs are a program, not a message.
const MAX_JOBS: usize = 100;

/// One job for one agent.
pub(crate) struct Job {
    pub(crate) agent: String,
    pub(crate) message: Vec<Part>,
}

/// The whole message for each of these agents.
///
/// # Errors
/// For the client: what is wrong.
pub(crate) fn for_each(agents: &[String], message: &Message) -> Result<Vec<Job>, String> {
    let job = |agent: &String| Job {
        agent: agent.clone(),
        message: message.parts.clone(),
    };
    checked(agents.iter().map(job).collect())
}

/// The jobs in the first part of the message, one in each line: `agent: text`. The other parts are files, and go
/// to each of the agents.
///
/// # Errors
/// For the client: what is wrong.
pub(crate) fn listed(message: Message) -> Result<Vec<Job>, String> {
    let mut parts = message.parts.into_iter();
    let list = parts.next();
    let files: Vec<Part> = parts.collect();
    let text = list.as_ref().and_then(Part::as_text).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    // One more than allowed is enough to see that there are too many.
    let jobs: Result<_, _> = lines
        .take(MAX_JOBS + 1)
        .map(|line| job(line, &files))
        .collect();
    checked(jobs?)
}

fn job(line: &str, files: &[Part]) -> Result<Job, String> {
    let job = line.split_once(':');
    let (agent, text) = job.ok_or_else(|| format!("{line:?} is not `agent: text`"))?;
    let text = match text.trim() {
        "" if files.is_empty() => return Err(format!("{line:?} does not say what to do")),
        "" => None,
        text => Some(Part::text(text)),
    };
    Ok(Job {
        agent: agent.trim().to_owned(),
        message: text.into_iter().chain(files.iter().cloned()).collect(),
    })
}

fn checked(jobs: Vec<Job>) -> Result<Vec<Job>, String> {
    match jobs.len() {
        0 => Err("send one job per line: `agent: text`".to_owned()),
        1..=MAX_JOBS => Ok(jobs),
        _ => Err(format!("these are more than {MAX_JOBS} jobs")),
    }
}

//! The last step, which cannot be taken back: so a person has to want it, and it is done at most once for each yes.

use serde::Serialize;
use taskyard_sdk::prelude::*;

/// How often an unclear answer is asked again. A person who did not say yes three times means no.
const MAX_QUESTIONS: usize = 3;
/// How often a person may try again.
const MAX_ATTEMPTS: usize = 5;

#[derive(Serialize)]
struct Publication<'a> {
    question: &'a str,
    report: &'a str,
}

/// Publishes the report if the person says yes. Whenever nobody knows whether that worked, the person decides.
pub(crate) fn with_consent(
    task: &Task,
    url: &str,
    question: &str,
    report: &str,
) -> Result<Outcome> {
    let mut doubt = String::new();
    for _ in 0..MAX_ATTEMPTS {
        if !consent(task, &format!("{doubt}Publish the report? (yes/no)"))? {
            return Ok(Outcome::completed_with("The report was not published."));
        }
        match publish(task, url, &Publication { question, report }) {
            Ok(()) => return Ok(Outcome::completed_with("The report was published.")),
            Err(error) if matches!(error.code(), "canceled" | "denied") => return Err(error),
            Err(error) => doubt = format!("The report may not be out: {}. ", error.message()),
        }
    }
    Err(Error::permanent("publish", doubt))
}

fn publish(task: &Task, url: &str, publication: &Publication<'_>) -> Result<()> {
    http::request("POST", url)
        .json(publication)?
        // The same for each attempt: whoever publishes can tell that it is the same report.
        .idempotency_key(format!("{}/report", task.identity().task_id))
        .at_most_once()
        .send()?
        .ok()?;
    Ok(())
}

fn consent(task: &Task, question: &str) -> Result<bool> {
    for _ in 0..MAX_QUESTIONS {
        let answer = task.ask(question)?.text();
        match answer
            .trim()
            .trim_end_matches(['.', '!'])
            .to_lowercase()
            .as_str()
        {
            "yes" | "y" => return Ok(true),
            "no" | "n" => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}

//! `taskyard task show`: what a task does, and why it does not.

use taskyard_api::admin::{ChildView, ParkedView, TaskStatusView};
use taskyard_task::visible::in_line;

use super::operator::runs_on;
use super::{Output, task_log};
use crate::admin_client::{AdminClient, encode};

/// Prints how a task is.
///
/// # Errors
/// If there is no such task, or the host cannot be reached.
pub(super) async fn run(admin: &AdminClient, id: &str, output: Output) -> anyhow::Result<()> {
    let path = format!("/v1/tasks/{}", encode(id));
    let status: TaskStatusView = admin.get(&path).await?;
    if output.is_json() {
        return output.document(&status);
    }
    for line in lines(&status) {
        output.line(in_line(&line))?;
    }
    Ok(())
}

fn lines(status: &TaskStatusView) -> Vec<String> {
    let task = &status.task;
    let mut lines = vec![
        format!("task {} of agent {}", task.id, task.agent),
        format!("runs on {}", runs_on(task)),
        format!(
            "submitted at {}, fails at {} if it has not ended",
            task.created_at, status.deadline
        ),
        format!("clients see it as {}", task.state),
        does(status),
    ];
    if status.cancel_requested && task.phase != "ended" {
        lines.push("its client asked to cancel".to_owned());
    }
    lines.extend(status.parked.iter().flat_map(stuck));
    if let Some(times) = status.broken {
        lines.push(format!("its worker broke {times} times at the same place"));
    }
    if status.failures > 0 {
        let failures = status.failures;
        lines.push(format!("{failures} failures in a row"));
        let last = status.last_retry.as_ref().map(task_log::in_words);
        lines.extend(last.map(|last| format!("  the last one: {last}")));
    }
    lines.extend(status.parent.iter().map(|it| format!("child of task {it}")));
    lines.extend(status.children.iter().map(child));
    for (to, until) in &status.taken_back {
        lines.push(format!(
            "what its worker did behind entry {to} and up to entry {until} was taken back"
        ));
    }
    lines.push(format!("runs so far: {}", status.attempts));
    let last = task_log::in_words(&status.last_entry);
    lines.push(format!("last entry of the log: {last}"));
    if let Some(parked) = &status.parked {
        lines.extend(advice(parked));
    }
    lines
}

/// What the host does with it, or what it waits for.
fn does(status: &TaskStatusView) -> String {
    let until = status.waits_until.as_deref();
    match status.task.phase.as_str() {
        "queued" => "is in line for a run".to_owned(),
        "running" => "runs".to_owned(),
        "delayed" => format!("is tried again at {}", until.unwrap_or("any moment")),
        "suspended" => format!("waits for {}", waits_for(status)),
        "parked" => "stands still until you do something".to_owned(),
        _ => "has ended".to_owned(),
    }
}

fn waits_for(status: &TaskStatusView) -> String {
    let mut what = Vec::new();
    match status.task.state.as_str() {
        "input-required" => what.push("an answer".to_owned()),
        "auth-required" => what.push("credentials".to_owned()),
        _ => {}
    }
    match status.children.len() {
        0 => {}
        1 => what.push("a child".to_owned()),
        children => what.push(format!("some of {children} children")),
    }
    what.extend(status.waits_until.clone());
    match what.is_empty() {
        true => "a message".to_owned(),
        false => what.join(", or "),
    }
}

fn stuck(parked: &ParkedView) -> Vec<String> {
    let why = &parked.why;
    let mut lines = vec![
        format!("parked since {}, by entry {}", parked.since, parked.entry),
        format!("  code      {}", why.code),
        format!("  reason    {}", why.reason),
        format!("  position  behind entry {}", why.position),
    ];
    if let Some(backtrace) = &why.backtrace {
        lines.push("  where its code was".to_owned());
        lines.extend(backtrace.lines().map(|line| format!("    {line}")));
    }
    lines
}

fn child(child: &ChildView) -> String {
    let ticket = child.ticket;
    let detached = if child.detached { ", detached" } else { "" };
    match &child.task {
        Some(task) => format!("child #{ticket}: task {task}{detached}"),
        None => format!("child #{ticket}: on another host{detached}"),
    }
}

/// What an operator can do about a parked task.
pub(super) fn advice(parked: &ParkedView) -> Vec<String> {
    let id = &parked.task.id;
    let position = parked.why.position.max(2);
    vec![
        format!("look closer:  taskyard task log {id}"),
        format!("let it go on: taskyard task resume {id}"),
        format!("do it again:  taskyard task retry {id} --from {position}"),
        format!("mend it:      taskyard plugin load FILE; taskyard task move {id} --to VERSION"),
        format!("give it up:   taskyard task fail {id} --reason TEXT"),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A task that does this.
    pub(in crate::cli) fn status(phase: &str, state: &str) -> TaskStatusView {
        let status = json!({
            "id": "1", "tenant": "", "agent": "steps", "phase": phase, "state": state,
            "digest": "ab".repeat(32), "version": "1.0.0", "created_at": "t0",
            "context_id": "c", "deadline": "t9", "waits_until": null, "cancel_requested": false,
            "attempts": 3, "failures": 0, "children": [], "parent": null, "parked": null,
            "broken": null, "taken_back": [], "last_retry": null,
            "last_entry": {
                "seq": 9, "at": "t1", "kind": "working", "bytes": 0, "what": "",
                "taken_back": false, "facts": {}
            },
        });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn what_a_task_waits_for_is_said() {
        let mut waiting = status("suspended", "working");
        assert_eq!(does(&waiting), "waits for a message");
        waiting.waits_until = Some("t5".to_owned());
        assert_eq!(does(&waiting), "waits for t5");
        waiting.children.push(ChildView {
            ticket: 4,
            task: None,
            detached: false,
        });
        assert_eq!(does(&waiting), "waits for a child, or t5");
        let asking = status("suspended", "input-required");
        assert_eq!(does(&asking), "waits for an answer");
        assert_eq!(does(&status("queued", "working")), "is in line for a run");
    }

    #[test]
    fn a_parked_task_says_why_and_what_to_do() {
        let mut parked = serde_json::to_value(status("parked", "submitted")).unwrap();
        let mut why = parked.clone();
        why["since"] = "t2".into();
        why["entry"] = 8.into();
        why["code"] = "trap".into();
        why["reason"] = "it broke".into();
        why["position"] = 6.into();
        why["backtrace"] = "0: first\n1: second".into();
        parked["parked"] = why;
        let text = lines(&serde_json::from_value(parked).unwrap()).join("\n");
        for expected in [
            "stands still until you do something",
            "parked since t2, by entry 8",
            "  reason    it broke",
            "    1: second",
            "taskyard task retry 1 --from 6",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }
}

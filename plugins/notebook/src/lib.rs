//! Notebook keeps notes: each message is one, and `all` puts those of the conversation together.
//!
//! It shows how a worker looks at earlier tasks. A note is the artifact of its own task, so nothing has to be
//! stored: `all` reads the earlier tasks of the conversation, and the tasks that the client refers to, which
//! may be of another conversation.

use taskyard_sdk::prelude::*;

/// The message that asks for all notes.
const ALL: &str = "all";
/// The artifact that holds a note.
const NOTE: &str = "note";

#[derive(Debug)]
struct Notebook;

impl Worker for Notebook {
    fn describe() -> Manifest {
        let skill = Skill::new(
            "note",
            "Note",
            "Keeps a note, or puts the notes of the conversation together.",
        );
        let skill = skill.tag("demo").example("buy milk").example(ALL);
        let version = env!("CARGO_PKG_VERSION");
        Manifest::new("notebook", version, "Keeps the notes of a conversation.").skill(skill)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        let text = input.text();
        match text.trim() {
            "" => return Ok(Outcome::rejected("send a note, or `all`")),
            ALL => put_together(task, &input.reference_task_ids),
            note => Ok(task.artifact(NOTE).put(note)?),
        }?;
        Ok(Outcome::completed())
    }
}

/// Writes the notes into one artifact: first those that the client refers to, then those of the
/// conversation, the oldest first.
fn put_together(task: &Task, references: &[String]) -> Result<()> {
    let mut notes = Vec::new();
    for reference in references {
        notes.extend(context::read(reference)?.artifact_text(NOTE));
    }
    let earlier = context::earlier()?;
    // Those without a note are earlier questions for all of them: not worth reading.
    for earlier in earlier.iter().rev().filter(|task| task.has_artifact(NOTE)) {
        notes.extend(earlier.read()?.artifact_text(NOTE));
    }
    let list: String = notes.iter().map(|note| format!("- {note}\n")).collect();
    task.artifact("notes").name("All notes").put(list)?;
    Ok(())
}

taskyard_sdk::export!(Notebook);

#[cfg(test)]
mod tests {
    use taskyard_sdk::context::EarlierTask;
    use taskyard_sdk::testing::{End, Host};

    use super::*;

    fn note(id: &str, text: &str) -> EarlierTask {
        EarlierTask::completed(id, text).artifact(NOTE, text)
    }

    #[test]
    fn keeps_a_note() {
        let run = Host::new()
            .message(" buy milk ")
            .run_with_crashes::<Notebook>();
        assert_eq!(run.artifact_text(NOTE).as_deref(), Some("buy milk"));
        assert!(run.is_completed());
    }

    #[test]
    fn puts_the_notes_of_the_conversation_together() {
        let run = Host::new()
            .message(ALL)
            .earlier(note("task-3", "call Ada"))
            .earlier(EarlierTask::completed("task-2", ALL).artifact("notes", "- buy milk\n"))
            .earlier(note("task-1", "buy milk"))
            .refer_to(note("elsewhere", "learn to dance"))
            .run_with_crashes::<Notebook>();
        let notes = run.artifact_text("notes");
        let expected = "- learn to dance\n- buy milk\n- call Ada\n";
        assert_eq!(notes.as_deref(), Some(expected));
    }

    #[test]
    fn an_empty_notebook_is_no_failure() {
        let run = Host::new().message(ALL).run_with_crashes::<Notebook>();
        assert_eq!(run.artifact_text("notes").as_deref(), Some(""));
        let run = Host::new().message("").run::<Notebook>();
        assert!(matches!(run.end, End::Finished(Outcome::Rejected(_))));
    }
}

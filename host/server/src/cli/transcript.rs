//! A task as text for people: what each event adds to what was shown before. Pure.

use std::collections::HashMap;

use a2a::{Artifact, StreamResponse, Task, TaskState, TaskStatus};
use serde_json::Value;
use taskyard_task::visible::in_line;
use taskyard_task::wire::{PARKED_KEY, PROGRESS_KEY};

use super::output::{part_text, parts_text, quoted, state_name};
use super::{Exit, Output};

/// What an event adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Text to print as it is.
    pub(super) text: String,
    /// How far the work is, if the event says so.
    pub(super) progress: Option<Progress>,
    /// How the command ends, if there is nothing more to wait for.
    pub(super) end: Option<Exit>,
}

/// How far the work is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Of 100.
    pub(super) percent: Option<u64>,
    /// For people.
    pub(super) text: String,
}

/// What was shown of a task so far.
#[derive(Debug)]
pub(super) struct Transcript {
    output: Output,
    // What follows `taskyard task` in a command about the same agent.
    again: String,
    task: String,
    state: Option<TaskState>,
    // Whether the cursor stands behind text that may go on.
    open: bool,
}

/// A whole task of the agent that `again` names.
pub(super) fn of_task(task: &Task, output: Output, again: &str) -> String {
    Transcript::new(output, again).task(task).text
}

impl Transcript {
    /// Nothing was shown yet. `again` is what follows `taskyard task` in a command about the same agent.
    pub(super) fn new(output: Output, again: &str) -> Self {
        Self {
            output,
            again: again.to_owned(),
            task: String::new(),
            state: None,
            open: false,
        }
    }

    /// The id of the task, once it is known.
    pub(super) fn task_id(&self) -> Option<&str> {
        Some(self.task.as_str()).filter(|id| !id.is_empty())
    }

    /// What the task does while nothing comes, once that is known: whoever waits in silence is to see that much.
    pub(super) fn waiting(&self) -> Option<String> {
        let (state, task) = (state_name(self.state.as_ref()?), self.task_id()?);
        Some(format!("{state}: waits for task {}", in_line(task)))
    }

    /// The command that does `verb` with the task, once its id is known.
    pub(super) fn command(&self, verb: &str) -> Option<String> {
        let (again, task) = (&self.again, self.task_id()?);
        Some(format!("taskyard task{again} {verb} {}", quoted(task)))
    }

    /// What `event` adds.
    pub(super) fn add(&mut self, event: &StreamResponse) -> Shown {
        match event {
            StreamResponse::Task(task) => self.task(task),
            StreamResponse::Message(message) => Shown {
                text: format!("{}\n", parts_text(&message.parts)),
                progress: None,
                end: Some(Exit::Ok),
            },
            StreamResponse::StatusUpdate(update) => {
                self.task.clone_from(&update.task_id);
                match (
                    progress(update.metadata.as_ref()),
                    parked(update.metadata.as_ref()),
                ) {
                    (Some(progress), _) => self.progress(progress),
                    (None, Some(code)) => self.parked(&code),
                    (None, None) => self.status(&update.status),
                }
            }
            StreamResponse::ArtifactUpdate(update) => {
                let mut text = String::new();
                if !update.append.unwrap_or(false) {
                    text = self.artifact_title(&update.artifact);
                }
                text += &self.artifact_content(&update.artifact);
                if update.last_chunk.unwrap_or(false) {
                    text += self.close();
                }
                Shown {
                    text,
                    ..Shown::default()
                }
            }
        }
    }

    fn task(&mut self, task: &Task) -> Shown {
        self.task.clone_from(&task.id);
        let context = self
            .output
            .dim(format!("(context {})", in_line(&task.context_id)));
        let mut text = format!("task {} {context}\n", self.output.bold(in_line(&task.id)));
        for artifact in task.artifacts.iter().flatten() {
            text += &self.artifact_title(artifact);
            text += &self.artifact_content(artifact);
            text += self.close();
        }
        if let Some(code) = parked(task.metadata.as_ref()) {
            let parked = self.parked(&code);
            return Shown {
                text: text + &parked.text,
                ..parked
            };
        }
        let reported = progress(task.metadata.as_ref());
        let reported = reported.filter(|_| task.status.state == TaskState::Working);
        let mut status = task.status.clone();
        if reported.is_some() {
            // It says what the report says.
            status.message = None;
        }
        let status = self.status(&status);
        let report = reported
            .map(|reported| self.progress(reported))
            .unwrap_or_default();
        Shown {
            text: text + &status.text + &report.text,
            progress: report.progress,
            end: status.end,
        }
    }

    fn status(&mut self, status: &TaskStatus) -> Shown {
        let said = status
            .message
            .as_ref()
            .map(|message| parts_text(&message.parts));
        let news = self.state.as_ref() != Some(&status.state) || said.is_some();
        self.state = Some(status.state.clone());
        let mut text = String::new();
        if news {
            text += self.close();
            text += &self.output.state(&status.state);
            text += &said.map_or_else(|| "\n".to_owned(), |said| format!(": {said}\n"));
        }
        let waits = matches!(
            status.state,
            TaskState::InputRequired | TaskState::AuthRequired
        );
        if let Some(command) = self.command("answer").filter(|_| waits) {
            text += &self.output.dim(format!("answer with: {command} TEXT"));
            text += "\n";
        }
        let ends = waits || status.state.is_terminal();
        Shown {
            text,
            progress: None,
            end: ends.then(|| Exit::of_task(&status.state)),
        }
    }

    // To clients it is as if it were just submitted; nobody who waits for it is helped by that.
    fn parked(&mut self, code: &str) -> Shown {
        self.state = Some(TaskState::Submitted);
        let mut text = self.close().to_owned();
        text += &self.output.bold("parked");
        text += &format!(": {} ({})\n", in_words(code), in_line(code));
        if let Some(command) = self.command("watch") {
            let advice = "it waits for the operator of the host; once it was helped, go on with:";
            text += &self.output.dim(format!("{advice} {command}"));
            text += "\n";
        }
        Shown {
            text,
            progress: None,
            end: Some(Exit::TaskParked),
        }
    }

    // Programs that read lines get each report as one; people get a bar.
    fn progress(&mut self, progress: Progress) -> Shown {
        let mut text = self.close().to_owned();
        if !self.output.is_terminal() {
            let percent = progress.percent.map(|percent| format!("{percent}% "));
            text += &format!("{}{}\n", percent.unwrap_or_default(), progress.text);
        }
        self.state = Some(TaskState::Working);
        Shown {
            text,
            progress: Some(progress),
            end: None,
        }
    }

    fn artifact_title(&mut self, artifact: &Artifact) -> String {
        let name = artifact.name.as_deref().unwrap_or(&artifact.artifact_id);
        let title = self.output.bold(in_line(name));
        format!("{}artifact {title}\n", self.close())
    }

    fn artifact_content(&mut self, artifact: &Artifact) -> String {
        let text: String = artifact.parts.iter().map(part_text).collect();
        if let Some(last) = text.chars().last() {
            self.open = last != '\n';
        }
        text
    }

    fn close(&mut self) -> &'static str {
        match std::mem::take(&mut self.open) {
            true => "\n",
            false => "",
        }
    }
}

/// The code of what a task is parked for, if it is.
fn parked(metadata: Option<&HashMap<String, Value>>) -> Option<String> {
    let code = metadata?.get(PARKED_KEY)?.get("code")?;
    code.as_str().map(str::to_owned)
}

/// What happened to a task that is parked, for people.
fn in_words(code: &str) -> &'static str {
    match code {
        "trap" | "stack-overflow" => "its worker broke again and again",
        "replay-mismatch" => "its worker does not do again what it did before",
        "incompatible" => "its worker cannot be run on this host any more",
        _ => "its worker says that somebody must look at it",
    }
}

fn progress(metadata: Option<&HashMap<String, Value>>) -> Option<Progress> {
    let reported = metadata?.get(PROGRESS_KEY)?;
    let text = reported.get("text").and_then(Value::as_str);
    let percent = reported.get("percent").and_then(Value::as_f64);
    Some(Progress {
        // A whole number, but clients may read all numbers as floating ones.
        percent: percent.map(|percent| percent.clamp(0.0, 100.0) as u64),
        text: in_line(text.unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use a2a::{Message, Part, Role, TaskArtifactUpdateEvent, TaskStatusUpdateEvent};

    use super::*;

    fn status(state: TaskState, says: Option<&str>) -> TaskStatus {
        TaskStatus {
            state,
            message: says.map(|text| Message::new(Role::Agent, vec![Part::text(text)])),
            timestamp: None,
        }
    }

    fn update(state: TaskState, says: Option<&str>) -> StreamResponse {
        StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
            task_id: "t1".to_owned(),
            context_id: "c1".to_owned(),
            status: status(state, says),
            metadata: None,
        })
    }

    fn chunk(text: &str, append: bool, last: bool) -> StreamResponse {
        StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
            task_id: "t1".to_owned(),
            context_id: "c1".to_owned(),
            artifact: Artifact {
                artifact_id: "a1".to_owned(),
                name: Some("report.md".to_owned()),
                description: None,
                parts: vec![Part::text(text)],
                metadata: None,
                extensions: None,
            },
            append: Some(append),
            last_chunk: Some(last),
            metadata: None,
        })
    }

    fn task(status: TaskStatus) -> StreamResponse {
        StreamResponse::Task(Task {
            id: "t1".to_owned(),
            context_id: "c1".to_owned(),
            status,
            artifacts: None,
            history: None,
            metadata: None,
        })
    }

    fn check(events: &[StreamResponse], text: &str, end: Option<Exit>) {
        let mut transcript = Transcript::new(Output::new(false).plain(), " --agent a");
        let shown: Vec<_> = events.iter().map(|event| transcript.add(event)).collect();
        let all: String = shown.iter().map(|shown| shown.text.as_str()).collect();
        assert_eq!(all, text);
        assert_eq!(shown.last().and_then(|shown| shown.end), end);
    }

    #[test]
    fn artifacts_grow_where_they_stand() {
        let events = [
            task(status(TaskState::Submitted, None)),
            update(TaskState::Working, None),
            chunk("# Title\none", false, false),
            chunk(" two", true, false),
            update(TaskState::Working, None),
            chunk(" three", true, true),
            update(TaskState::Completed, Some("done")),
        ];
        let text = "task t1 (context c1)\nsubmitted\nworking\nartifact report.md\n# Title\n\
                    one two three\ncompleted: done\n";
        check(&events, text, Some(Exit::Ok));
    }

    #[test]
    fn whoever_waits_in_silence_sees_the_state() {
        let mut transcript = Transcript::new(Output::new(false).plain(), "");
        assert_eq!(transcript.waiting(), None);
        for (state, expected) in [
            (TaskState::Submitted, "submitted: waits for task t1"),
            (TaskState::Working, "working: waits for task t1"),
        ] {
            transcript.add(&update(state, None));
            assert_eq!(transcript.waiting().as_deref(), Some(expected));
        }
    }

    #[test]
    fn progress_is_a_line_where_there_is_no_terminal() {
        let reported = serde_json::json!({"percent": 40.0, "text": "reading"});
        let StreamResponse::StatusUpdate(mut event) = update(TaskState::Working, Some("reading"))
        else {
            unreachable!("it was made above");
        };
        event.metadata = Some(HashMap::from([(PROGRESS_KEY.to_owned(), reported)]));
        let event = StreamResponse::StatusUpdate(event);
        check(std::slice::from_ref(&event), "40% reading\n", None);

        let shown = Transcript::new(Output::new(false).plain(), " --agent a").add(&event);
        let progress = Progress {
            percent: Some(40),
            text: "reading".to_owned(),
        };
        assert_eq!(shown.progress, Some(progress));
    }

    #[test]
    fn a_task_that_waits_says_how_to_answer() {
        let events = [update(TaskState::InputRequired, Some("go on?"))];
        let text = "input-required: go on?\nanswer with: taskyard task --agent a answer t1 TEXT\n";
        check(&events, text, Some(Exit::TaskWaits));
    }

    #[test]
    fn a_parked_task_says_why_and_what_to_do() {
        let StreamResponse::StatusUpdate(mut event) = update(TaskState::Submitted, Some("waiting"))
        else {
            unreachable!("it was made above");
        };
        let parked = serde_json::json!({"code": "trap"});
        event.metadata = Some(HashMap::from([(PARKED_KEY.to_owned(), parked)]));
        let event = StreamResponse::StatusUpdate(event);
        let text = "parked: its worker broke again and again (trap)\n\
                    it waits for the operator of the host; once it was helped, go on with: \
                    taskyard task --agent a watch t1\n";
        check(std::slice::from_ref(&event), text, Some(Exit::TaskParked));
    }

    #[test]
    fn a_direct_answer_and_a_failure_end_it() {
        let message = Message::new(Role::Agent, vec![Part::text("hello")]);
        check(
            &[StreamResponse::Message(message)],
            "hello\n",
            Some(Exit::Ok),
        );
        let failed = [task(status(TaskState::Failed, Some("no")))];
        let text = "task t1 (context c1)\nfailed: no\n";
        check(&failed, text, Some(Exit::TaskFailed));
    }
}

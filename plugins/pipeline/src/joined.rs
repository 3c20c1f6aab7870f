//! The one artifact that all children's results become.

use taskyard_sdk::prelude::*;

/// How much of a child's last words is repeated.
const MAX_REASON_CHARS: usize = 200;

/// Results in the order of the jobs; each is shown as soon as those before it are.
pub(crate) struct Joined<'t> {
    artifact: Artifact<'t>,
    jobs: usize,
    failed: Vec<String>,
}

impl<'t> Joined<'t> {
    pub(crate) fn open(task: &'t Task) -> Result<Self> {
        Ok(Self {
            artifact: task.artifact("joined").name("Results").open()?,
            jobs: 0,
            failed: Vec::new(),
        })
    }

    /// Adds what the next child left, or why there is nothing.
    pub(crate) fn add(&mut self, agent: &str, end: Result<ChildEnd>) -> Result<()> {
        self.jobs += 1;
        let name = format!("{}. {agent}", self.jobs);
        self.text(format!("## {name}\n\n"))?;
        match end {
            Ok(end) => {
                for part in results(end) {
                    self.artifact.append(part)?;
                }
            }
            Err(error) => {
                let reason = reason(&error);
                self.text(format!("failed: {reason}"))?;
                self.failed.push(format!("{name} ({reason})"));
            }
        }
        self.text("\n\n".to_owned())
    }

    fn text(&mut self, text: String) -> Result<()> {
        let part = Part::text(text).media_type("text/markdown");
        Ok(self.artifact.append(part)?)
    }

    /// Seals the artifact, and says how it went.
    pub(crate) fn close(self) -> Result<Outcome> {
        let Self {
            artifact,
            jobs,
            failed,
        } = self;
        artifact.close()?;
        let done = jobs - failed.len();
        let names = failed.join(", ");
        match (done, names.as_str()) {
            (_, "") => Ok(Outcome::completed_with(format!(
                "{jobs} of {jobs} jobs are done"
            ))),
            (0, _) => Err(Error::permanent("all-failed", format!("failed: {names}"))),
            _ => {
                let words = format!("{done} of {jobs} jobs are done; failed: {names}");
                Ok(Outcome::completed_with(words))
            }
        }
    }
}

/// The artifacts of a child, or else what it answered directly.
fn results(end: ChildEnd) -> Vec<Part> {
    match end.artifacts.is_empty() {
        true => end.message,
        false => end
            .artifacts
            .into_iter()
            .flat_map(|artifact| artifact.parts)
            .collect(),
    }
}

/// A child that failed without a word has at least a code.
fn reason(error: &Error) -> String {
    let words = match error.message() {
        "" => error.code(),
        words => words,
    };
    words.chars().take(MAX_REASON_CHARS).collect()
}

//! A text of the model, shown while it grows, and right in the end even if the host goes down meanwhile.

use std::time::Duration;

use taskyard_sdk::ArtifactBuilder;
use taskyard_sdk::prelude::*;

use crate::chat::{self, CUT_OFF, Prompt, Tokens};
use crate::settings::Settings;

/// About a line. Each chunk is an entry in the task's log; each token would be ten times as many.
const CHUNK_BYTES: usize = 80;
/// A longer text is a model that does not find its end.
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// How often the model is asked for one text, because its answer broke off.
const ATTEMPTS: usize = 4;
/// A model that broke off gets a moment to recover.
const PAUSE: Duration = Duration::from_secs(1);

/// A text that becomes an artifact.
pub(crate) struct Draft {
    id: &'static str,
    name: &'static str,
}

impl Draft {
    pub(crate) fn new(id: &'static str, name: &'static str) -> Self {
        Self { id, name }
    }

    /// Lets the model write it, and gives the whole text.
    ///
    /// The first attempt is shown chunk by chunk. If it breaks off, its chunks are shown already and another attempt
    /// will say something else; so the artifact is then put once more, whole, which replaces them.
    pub(crate) fn write(self, task: &Task, settings: &Settings, prompt: &Prompt) -> Result<String> {
        let mut written = self.stream(task, chat::send(settings, prompt)?);
        for _ in 1..ATTEMPTS {
            match written {
                Err(error) if error.code() == CUT_OFF => task.log().warn(error.message()),
                written => return written,
            }
            task.sleep(PAUSE)?;
            written = self.replace(task, chat::send(settings, prompt)?);
        }
        written
    }

    fn stream(&self, task: &Task, tokens: Tokens) -> Result<String> {
        let mut artifact = self.artifact(task).open()?;
        let (mut text, mut chunk) = (String::new(), String::new());
        for token in tokens {
            let token = token?;
            chunk.push_str(&token);
            add(&mut text, &token)?;
            if chunk.len() >= CHUNK_BYTES {
                artifact.append(std::mem::take(&mut chunk))?;
            }
        }
        let text = not_empty(text)?;
        if !chunk.is_empty() {
            artifact.append(chunk)?;
        }
        artifact.close()?;
        Ok(text)
    }

    fn replace(&self, task: &Task, tokens: Tokens) -> Result<String> {
        let mut text = String::new();
        for token in tokens {
            add(&mut text, &token?)?;
        }
        let text = not_empty(text)?;
        self.artifact(task).put(text.as_str())?;
        Ok(text)
    }

    fn artifact<'t>(&self, task: &'t Task) -> ArtifactBuilder<'t> {
        let artifact = task.artifact(self.id).name(self.name);
        artifact.media_type("text/markdown")
    }
}

fn add(text: &mut String, token: &str) -> Result<()> {
    text.push_str(token);
    match text.len() <= MAX_TEXT_BYTES {
        true => Ok(()),
        false => Err(Error::permanent(
            "model",
            "the model does not come to an end",
        )),
    }
}

fn not_empty(text: String) -> Result<String> {
    match text.trim().is_empty() {
        true => Err(Error::permanent("model", "the model said nothing")),
        false => Ok(text),
    }
}

//! The chat API that most language models speak: one request, and tokens as they come.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskyard_sdk::http::{Events, Retry};
use taskyard_sdk::prelude::*;

use crate::settings::Settings;

/// Models think before they speak, but not for longer than this.
const MAX_SILENCE: Duration = Duration::from_secs(60);
/// A busy model (429, 503) is asked again with growing delays: for about half a minute.
const ATTEMPTS: u32 = 6;

/// The code of an answer that broke off: it is worth asking again.
pub(crate) const CUT_OFF: &str = "cut-off";

/// What the model is told.
pub(crate) struct Prompt {
    system: &'static str,
    user: String,
}

impl Prompt {
    pub(crate) fn new(system: &'static str, user: impl Into<String>) -> Self {
        let user = user.into();
        Self { system, user }
    }
}

/// Sends the prompt, and waits until the model begins to answer.
///
/// # Errors
/// `model`, when it refuses; the task is parked if that is for the operator to mend.
pub(crate) fn send(settings: &Settings, prompt: &Prompt) -> Result<Tokens> {
    let body = Body {
        model: &settings.model,
        stream: true,
        messages: [
            Turn {
                role: "system",
                content: prompt.system,
            },
            Turn {
                role: "user",
                content: &prompt.user,
            },
        ],
    };
    let url = format!("{}/chat/completions", settings.base_url);
    let stream = http::request("POST", url)
        .json(&body)?
        .timeout(MAX_SILENCE)
        .retry(Retry::times(ATTEMPTS))
        .stream()?;
    match stream.head()?.status {
        200..300 => Ok(Tokens(stream.events())),
        // No key, no credit, no right to use this model.
        status @ (401..=403) => {
            let message = format!("the model refused the request with status {status}");
            Err(Error::paused("model", message))
        }
        status => {
            let message = format!("the model answered with status {status}");
            Err(Error::permanent("model", message))
        }
    }
}

/// The tokens of an answer, as they come. An error is the last item.
pub(crate) struct Tokens(Events);

impl Tokens {
    /// The next token; nothing at the end of the answer.
    fn read(&mut self) -> Result<Option<String>> {
        for data in self.0.by_ref() {
            let data = data.map_err(cut_off)?;
            if data == "[DONE]" {
                return Ok(None);
            }
            let chunk: Chunk = http::json(&data).or_fail("model", "no chat chunk")?;
            if let Some(token) = chunk.token() {
                return Ok(Some(token));
            }
        }
        // Without the mark at its end an answer is not whole.
        Err(Error::permanent(CUT_OFF, "the answer has no end"))
    }
}

impl Iterator for Tokens {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Whatever broke the answer off, but a cancel.
fn cut_off(error: Error) -> Error {
    match error.code() {
        "canceled" => error,
        _ => Error::permanent(CUT_OFF, error),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    messages: [Turn<'a>; 2],
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Deserialize)]
struct Chunk {
    /// Empty in chunks that carry figures only.
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

impl Chunk {
    /// One answer was asked for, so there is at most one choice.
    fn token(self) -> Option<String> {
        let token = self.choices.into_iter().next()?.delta.content?;
        (!token.is_empty()).then_some(token)
    }
}

//! What comes back.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A response, also one that says that something failed on the other side; [`ok`](Self::ok) makes an
/// error of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body; empty for a stream.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Whether the status says that it went well: 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The response itself if it [went well](Self::is_success).
    ///
    /// # Errors
    /// `http-status`, with the status.
    pub fn ok(self) -> Result<Self> {
        if self.is_success() {
            return Ok(self);
        }
        let message = format!("the other side answered with status {}", self.status);
        Err(Error::permanent("http-status", message))
    }

    /// The body as text. Bytes that are not UTF-8 become U+FFFD each: one of them is worth less than the
    /// text that it is in. Where every byte matters, `String::from_utf8(response.body)?` refuses them.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as a JSON value, whatever the status. A byte order mark is skipped, and what is not a
    /// character (half of an emoji, a byte that is not UTF-8) becomes U+FFFD.
    ///
    /// # Errors
    /// `json`, when the body does not look like a `T`; status and content type are part of the message.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        taskyard_json::from_slice(&self.body).map_err(|error| {
            let kind = self.header("content-type").unwrap_or("no content type");
            let status = self.status;
            let message = if self.body.is_empty() {
                format!("a response with status {status} has no body")
            } else {
                format!("a response with status {status} ({kind}): {error}")
            };
            Error::permanent("json", message)
        })
    }
}

//! Parts: the pieces that messages and artifacts consist of.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Result;

/// What a part holds: one of the four kinds of the A2A `Part`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Body {
    /// Text.
    Text(String),
    /// Bytes as they are, for example an uploaded file.
    Bytes(Vec<u8>),
    /// The address of the content. Neither the host nor the SDK fetches it.
    Url(String),
    /// A JSON value, as text.
    Json(String),
}

/// One piece of a message or of an artifact.
///
/// ```
/// use taskyard_sdk::Part;
///
/// let part = Part::text("a,b\n1,2\n").media_type("text/csv").filename("numbers.csv");
/// assert_eq!(part.as_text(), Some("a,b\n1,2\n"));
/// assert_eq!(part.media_type.as_deref(), Some("text/csv"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Part {
    /// The content.
    pub body: Body,
    /// The media type of the content; unknown when absent.
    pub media_type: Option<String>,
    /// The file name that the author of the part gave to it.
    pub filename: Option<String>,
    /// Further facts about the part: a JSON object, as text. The host refuses anything else.
    pub metadata: Option<String>,
}

impl Part {
    /// A part with the given content and nothing else.
    pub fn new(body: Body) -> Self {
        Self {
            body,
            media_type: None,
            filename: None,
            metadata: None,
        }
    }

    /// A part that holds text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Body::Text(text.into()))
    }

    /// A part that holds bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Body::Bytes(bytes.into()))
    }

    /// A part that points to its content.
    pub fn url(url: impl Into<String>) -> Self {
        Self::new(Body::Url(url.into()))
    }

    /// A part that holds a JSON value.
    ///
    /// # Errors
    /// When `value` has no JSON form, such as a map whose keys are not strings.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self::new(Body::Json(serde_json::to_string(value)?)))
    }

    /// Says what the content is, such as `text/csv`.
    #[must_use]
    pub fn media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = Some(media_type.into());
        self
    }

    /// Gives the part a file name.
    #[must_use]
    pub fn filename(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }

    /// Adds further facts; `metadata` must become a JSON object.
    ///
    /// # Errors
    /// When `metadata` has no JSON form.
    pub fn metadata<T: Serialize + ?Sized>(mut self, metadata: &T) -> Result<Self> {
        self.metadata = Some(serde_json::to_string(metadata)?);
        Ok(self)
    }

    /// The text, if this part holds text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a text or bytes part. Most files arrive as either, whatever the client likes better.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Text(text) => Some(text.as_bytes()),
            Body::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The JSON value as `T`; nothing if this part does not hold JSON. The author of the part is a
    /// stranger: what is not a character becomes U+FFFD.
    ///
    /// # Errors
    /// When the value does not look like a `T`.
    pub fn as_json<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        match &self.body {
            Body::Json(json) => Ok(Some(taskyard_json::from_slice(json.as_bytes())?)),
            _ => Ok(None),
        }
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// The text parts, joined by line ends; empty if there are none.
pub(crate) fn text_of(parts: &[Part]) -> String {
    let texts: Vec<&str> = parts.iter().filter_map(Part::as_text).collect();
    texts.join("\n")
}

/// What can be said, asked or put: text, one part, or several parts.
pub trait IntoParts {
    /// The parts, in order.
    fn into_parts(self) -> Vec<Part>;
}

impl IntoParts for &str {
    fn into_parts(self) -> Vec<Part> {
        vec![self.into()]
    }
}

impl IntoParts for String {
    fn into_parts(self) -> Vec<Part> {
        vec![self.into()]
    }
}

impl IntoParts for Part {
    fn into_parts(self) -> Vec<Part> {
        vec![self]
    }
}

impl IntoParts for Vec<Part> {
    fn into_parts(self) -> Vec<Part> {
        self
    }
}

impl<const N: usize> IntoParts for [Part; N] {
    fn into_parts(self) -> Vec<Part> {
        self.into()
    }
}

//! Parts of messages and results in 0.3: text, file or data.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value};

/// 0.3 takes only objects as data. Anything else is the member [`DATA_VALUE`] of one, and the part's
/// metadata says so under this key. Official SDKs do the same.
pub const WRAPPED_DATA_KEY: &str = "data_part_compat";

/// Where data is that is no object.
pub const DATA_VALUE: &str = "value";

#[derive(Debug, Serialize)]
pub(super) struct Part<'a> {
    #[serde(flatten)]
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Cow<'a, HashMap<String, Value>>>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Content<'a> {
    Text { text: &'a str },
    File { file: File<'a> },
    Data { data: Cow<'a, Map<String, Value>> },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> From<&'a a2a::Part> for Part<'a> {
    fn from(part: &'a a2a::Part) -> Self {
        let mut metadata = part.metadata.as_ref().map(Cow::Borrowed);
        let content = match &part.content {
            a2a::PartContent::Text(text) => Content::Text { text },
            a2a::PartContent::Raw(bytes) => file(part, Some(STANDARD.encode(bytes)), None),
            a2a::PartContent::Url(url) => file(part, None, Some(url)),
            a2a::PartContent::Data(Value::Object(data)) => Content::Data {
                data: Cow::Borrowed(data),
            },
            a2a::PartContent::Data(value) => {
                let noted = metadata.get_or_insert_default().to_mut();
                noted.insert(WRAPPED_DATA_KEY.to_owned(), true.into());
                wrapped(value)
            }
        };
        Self { content, metadata }
    }
}

fn file<'a>(part: &'a a2a::Part, bytes: Option<String>, uri: Option<&'a str>) -> Content<'a> {
    Content::File {
        file: File {
            bytes,
            uri,
            mime_type: part.media_type.as_deref(),
            name: part.filename.as_deref(),
        },
    }
}

fn wrapped(value: &Value) -> Content<'_> {
    let object = Map::from_iter([(DATA_VALUE.to_owned(), value.clone())]);
    Content::Data {
        data: Cow::Owned(object),
    }
}

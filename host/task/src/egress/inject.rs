//! Headers that the host adds to workers' requests, with secrets that workers never see.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidEgress;
use crate::http::is_about_connection;

/// The longest name of a header or of a secret.
const MAX_NAME_BYTES: usize = 64;
/// The longest text around secrets.
const MAX_TEMPLATE_BYTES: usize = 4 << 10;

/// Whether `name` can name a secret: up to 64 letters and digits of ASCII, `_` and `-`.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_good)
}

/// The name of a header that the host adds; in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InjectedHeader(String);

impl InjectedHeader {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InjectedHeader {
    type Err = InvalidEgress;

    fn from_str(text: &str) -> Result<Self, InvalidEgress> {
        let name = text.trim().to_ascii_lowercase();
        let refuse = |problem| InvalidEgress::Header {
            text: text.chars().take(MAX_NAME_BYTES).collect(),
            problem,
        };
        let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
        if !fits || !name.bytes().all(is_token_byte) {
            return Err(refuse("is not the name of a header"));
        }
        if is_about_connection(&name) {
            return Err(refuse("belongs to the connection, and cannot be added"));
        }
        Ok(Self(name))
    }
}

/// RFC 9110 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl fmt::Display for InjectedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for InjectedHeader {
    type Error = InvalidEgress;

    fn try_from(text: String) -> Result<Self, InvalidEgress> {
        text.parse()
    }
}

impl From<InjectedHeader> for String {
    fn from(header: InjectedHeader) -> Self {
        header.0
    }
}

/// The value of a header, in which `{name}` stands for the secret of that name, as in `Bearer {openai}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template(String);

/// A secret that a template names and the host does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the host has no secret {0:?}")]
pub struct MissingSecret(pub String);

impl Template {
    /// The names of the secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.0.split('{').skip(1).map(|piece| split(piece).0)
    }

    /// The value, with the secrets in their places.
    ///
    /// # Errors
    /// If one of them is not known.
    pub fn fill<'a>(
        &self,
        secret: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<String, MissingSecret> {
        let mut pieces = self.0.split('{');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (name, text) = split(piece);
            filled.push_str(secret(name).ok_or_else(|| MissingSecret(name.to_owned()))?);
            filled.push_str(text);
        }
        Ok(filled)
    }
}

/// The name of a secret, and the text behind it. `piece` began behind an opening brace.
fn split(piece: &str) -> (&str, &str) {
    piece.split_once('}').unwrap_or((piece, ""))
}

impl FromStr for Template {
    type Err = InvalidEgress;

    fn from_str(text: &str) -> Result<Self, InvalidEgress> {
        match check(text.trim()) {
            Ok(()) => Ok(Self(text.trim().to_owned())),
            Err(problem) => Err(InvalidEgress::Template {
                text: text.chars().take(MAX_NAME_BYTES).collect(),
                problem,
            }),
        }
    }
}

fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > MAX_TEMPLATE_BYTES {
        return Err("is too long");
    }
    if !text
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        return Err("has characters that no header can carry");
    }
    let mut pieces = text.split('{');
    let is_plain = |text: &str| !text.contains('}');
    let is_secret = |piece: &str| match piece.split_once('}') {
        Some((name, text)) => is_secret_name(name) && is_plain(text),
        None => false,
    };
    match pieces.next().is_some_and(is_plain) && pieces.all(is_secret) {
        true => Ok(()),
        false => Err("must have braces only around the names of secrets, as in `Bearer {name}`"),
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Template {
    type Error = InvalidEgress;

    fn try_from(text: String) -> Result<Self, InvalidEgress> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.0
    }
}

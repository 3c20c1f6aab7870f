//! Reads JSON that a stranger wrote: a client, a remote agent, an HTTP server.
//!
//! Most JSON libraries write a byte order mark, a lone surrogate (`"\ud83d"`, half of an emoji that was
//! cut) or bytes that are not UTF-8 without a complaint, and `serde_json` refuses the whole document
//! for them. A document is worth more than one of its characters, so here each becomes U+FFFD, the
//! replacement character, and everything else is as strict as `serde_json`.
//!
//! Use it wherever the text comes from outside; what Taskyard wrote itself is read with `serde_json`.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

mod surrogate;
#[cfg(test)]
mod tests;

/// The mark with which some editors and servers begin a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads a value from a stranger's JSON.
///
/// # Errors
///
/// As `serde_json::from_str` for the text that [`mended`] makes of it. Lines and columns count in that.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_str(&mended(bytes))
}

/// The text of a stranger's JSON, without the faults that cost no more than a character each.
///
/// Well-formed text is borrowed, not copied. Use this instead of [`from_slice`] for types that borrow
/// from the text, such as `&RawValue`.
#[must_use]
pub fn mended(bytes: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes));
    match surrogate::replace_lone(&text) {
        Some(replaced) => Cow::Owned(replaced),
        None => text,
    }
}

//! Escapes of half a character: found, and replaced.
//!
//! JSON escapes a character beyond U+FFFF as two halves, `\ud83d\ude00`. Cutting a text between them
//! leaves an escape that means nothing.

use std::ops::Range;

/// What stands for a lone half. As long as what it replaces, so the text keeps its length.
const REPLACEMENT: &str = "\\ufffd";

/// The text with each lone half replaced, or nothing if there is none.
pub(crate) fn replace_lone(text: &str) -> Option<String> {
    let mut replaced: Option<String> = None;
    for at in lone_halves(text) {
        let replaced = replaced.get_or_insert_with(|| text.to_owned());
        replaced.replace_range(at, REPLACEMENT);
    }
    replaced
}

/// Where the escapes of lone halves are.
fn lone_halves(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + bytes.get(from..)?.iter().position(|byte| *byte == b'\\')?;
            from = at + escape_length(bytes, at);
            match unit(bytes, at) {
                Some(0xd800..=0xdbff) if is_low(unit(bytes, at + 6)) => from = at + 12,
                Some(0xd800..=0xdfff) => return Some(at..at + 6),
                _ => {}
            }
        }
    })
}

/// How many bytes an escape has. A backslash outside of a string is no escape, but no JSON either.
fn escape_length(bytes: &[u8], at: usize) -> usize {
    if unit(bytes, at).is_some() { 6 } else { 2 }
}

/// The UTF-16 unit that is escaped here, if one is.
fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}

fn is_low(unit: Option<u32>) -> bool {
    matches!(unit, Some(0xdc00..=0xdfff))
}

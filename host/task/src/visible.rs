//! Text of somebody else, made safe to look at: in a terminal, in a log.
//!
//! Control characters move the cursor, colour, or hide; others turn the direction of what follows, or cannot
//! be seen at all. All of them are written as `\u{…}` here, so that a reader sees what is there, or as JSON has them.

use std::fmt::Write as _;

/// Whether a character does something else than being seen: controls of both sets, marks and overrides of
/// direction, what has no width, separators of lines and paragraphs, tags.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text in one line: line breaks are visible, too.
#[must_use]
pub fn in_line(text: &str) -> String {
    escaped(text, |_| false)
}

/// The text with its own lines and tabs.
#[must_use]
pub fn in_lines(text: &str) -> String {
    escaped(&text.replace("\r\n", "\n"), |c| matches!(c, '\n' | '\t'))
}

/// The text with what is deceptive written as `\u{…}`, unless it is `kept`.
#[must_use]
fn escaped(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if is_deceptive(c) && !kept(c) {
            // Writing to a string cannot fail.
            let _ = write!(visible, "\\u{{{:x}}}", u32::from(c));
        } else {
            visible.push(c);
        }
    }
    visible
}

/// What styles text and hides nothing of it: reset, bold, dim, italic, and the colours.
const STYLES: [&str; 11] = [
    "\u{1b}[0m",
    "\u{1b}[1m",
    "\u{1b}[2m",
    "\u{1b}[3m",
    "\u{1b}[31m",
    "\u{1b}[32m",
    "\u{1b}[33m",
    "\u{1b}[34m",
    "\u{1b}[35m",
    "\u{1b}[36m",
    "\u{1b}[90m",
];

/// The text with its styles, for a terminal that shows them, and `visible` in between.
#[must_use]
pub fn styled(text: &str, visible: impl Fn(&str) -> String) -> String {
    let mut pieces = text.split('\u{1b}');
    let mut shown = visible(pieces.next().unwrap_or_default());
    for piece in pieces {
        let piece = format!("\u{1b}{piece}");
        let style = STYLES.iter().find(|style| piece.starts_with(**style));
        let (style, rest) = piece.split_at(style.map_or(0, |style| style.len()));
        shown += style;
        shown += &visible(rest);
    }
    shown
}

/// A JSON text in which everything is visible, and which says the same to programs: what is deceptive can only be
/// within strings, which may have any character by its number (RFC 8259 7).
#[must_use]
pub fn in_json(json: &str) -> String {
    let mut visible = String::with_capacity(json.len());
    for c in json.chars() {
        if is_deceptive(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(visible, "\\u{unit:04x}");
            }
        } else {
            visible.push(c);
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_is_made_visible() {
        for (text, expected) in [
            ("plain text, äöü, 漢字, 🦀", "plain text, äöü, 漢字, 🦀"),
            ("\u{1b}[2J\u{7}", "\\u{1b}[2J\\u{7}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("\u{202e}evil\u{2069}", "\\u{202e}evil\\u{2069}"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("a\u{2028}b\u{e0041}", "a\\u{2028}b\\u{e0041}"),
            ("a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c"),
        ] {
            assert_eq!(in_line(text), expected);
        }
        assert_eq!(in_lines("a\r\nb\tc\rd"), "a\nb\tc\\u{d}d");
    }

    proptest! {
        #[test]
        fn json_is_the_same_to_programs(text in any::<String>()) {
            let value = serde_json::json!({"a\u{7f}": text, "b": "\u{202e}\u{9b}\u{e0041}\n\u{1b}é"});
            let json = in_json(&serde_json::to_string_pretty(&value).unwrap());
            prop_assert!(!json.chars().any(|c| is_deceptive(c) && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
        }

        #[test]
        fn nothing_deceptive_is_left(text in any::<String>()) {
            prop_assert!(!in_line(&text).chars().any(is_deceptive));
            let left = in_lines(&text);
            prop_assert!(!left.chars().any(|c| is_deceptive(c) && c != '\n' && c != '\t'));
        }
    }
}

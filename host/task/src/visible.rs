//! Text of somebody else, made safe to look at: in a terminal, in a log.
//!
//! Control characters move the cursor, colour, or hide; others turn the direction of what follows, or cannot
//! be seen at all. All of them are written as `\u{…}` here, so that a reader sees what is there.

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
pub fn escaped(text: &str, kept: impl Fn(char) -> bool) -> String {
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
        fn nothing_deceptive_is_left(text in any::<String>()) {
            prop_assert!(!in_line(&text).chars().any(is_deceptive));
            let left = in_lines(&text);
            prop_assert!(!left.chars().any(|c| is_deceptive(c) && c != '\n' && c != '\t'));
        }
    }
}

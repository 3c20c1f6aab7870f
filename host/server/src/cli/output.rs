//! What commands print: tables and colours for people, JSON for programs. Text of others passes through here and
//! nowhere else, so nothing of it can act upon a terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use a2a::{Part, PartContent, TaskState};
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Row, Table};
use owo_colors::{OwoColorize, Style};
use serde::Serialize;
use serde_json::Value;
use taskyard_task::visible::{in_json, in_line, in_lines, styled};

/// Where and how commands print. Everything goes to standard output; errors and logs do not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    terminal: bool,
    colours: bool,
}

impl Output {
    /// JSON if `json`, else for people; decorated if a person looks on.
    pub(crate) fn new(json: bool) -> Self {
        let terminal = !json && io::stdout().is_terminal();
        Self {
            json,
            terminal,
            // https://no-color.org
            colours: terminal && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// The same for people who read a file later.
    #[cfg(test)]
    pub(crate) fn plain(self) -> Self {
        Self {
            json: false,
            terminal: false,
            colours: false,
        }
    }

    /// Whether programs read this.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person looks on, so that lines may move.
    pub(crate) fn is_terminal(self) -> bool {
        self.terminal
    }

    /// Prints `text`, with what could make a terminal do things made visible.
    ///
    /// # Errors
    /// If standard output is closed.
    pub(crate) fn text(self, text: &str) -> io::Result<()> {
        write_out(&safe(text, self.colours))
    }

    /// Prints a line that is no part of the answer, on standard error.
    ///
    /// # Errors
    /// If standard error is closed.
    pub(crate) fn aside(self, line: impl Display) -> io::Result<()> {
        writeln!(io::stderr(), "{}", safe(&line.to_string(), self.colours))
    }

    /// Prints one line.
    ///
    /// # Errors
    /// If standard output is closed.
    pub(crate) fn line(self, line: impl Display) -> io::Result<()> {
        self.text(&format!("{line}\n"))
    }

    /// Prints a whole document of JSON.
    ///
    /// # Errors
    /// If standard output is closed.
    pub(crate) fn document(self, value: &impl Serialize) -> anyhow::Result<()> {
        self.json_text(serde_json::to_string_pretty(value)?)
    }

    /// Prints one event as a line of JSON.
    ///
    /// # Errors
    /// If standard output is closed.
    pub(crate) fn event(self, value: &impl Serialize) -> anyhow::Result<()> {
        self.json_text(serde_json::to_string(value)?)
    }

    fn json_text(self, text: String) -> anyhow::Result<()> {
        Ok(write_out(&in_json(&(text + "\n")))?)
    }

    /// Prints a table. Lines are never folded: ids are there to be copied, and other programs may cut
    /// the columns.
    ///
    /// # Errors
    /// If standard output is closed.
    pub(crate) fn table<const N: usize>(
        self,
        header: [&str; N],
        rows: impl IntoIterator<Item: Into<Row>>,
    ) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(header.map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
        table.add_rows(rows);
        self.line(table.trim_fmt())
    }

    /// A state, in its colour.
    pub(crate) fn state(self, state: &TaskState) -> String {
        let style = match state {
            TaskState::Completed => Style::new().green(),
            TaskState::Failed | TaskState::Rejected => Style::new().red(),
            TaskState::Canceled => Style::new().dimmed(),
            TaskState::InputRequired | TaskState::AuthRequired => Style::new().yellow(),
            TaskState::Working => Style::new().cyan(),
            TaskState::Submitted | TaskState::Unspecified => Style::new(),
        };
        self.styled(state_name(state), style)
    }

    /// Text that matters less.
    pub(crate) fn dim(self, text: impl Display) -> String {
        self.styled(text, Style::new().dimmed())
    }

    /// Text that matters more.
    pub(crate) fn bold(self, text: impl Display) -> String {
        self.styled(text, Style::new().bold())
    }

    fn styled(self, text: impl Display, style: Style) -> String {
        match self.colours {
            true => text.style(style).to_string(),
            false => text.to_string(),
        }
    }
}

fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A state as people say it.
pub(crate) fn state_name(state: &TaskState) -> &'static str {
    match state {
        TaskState::Unspecified => "unknown",
        TaskState::Submitted => "submitted",
        TaskState::Working => "working",
        TaskState::Completed => "completed",
        TaskState::Failed => "failed",
        TaskState::Canceled => "canceled",
        TaskState::InputRequired => "input-required",
        TaskState::Rejected => "rejected",
        TaskState::AuthRequired => "auth-required",
    }
}

/// What a part says, or what it is if it is not text.
pub(crate) fn part_text(part: &Part) -> String {
    match &part.content {
        PartContent::Text(text) => in_lines(text),
        PartContent::Data(value) => format!("{:#}", with_whole_numbers(value.clone())),
        PartContent::Url(url) => in_line(url),
        PartContent::Raw(bytes) => {
            let kind = part.media_type.as_deref().unwrap_or("data");
            let name = part.filename.as_deref().unwrap_or("without a name");
            in_line(&format!("[{} bytes of {kind}, {name}]", bytes.len()))
        }
    }
}

/// Writes `2.0` as `2`: the official client reads all numbers as floating ones, as protobuf does.
fn with_whole_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .and_then(whole)
            .map_or(number.into(), Value::from),
        Value::Array(items) => items.into_iter().map(with_whole_numbers).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            Value::Object(
                fields
                    .map(|(key, value)| (key, with_whole_numbers(value)))
                    .collect(),
            )
        }
        other => other,
    }
}

fn whole(number: f64) -> Option<i64> {
    // Beyond this, not every whole number has a floating one.
    const MOST: f64 = (1_i64 << 53) as f64;
    (number.fract() == 0.0 && number.abs() <= MOST).then_some(number as i64)
}

/// The last look at everything that is printed: nothing gets past it that could make a terminal do things.
fn safe(text: &str, colours: bool) -> String {
    match colours {
        true => styled(text, in_lines),
        false => in_lines(text),
    }
}

/// `text` as a shell takes it for one word, with nothing in it that the shell would act upon.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// The parts of a message, one after the other.
pub(crate) fn parts_text(parts: &[Part]) -> String {
    let texts: Vec<_> = parts.iter().map(part_text).collect();
    texts.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_shown_without_control_characters() {
        let parts = [
            Part::text("a\tb\nc\u{1b}[31mred\u{7}"),
            Part::raw(vec![0; 3])
                .with_media_type("application/pdf")
                .with_filename("x.pdf"),
            Part::data(serde_json::json!([2.0, 0.5])),
            Part::url("https://example.com/a"),
        ];
        assert_eq!(
            parts_text(&parts),
            "a\tb\nc\\u{1b}[31mred\\u{7}\n[3 bytes of application/pdf, x.pdf]\n[\n  2,\n  0.5\n]\nhttps://example.com/a"
        );
    }

    #[test]
    fn nothing_gets_past_the_last_look() {
        let own = "\u{1b}[31mfailed\u{1b}[0m \u{1b}[1mx\u{1b}[0m\n";
        assert_eq!(safe(own, true), own);
        assert_eq!(safe("\u{1b}[31mx", false), "\\u{1b}[31mx");
        for (text, expected) in [
            ("\u{1b}[8mhidden", "\\u{1b}[8mhidden"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{1b}", "\\u{1b}"),
            ("\u{9b}2J\u{202e}", "\\u{9b}2J\\u{202e}"),
        ] {
            assert_eq!(safe(text, true), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_quoted_text_is_one_word_to_a_shell(text in "[^\0]{0,20}") {
            let line = format!("printf %s {}", quoted(&text));
            let out = std::process::Command::new("sh").arg("-c").arg(line).output().unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&out.stdout), text);
        }
    }

    #[test]
    fn colours_are_for_terminals() {
        let plain = Output::new(false).plain();
        let coloured = Output {
            terminal: true,
            colours: true,
            ..plain
        };
        assert_eq!(plain.state(&TaskState::Failed), "failed");
        assert_eq!(
            coloured.state(&TaskState::Failed),
            "\u{1b}[31mfailed\u{1b}[0m"
        );
    }
}

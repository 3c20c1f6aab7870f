//! `taskyard task log`: a task's log, one line for each entry.

use taskyard_api::admin::{EntryView, LogView, size_in_words};
use taskyard_task::visible::in_line;

use super::Output;
use crate::admin_client::{AdminClient, encode};

/// How many entries one request asks for.
const PAGE: usize = 500;

/// Prints the entries from `from` on, as they are read.
///
/// # Errors
/// If there is no such task, or the host cannot be reached.
pub(super) async fn run(
    admin: &AdminClient,
    id: &str,
    from: u64,
    output: Output,
) -> anyhow::Result<()> {
    let path = format!("/v1/tasks/{}/log", encode(id));
    let mut after = from.saturating_sub(1);
    let mut layout = Layout::default();
    loop {
        let query = format!("after={after}&page_size={PAGE}");
        let page: LogView = admin.get(&format!("{path}?{query}")).await?;
        layout.widen(page.last);
        for entry in &page.entries {
            match output.is_json() {
                true => output.event(entry)?,
                false => output.text(&layout.lines(entry, output))?,
            }
        }
        match page.entries.last() {
            Some(entry) if entry.seq < page.last => after = entry.seq,
            Some(_) | None => return Ok(()),
        }
    }
}

/// How lines are set one below the other.
#[derive(Debug, Default)]
struct Layout {
    /// Digits of the largest number.
    digits: usize,
    /// The day of the entry before.
    day: String,
}

impl Layout {
    fn widen(&mut self, last: u64) {
        self.digits = self.digits.max(last.to_string().len());
    }

    /// The line of an entry, behind one for its day if that is another than before.
    fn lines(&mut self, entry: &EntryView, output: Output) -> String {
        let (day, time) = day_and_time(&entry.at);
        let mut lines = String::new();
        if self.day != day {
            day.clone_into(&mut self.day);
            lines = format!("{}\n", output.dim(day));
        }
        let line = self.line(entry, time);
        // People see it at once, and programs that search find the words.
        let line = match entry.taken_back {
            true => output.dim(line),
            false => line,
        };
        lines + &line + "\n"
    }

    fn line(&self, entry: &EntryView, time: &str) -> String {
        let digits = self.digits;
        let EntryView { seq, kind, .. } = entry;
        let size = match entry.bytes {
            0 => String::new(),
            bytes => size_in_words(usize::try_from(bytes).unwrap_or(usize::MAX)),
        };
        let what = one_line(&entry.what);
        let taken_back = match entry.taken_back {
            true => " (taken back)",
            false => "",
        };
        let line = format!("{seq:>digits$}  {time}  {kind:<17} {size:>8}  {what}{taken_back}");
        line.trim_end().to_owned()
    }
}

/// The line that an entry is shown as elsewhere: its number, what kind it is, what it was.
pub(super) fn in_words(entry: &EntryView) -> String {
    let EntryView { seq, kind, at, .. } = entry;
    let what = one_line(&entry.what);
    let words = format!("entry {seq}, {kind} {what}");
    format!("{}, at {at}", words.trim_end())
}

fn one_line(text: &str) -> String {
    in_line(&text.replace(['\n', '\t'], " "))
}

/// `2026-11-21T10:31:07.221Z` as its two halves.
fn day_and_time(at: &str) -> (&str, &str) {
    let (day, time) = at.split_once('T').unwrap_or(("", at));
    (day, time.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn entry(seq: u64, at: &str, kind: &str, bytes: u64, what: &str) -> EntryView {
        EntryView {
            seq,
            at: at.to_owned(),
            kind: kind.to_owned(),
            bytes,
            what: what.to_owned(),
            taken_back: false,
            facts: Map::new(),
        }
    }

    #[test]
    fn entries_are_set_one_below_the_other_day_by_day() {
        let output = Output::new(false).plain();
        let mut layout = Layout::default();
        layout.widen(12);
        let first = entry(
            9,
            "2026-11-21T10:31:07.221Z",
            "requested",
            1_200,
            "#3 POST https://a.example/v1",
        );
        let mut second = entry(12, "2026-11-22T00:00:00.000Z", "working", 0, "");
        assert_eq!(
            layout.lines(&first, output),
            "2026-11-21\n 9  10:31:07.221  requested           1.2 kB  #3 POST https://a.example/v1\n"
        );
        assert_eq!(
            layout.lines(&second, output),
            "2026-11-22\n12  00:00:00.000  working\n"
        );
        second.taken_back = true;
        second.what = "a\u{1b}[31m\nb".to_owned();
        let line = layout.lines(&second, output);
        assert!(line.ends_with("a\\u{1b}[31m b (taken back)\n"), "{line:?}");
    }
}

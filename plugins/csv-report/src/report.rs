//! Reads a CSV file row by row and writes the two artifacts: the table and the summary.

use csv::{ByteRecord, Reader, ReaderBuilder};
use taskyard_sdk::prelude::*;

use crate::summary::Summary;
use crate::table::Table;

/// A wider table is of no use to a person, and a chunk of it might not fit into a log entry.
const MAX_COLUMNS: usize = 200;
/// How many rows are read between two looks at whether somebody wants to cancel.
const ROWS_PER_LOOK: u64 = 200;
/// Percent between two reports of progress: at most twenty of them, however large the file is.
const PROGRESS_STEP: u64 = 5;

/// Reports on one file.
pub(crate) fn write(task: &Task, file: &[u8]) -> Result<Outcome> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
    let header = header(&mut reader)?;
    if header.is_empty() {
        return empty_report(task);
    }
    if header.len() > MAX_COLUMNS {
        let reason = format!("{} columns are more than {MAX_COLUMNS}", header.len());
        return Ok(Outcome::rejected(reason));
    }

    let mut table = Table::begin(task, &header)?;
    let mut summary = Summary::new(&header);
    let mut pace = Pace::new(task, file.len());
    let mut row = ByteRecord::new();
    while reader
        .read_byte_record(&mut row)
        .or_fail("csv", "cannot read the file")?
    {
        match cells(&row, header.len()) {
            Ok(cells) => {
                summary.row(cells.iter().copied());
                table.row(cells.iter().copied())?;
            }
            Err(problem) => summary.malformed_row(line(&row), problem),
        }
        pace.row_done(reader.position().byte())?;
    }
    table.end()?;
    end(task, &summary)
}

/// The names of the columns; none if the file is empty.
fn header(reader: &mut Reader<&[u8]>) -> Result<Vec<String>> {
    let names = reader
        .byte_headers()
        .or_fail("csv", "cannot read the header")?;
    let readable = |name| String::from_utf8_lossy(name).into_owned();
    Ok(names.iter().map(readable).collect())
}

/// The cells of a well-formed row, or what is wrong with it.
fn cells(row: &ByteRecord, columns: usize) -> Result<Vec<&str>, String> {
    if row.len() != columns {
        return Err(format!("{} cells instead of {columns}", row.len()));
    }
    let utf8: Result<Vec<&str>, _> = row.iter().map(str::from_utf8).collect();
    utf8.map_err(|_| "not UTF-8".to_owned())
}

fn line(row: &ByteRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

fn empty_report(task: &Task) -> Result<Outcome> {
    task.artifact("table")
        .name("Table")
        .put("The file is empty.\n")?;
    end(task, &Summary::new(&[]))
}

fn end(task: &Task, summary: &Summary) -> Result<Outcome> {
    task.artifact("summary").name("Summary").put_json(summary)?;
    Ok(Outcome::completed_with(summary.in_words()))
}

/// Shows progress and notices a cancel, now and then.
struct Pace<'t> {
    task: &'t Task,
    total_bytes: u64,
    rows: u64,
    reported_percent: u64,
}

impl<'t> Pace<'t> {
    fn new(task: &'t Task, total_bytes: usize) -> Self {
        Self {
            task,
            total_bytes: total_bytes as u64,
            rows: 0,
            reported_percent: 0,
        }
    }

    fn row_done(&mut self, bytes_read: u64) -> Result<()> {
        self.rows += 1;
        if !self.rows.is_multiple_of(ROWS_PER_LOOK) {
            return Ok(());
        }
        self.task.check_cancel()?;

        let percent = (bytes_read * 100 / self.total_bytes.max(1)).min(100);
        if percent >= self.reported_percent + PROGRESS_STEP {
            self.reported_percent = percent;
            let text = format!("{} rows", self.rows);
            self.task
                .progress(u8::try_from(percent).unwrap_or(100), &text)?;
        }
        Ok(())
    }
}

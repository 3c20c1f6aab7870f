//! Writes rows as a Markdown table, in chunks of bounded size.

use taskyard_sdk::prelude::*;

/// Rows in one chunk: often enough to look alive, seldom enough that a file of a megabyte needs
/// some hundred log entries.
const CHUNK_ROWS: usize = 50;
/// A chunk with long rows ends earlier, so that it stays far below a usual limit for one entry.
const CHUNK_BYTES: usize = 64 * 1024;
/// Characters of a cell that are shown. A table is for reading; the file has the rest.
const CELL_CHARS: usize = 200;
/// Rows that are shown. The summary counts all of them.
const MAX_ROWS: usize = 50_000;

/// A Markdown table that is written while its rows become known.
pub(crate) struct Table<'t> {
    artifact: Artifact<'t>,
    chunk: String,
    chunk_rows: usize,
    rows: usize,
}

impl<'t> Table<'t> {
    pub(crate) fn begin(task: &'t Task, header: &[String]) -> Result<Self> {
        let artifact = task
            .artifact("table")
            .name("Table")
            .media_type("text/markdown")
            .open()?;
        let mut table = Self {
            artifact,
            chunk: String::new(),
            chunk_rows: 0,
            rows: 0,
        };
        table.write_row(header.iter().map(String::as_str));
        table.write_row(header.iter().map(|_| "---"));
        Ok(table)
    }

    pub(crate) fn row<'r>(&mut self, cells: impl Iterator<Item = &'r str>) -> Result<()> {
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return Ok(());
        }
        self.write_row(cells);
        self.chunk_rows += 1;
        if self.chunk_rows >= CHUNK_ROWS || self.chunk.len() >= CHUNK_BYTES {
            self.send_chunk()?;
        }
        Ok(())
    }

    /// Sends what is left and seals the table.
    pub(crate) fn end(mut self) -> Result<()> {
        if self.rows > MAX_ROWS {
            let hidden = self.rows - MAX_ROWS;
            self.chunk
                .push_str(&format!("\n... and {hidden} more rows\n"));
        }
        if !self.chunk.is_empty() {
            self.send_chunk()?;
        }
        Ok(self.artifact.close()?)
    }

    fn write_row<'r>(&mut self, cells: impl Iterator<Item = &'r str>) {
        for cell in cells {
            self.chunk.push_str("| ");
            write_cell(&mut self.chunk, cell);
            self.chunk.push(' ');
        }
        self.chunk.push_str("|\n");
    }

    fn send_chunk(&mut self) -> Result<()> {
        self.chunk_rows = 0;
        let chunk = std::mem::take(&mut self.chunk);
        Ok(self.artifact.append(chunk)?)
    }
}

/// A cell is one line, and its bars do not end it.
fn write_cell(out: &mut String, cell: &str) {
    let mut chars = cell.chars();
    for char in chars.by_ref().take(CELL_CHARS) {
        match char {
            '|' => out.push_str("\\|"),
            '\n' | '\r' => out.push(' '),
            other => out.push(other),
        }
    }
    if chars.next().is_some() {
        out.push('…');
    }
}

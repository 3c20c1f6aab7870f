//! CSV report turns a CSV file into a Markdown table and a summary.
//!
//! It shows real work: the table is streamed chunk by chunk while the file is read, so that clients
//! see the first rows at once; rows that make no sense are reported and skipped; everything that
//! depends on the input is bounded.
//!
//! `input` finds the file, `report` reads it, `table` writes rows, `summary` counts.

mod input;
mod report;
mod summary;
mod table;

use taskyard_sdk::prelude::*;

#[derive(Debug)]
struct CsvReport;

impl Worker for CsvReport {
    fn describe() -> Manifest {
        let report = Skill::new(
            "report",
            "Report on a CSV file",
            "Shows a CSV file as a Markdown table and sums up its columns.",
        )
        .tag("csv")
        .tag("data")
        .input_mode("text/csv")
        .output_mode("text/markdown")
        .output_mode("application/json");
        let version = env!("CARGO_PKG_VERSION");
        Manifest::new("csv-report", version, "Turns CSV files into reports.").skill(report)
    }

    fn run(task: &Task, input: Message) -> Result<Outcome> {
        let Some(file) = input::csv_file(&input) else {
            let reason = "no CSV file: send one part of text or bytes with the media type text/csv";
            return Ok(Outcome::rejected(reason));
        };
        report::write(task, file)
    }
}

taskyard_sdk::export!(CsvReport);

#[cfg(test)]
mod tests;

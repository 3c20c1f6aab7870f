//! What a report looks like, and what happens to odd files.

use serde_json::json;
use taskyard_sdk::testing::{Event, Host, Run};

use super::*;

fn report_on(file: impl Into<Vec<u8>>) -> Run {
    let file = Part::bytes(file).media_type("text/csv; charset=utf-8");
    Host::new().message(file).run_with_crashes::<CsvReport>()
}

fn table(run: &Run) -> String {
    run.artifact_text("table").unwrap()
}

fn malformed(run: &Run) -> serde_json::Value {
    run.artifact_json("summary").unwrap()["malformed"].clone()
}

/// A file of about `rows * 20` bytes.
fn long_file(rows: usize) -> String {
    let mut file = "id,name,amount\n".to_owned();
    for row in 0..rows {
        file.push_str(&format!("{row},item {row},{}.5\n", row % 100));
    }
    file
}

#[test]
fn shows_a_table_and_sums_up_the_columns() {
    let run = report_on("city,inhabitants\nBern,134\nUri,36.5\n");

    let expected = "| city | inhabitants |\n| --- | --- |\n| Bern | 134 |\n| Uri | 36.5 |\n";
    assert_eq!(table(&run), expected);
    let expected = json!({
        "rows": 2,
        "columns": [
            {"name": "city", "empty": 0, "numeric": null},
            {"name": "inhabitants", "empty": 0,
             "numeric": {"count": 2, "min": 36.5, "max": 134.0, "mean": 85.25}},
        ],
        "malformed": {"count": 0, "first": []},
    });
    assert_eq!(run.artifact_json("summary"), Some(expected));
    let words = "2 rows, 2 columns, 0 malformed rows";
    assert_eq!(run.final_text().as_deref(), Some(words));
}

#[test]
fn reports_malformed_rows_with_their_lines_and_goes_on() {
    let run = report_on(b"a,b\n1,2\n3\n4,5,6\n7,\xff\n8,9\n");

    let expected = json!({"count": 3, "first": [
        {"line": 3, "problem": "1 cells instead of 2"},
        {"line": 4, "problem": "3 cells instead of 2"},
        {"line": 5, "problem": "not UTF-8"},
    ]});
    assert_eq!(malformed(&run), expected);
    assert!(table(&run).ends_with("| 1 | 2 |\n| 8 | 9 |\n"));
}

#[test]
fn lists_a_bounded_number_of_malformed_rows() {
    let run = report_on(format!("a,b\n{}", "x\n".repeat(1_000)));
    assert_eq!(malformed(&run)["count"], 1_000);
    assert_eq!(malformed(&run)["first"].as_array().unwrap().len(), 100);
}

#[test]
fn a_column_is_numeric_when_every_cell_that_is_not_empty_is() {
    let run = report_on("a,b,c\n1,1,\n,x,\n3,2,\n");

    let summary = run.artifact_json("summary").unwrap();
    let numeric = json!({"count": 2, "min": 1.0, "max": 3.0, "mean": 2.0});
    let expected = json!([
        {"name": "a", "empty": 1, "numeric": numeric},
        {"name": "b", "empty": 0, "numeric": null},
        {"name": "c", "empty": 3, "numeric": null},
    ]);
    assert_eq!(summary["columns"], expected);
}

#[test]
fn cells_cannot_break_the_table() {
    let run = report_on(format!(
        "a,b\n\"x|y\",\"two\nlines\"\n{},\n",
        "é".repeat(300)
    ));

    let table = table(&run);
    assert!(table.contains("| x\\|y | two lines |\n"), "{table}");
    assert!(
        table.contains(&format!("| {}… |", "é".repeat(200))),
        "{table}"
    );
}

#[test]
fn streams_a_large_file_in_bounded_chunks() {
    let file = Part::text(long_file(60_000)).filename("Items.CSV");
    let run = Host::new().message(file).run::<CsvReport>();

    let chunks = run.artifact("table");
    assert_eq!(chunks.len(), 1_001);
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.as_bytes().unwrap().len() <= 64 * 1024)
    );
    assert!(table(&run).ends_with("\n... and 10000 more rows\n"));
    assert_eq!(run.artifact_json("summary").unwrap()["rows"], 60_000);

    let is_progress = |event: &&Event| matches!(event, Event::Progress { .. });
    assert!((15..=20).contains(&run.events.iter().filter(is_progress).count()));
}

#[test]
fn stops_between_chunks_when_asked_to_cancel() {
    let file = Part::text(long_file(5_000)).media_type("text/csv");
    let run = Host::new()
        .message(file)
        .cancel_at_call(20)
        .run::<CsvReport>();

    assert_eq!(run.failure().map(Error::code), Some("canceled"));
    assert!(run.events.len() < 30);
}

#[test]
fn fails_when_the_operator_limits_the_artifact() {
    let limit = OpError::LimitExceeded("artifact_bytes = 1024".to_owned());
    let file = Part::text(long_file(5_000)).media_type("text/csv");
    let run = Host::new()
        .message(file)
        .refuse_from_call(3, limit)
        .run::<CsvReport>();
    assert_eq!(run.failure().map(Error::code), Some("limit-exceeded"));
}

#[test]
fn an_empty_file_is_reported_as_empty() {
    let run = report_on("");
    assert_eq!(table(&run), "The file is empty.\n");
    assert_eq!(run.artifact_json("summary").unwrap()["rows"], 0);
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    let run = report_on("\u{feff}a,b\n");
    assert_eq!(table(&run), "| a | b |\n| --- | --- |\n");
    assert!(run.is_completed());
}

#[test]
fn rejects_messages_without_a_csv_file() {
    let remark = Part::text("please report");
    let address = Part::url("https://a.example/a.csv").media_type("text/csv");
    let picture = Part::bytes([0]).media_type("image/png");
    let run = Host::new()
        .message([remark, address, picture])
        .run::<CsvReport>();

    let reason = run.final_text().unwrap();
    assert!(reason.contains("text/csv"), "{reason}");
    assert_eq!(run.events, []);
}

#[test]
fn rejects_a_table_that_is_too_wide() {
    let run = report_on(",".repeat(200));
    let reason = "201 columns are more than 200";
    assert_eq!(run.outcome(), Some(&Outcome::rejected(reason)));
}

//! Counts what the rows contain.

use serde::Serialize;

/// Malformed rows that are listed. Beyond that the file is not CSV, and more lines do not help.
const MAX_LISTED: usize = 100;

/// The facts about a file, as they go into the artifact `summary`.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Well-formed rows, without the header.
    rows: u64,
    columns: Vec<Column>,
    malformed: Malformed,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    /// Cells without content.
    empty: u64,
    /// Nothing if a cell holds anything but a number, or if all cells are empty.
    numeric: Option<Numeric>,
    #[serde(skip)]
    is_text: bool,
}

#[derive(Debug, Serialize)]
struct Numeric {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
}

#[derive(Debug, Default, Serialize)]
struct Malformed {
    count: u64,
    /// The first of them.
    first: Vec<MalformedRow>,
}

#[derive(Debug, Serialize)]
struct MalformedRow {
    /// The line in the file where the row begins, from 1.
    line: u64,
    problem: String,
}

impl Summary {
    pub(crate) fn new(header: &[String]) -> Self {
        Self {
            rows: 0,
            columns: header.iter().map(|name| Column::new(name)).collect(),
            malformed: Malformed::default(),
        }
    }

    /// Counts a well-formed row: one cell for each column.
    pub(crate) fn row<'r>(&mut self, cells: impl Iterator<Item = &'r str>) {
        self.rows += 1;
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.cell(cell.trim());
        }
    }

    pub(crate) fn malformed_row(&mut self, line: u64, problem: String) {
        self.malformed.count += 1;
        if self.malformed.first.len() < MAX_LISTED {
            self.malformed.first.push(MalformedRow { line, problem });
        }
    }

    /// The facts in one line.
    pub(crate) fn in_words(&self) -> String {
        let columns = self.columns.len();
        let Malformed { count, .. } = self.malformed;
        format!(
            "{} rows, {columns} columns, {count} malformed rows",
            self.rows
        )
    }
}

impl Column {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            empty: 0,
            numeric: None,
            is_text: false,
        }
    }

    fn cell(&mut self, cell: &str) {
        if cell.is_empty() {
            self.empty += 1;
            return;
        }
        match (finite_number(cell), &mut self.numeric) {
            (Some(_), _) if self.is_text => {}
            (Some(number), Some(numeric)) => numeric.add(number),
            (Some(number), None) => self.numeric = Some(Numeric::of(number)),
            (None, _) => {
                self.is_text = true;
                self.numeric = None;
            }
        }
    }
}

impl Numeric {
    fn of(number: f64) -> Self {
        Self {
            count: 1,
            min: number,
            max: number,
            mean: number,
        }
    }

    fn add(&mut self, number: f64) {
        self.count += 1;
        self.min = self.min.min(number);
        self.max = self.max.max(number);
        // A running mean does not overflow where a sum would.
        self.mean += (number - self.mean) / self.count as f64;
    }
}

/// `NaN` and `inf` are words here, not numbers: JSON has no way to write them.
fn finite_number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}

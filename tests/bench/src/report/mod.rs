//! What the benchmarks measured: the figures, what they are compared with, and where they are kept.

mod machine;
mod markdown;
mod plot;
mod scale;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, Serialize};

pub(crate) use machine::Machine;

/// All figures of one machine. Kept as JSON, so that a run of one workload keeps those of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// In the order in which they were first put.
    pub(crate) sections: Vec<Section>,
}

/// One workload: its figures, and all that a reader needs to judge them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Section {
    /// Unique and stable, such as `blocking-echo`: the plot's file name, and the anchor in the page.
    pub(crate) id: String,
    pub(crate) title: String,
    /// One paragraph: what is measured, and how.
    pub(crate) how: String,
    /// When and of what, such as `2026-11-21, commit abcdef0`. Empty if nobody said.
    pub(crate) measured: String,
    /// Too short a run to believe its figures.
    pub(crate) smoke: bool,
    /// The subject that every other row is compared with, as a ratio.
    pub(crate) beside: Option<String>,
    /// What the rows' `at` means. Without one, rows have no `at`, and are drawn as bars.
    pub(crate) axis: Option<Axis>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) rows: Vec<Row>,
    pub(crate) targets: Vec<Target>,
    pub(crate) notes: Vec<String>,
}

/// What is varied within a section: the offered load, the number of stored tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Axis {
    pub(crate) name: String,
    /// Such as `tasks/s`. Empty for a count of what the name says.
    pub(crate) unit: String,
    /// Drawn by orders of magnitude; ignored if a row is at zero or below.
    pub(crate) logarithmic: bool,
}

/// One quantity that is measured of each subject: a column of the table, and one of up to three panels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measure {
    pub(crate) name: String,
    /// Such as `ms`. Empty for a count of what the name says.
    pub(crate) unit: String,
    pub(crate) better: Better,
}

/// Which of two values of a measure is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Better {
    Higher,
    Lower,
    Neither,
}

/// The figures of one subject, at one place of the axis if there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What people would compare: `Taskyard`, `a bare RocksDB write`.
    pub(crate) subject: String,
    /// In the axis' unit.
    pub(crate) at: Option<f64>,
    /// One for each measure, in its unit; `None` where nothing could be measured.
    pub(crate) values: Vec<Option<f64>>,
}

/// A promise, and what was measured of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// With its unit: `throughput of one host, tasks/s`.
    pub(crate) what: String,
    /// What was measured, in the unit of the limit. Not a number if nothing was; that meets no limit.
    #[serde(deserialize_with = "null_as_nan")]
    pub(crate) value: f64,
    pub(crate) limit: Limit,
}

/// What a target demands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    /// The report in `folder`, or an empty one if there is none or it is of another machine.
    ///
    /// # Errors
    /// If this machine does not describe itself in `/proc`, or the report cannot be read.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let machine = Machine::here()?;
        let stored = Self::stored(folder)?.filter(|report| report.machine == machine);
        Ok(stored.unwrap_or_else(|| Self {
            machine,
            sections: Vec::new(),
        }))
    }

    fn stored(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join("report.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = read(&path)?;
        let report = serde_json::from_str(&text)
            .with_context(|| format!("{} is no report", path.display()))?;
        Ok(Some(report))
    }

    /// Adds a section, in the place of the one with the same id if there is one.
    pub(crate) fn put(&mut self, section: Section) {
        match self.sections.iter_mut().find(|old| old.id == section.id) {
            Some(old) => *old = section,
            None => self.sections.push(section),
        }
    }

    /// Writes `report.json`, `report.md`, and the plot `ID.svg` of each section.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        write(&folder.join("report.json"), &json)?;
        write(&folder.join("report.md"), &markdown::render(self))?;
        for section in &self.sections {
            let plot = plot::svg(section)
                .with_context(|| format!("cannot draw the plot of {}", section.id))?;
            write(&folder.join(format!("{}.svg", section.id)), &plot)?;
        }
        Ok(())
    }
}

impl Section {
    /// A section without figures.
    pub(crate) fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        how: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            how: how.into(),
            measured: String::new(),
            smoke: false,
            beside: None,
            axis: None,
            measures: Vec::new(),
            rows: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// When and of what, such as `2026-11-21, commit abcdef0`.
    pub(crate) fn measured(mut self, when: impl Into<String>) -> Self {
        self.measured = when.into();
        self
    }

    /// Whether the run was too short to believe its figures.
    pub(crate) fn smoke(mut self, smoke: bool) -> Self {
        self.smoke = smoke;
        self
    }

    /// The subject that every other row is compared with.
    pub(crate) fn beside(mut self, subject: impl Into<String>) -> Self {
        self.beside = Some(subject.into());
        self
    }

    /// What the rows' `at` means, linear.
    pub(crate) fn axis(mut self, name: impl Into<String>, unit: impl Into<String>) -> Self {
        self.axis = Some(Axis {
            name: name.into(),
            unit: unit.into(),
            logarithmic: false,
        });
        self
    }

    /// What the rows' `at` means, drawn by orders of magnitude.
    pub(crate) fn log_axis(self, name: impl Into<String>, unit: impl Into<String>) -> Self {
        let mut section = self.axis(name, unit);
        if let Some(axis) = &mut section.axis {
            axis.logarithmic = true;
        }
        section
    }

    /// One more quantity that each row has a value of.
    pub(crate) fn measure(
        mut self,
        name: impl Into<String>,
        unit: impl Into<String>,
        better: Better,
    ) -> Self {
        self.measures.push(Measure {
            name: name.into(),
            unit: unit.into(),
            better,
        });
        self
    }

    /// The figures of a subject, in the order of the measures: numbers, or `Option`s of numbers.
    pub(crate) fn row<V: Into<Option<f64>>>(
        self,
        subject: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.with_row(subject.into(), None, values)
    }

    /// As `row`, at one place of the axis.
    pub(crate) fn row_at<V: Into<Option<f64>>>(
        self,
        subject: impl Into<String>,
        at: f64,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.with_row(subject.into(), Some(rounded(at)), values)
    }

    fn with_row<V: Into<Option<f64>>>(
        mut self,
        subject: String,
        at: Option<f64>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into);
        self.rows.push(Row {
            subject,
            at,
            values: values.map(|value| value.map(rounded)).collect(),
        });
        self
    }

    /// A promise, and what was measured of it.
    pub(crate) fn target(mut self, what: impl Into<String>, value: f64, limit: Limit) -> Self {
        self.targets.push(Target {
            what: what.into(),
            value: rounded(value),
            limit,
        });
        self
    }

    /// One more sentence below the figures.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    fn is_beside(&self, row: &Row) -> bool {
        self.beside.as_ref() == Some(&row.subject)
    }

    /// How often the value of the subject that this row is compared with goes into the row's own.
    fn ratio(&self, row: &Row, measure: usize) -> Option<f64> {
        let mut rows = self.rows.iter().filter(|_| !self.is_beside(row));
        let other = rows.find(|other| self.is_beside(other) && other.at == row.at)?;
        let base = other.value(measure).filter(|base| *base != 0.0)?;
        Some(row.value(measure)? / base)
    }
}

impl Row {
    fn value(&self, measure: usize) -> Option<f64> {
        let value = self.values.get(measure).copied().flatten();
        value.filter(|value| value.is_finite())
    }
}

impl Target {
    /// Whether the measured value is within the limit.
    pub(crate) fn met(&self) -> bool {
        match self.limit {
            Limit::AtLeast(least) => self.value >= least,
            Limit::AtMost(most) => self.value <= most,
        }
    }
}

/// Six significant digits: more are noise, and may come back changed from JSON.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// JSON knows no NaN: it is written as null.
fn null_as_nan<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or(f64::NAN))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

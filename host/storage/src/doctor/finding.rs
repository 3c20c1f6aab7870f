//! What the doctor finds, told one by one up to a bound.

use std::path::PathBuf;

use super::{LeftOut, Report, named};
use crate::table::Table;

/// Findings of one table that are told; more of them are counted. A tally of each is lost with a broken file,
/// and nobody reads a million lines.
const MOST_TOLD: u64 = 100;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In which table of the database; `wal` and `files` are none.
    pub table: &'static str,
    /// Which row, for people.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// Whom or what that affects.
    pub affects: String,
    /// What mending does about it.
    pub mending: Mending,
}

/// What mending does about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mending {
    /// It follows from other rows, and is made anew.
    MadeAnew,
    /// It cannot be read or understood, and is left out; the old database still has it.
    LeftOut,
    /// It stays as it is: only an operator can help.
    Stays,
}

/// Those so far.
pub(super) struct Findings<'a> {
    tell: &'a mut dyn FnMut(&Finding),
    told: [u64; Table::ALL.len()],
    wrong: u64,
    lasting: u64,
    pub(super) rows: u64,
    pub(super) left_out: LeftOut,
}

impl<'a> Findings<'a> {
    pub(super) fn new(tell: &'a mut dyn FnMut(&Finding)) -> Self {
        Self {
            tell,
            told: [0; Table::ALL.len()],
            wrong: 0,
            lasting: 0,
            rows: 0,
            left_out: LeftOut::default(),
        }
    }

    /// Whether a new database would be better than the old one.
    pub(super) fn can_be_mended(&self) -> bool {
        self.wrong > self.lasting
    }

    pub(super) fn report(&self, tasks: u64, kept: Option<PathBuf>) -> Report {
        Report {
            rows: self.rows,
            tasks,
            wrong: self.wrong,
            lasting: self.lasting,
            left_out: self.left_out,
            kept,
        }
    }

    /// A row that is wrong.
    pub(super) fn row(
        &mut self,
        table: Table,
        key: &[u8],
        (what, affects): (String, String),
        mending: Mending,
    ) {
        self.count(mending);
        let told = self.told.get_mut(table as usize);
        if told.is_none_or(|told| {
            *told += 1;
            *told > MOST_TOLD
        }) {
            return;
        }
        (self.tell)(&Finding {
            table: table.name(),
            key: named::key(table, key),
            what,
            affects,
            mending,
        });
    }

    /// A file that cannot be read, or what is missing of one.
    pub(super) fn files(&mut self, table: &'static str, what: String, affects: String) {
        self.count(Mending::LeftOut);
        (self.tell)(&Finding {
            table,
            key: String::new(),
            what,
            affects,
            mending: Mending::LeftOut,
        });
    }

    fn count(&mut self, mending: Mending) {
        self.wrong += 1;
        self.lasting += u64::from(mending == Mending::Stays);
    }
}

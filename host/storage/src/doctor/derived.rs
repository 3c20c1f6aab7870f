//! Rows that follow from others: those that are stored, beside those that were derived.

use std::cmp::Ordering;

use super::DoctorError;
use super::finding::{Findings, Mending};
use super::source::{self, Row, Source};
use super::target::Target;
use crate::count::{Counter as _, Tally};
use crate::read::WorkItem;
use crate::record;
use crate::table::Table;

/// The tables whose rows all follow from others, and what is wrong without them.
const TABLES: [(Table, &str); 11] = [
    (Table::Index, "where the task is in lists"),
    (Table::Tally, "the counts of lists"),
    (Table::Count, "counts of tasks and of state"),
    (Table::Usage, "the bytes that count for a tenant"),
    (Table::Ended, "when an ended task is forgotten"),
    (Table::Work, "whether the task is run"),
    (Table::Timer, "when the task goes on or fails"),
    (Table::Parked, "whether operators find the task"),
    (Table::InFlight, "which tasks a component is known to run"),
    (Table::TaskKey, "what is forgotten with the task"),
    (Table::StateExpiry, "when a key of state is gone"),
];

/// Compares all of them.
pub(super) fn compare(
    source: &Source,
    target: &mut Target,
    findings: &mut Findings<'_>,
) -> Result<(), DoctorError> {
    target.write()?;
    for (table, affects) in TABLES {
        table_of(table, affects, source, target, findings);
    }
    Ok(())
}

fn table_of(
    table: Table,
    affects: &str,
    source: &Source,
    target: &Target,
    findings: &mut Findings<'_>,
) {
    let mut stored = source.walk(table, findings);
    let mut derived = source::walk(target.db(), table, findings);
    let (mut has, mut should) = (stored.next(findings), derived.next(findings));
    loop {
        let order = match (&has, &should) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((has, _)), Some((should, _))) => has.cmp(should),
        };
        let wrong = match (order, &has, &should) {
            // Those of a task's state stay until their moment, although it has ended.
            (Ordering::Less, _, _) if table == Table::StateExpiry => None,
            (Ordering::Less, Some(row), _) => Some((row, "nothing that is there makes it so")),
            (Ordering::Greater, _, Some(row)) => Some((row, "it is missing")),
            (Ordering::Equal, Some(has), Some(should)) if !is_same(table, has, should) => {
                Some((has, "it is not what its records amount to"))
            }
            _ => None,
        };
        if let Some(((key, _), what)) = wrong {
            let said = (what.to_owned(), affects.to_owned());
            findings.row(table, key, said, Mending::MadeAnew);
        }
        if order.is_le() {
            has = stored.next(findings);
        }
        if order.is_ge() {
            should = derived.next(findings);
        }
    }
}

/// Whether two rows say the same; earlier versions wrote some of them shorter.
fn is_same(table: Table, (_, has): &Row, (_, should): &Row) -> bool {
    if has == should {
        return true;
    }
    match table {
        Table::Work => {
            let read = |row| record::decode::<WorkItem>(row).ok();
            read(has).is_some_and(|has| Some(has) == read(should))
        }
        Table::Tally => Tally::from_row(has) == Tally::from_row(should),
        _ => false,
    }
}

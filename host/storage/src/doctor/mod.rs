//! The doctor: looks at every row of a stopped data folder, names what is wrong, and mends it.
//!
//! It reads the old database and makes a new one beside it, from the rows that records are: whatever follows
//! from those is derived by what the host derives it with. Then the derived rows of both are compared, so there
//! is no second definition of an index. To look is to throw the new database away; to mend is to put it in
//! the old one's place, which is kept. So nothing is ever changed within a damaged database, and memory does
//! not grow with the folder.
//!
//! A task is whole or left out: one whose log has a gap can neither be replayed nor shown as it was.

mod derived;
mod finding;
mod named;
mod place;
mod records;
mod source;
mod target;
mod tasks;

use std::path::PathBuf;

use crate::claim::Claim;
use crate::error::OpenError;
use crate::open::Config;
use crate::read::ReadError;
use crate::recovery;

pub use finding::{Finding, Mending};

use finding::Findings;
use place::Place;
use source::Source;
use target::Target;

/// What the doctor found in a data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many rows were looked at.
    pub rows: u64,
    /// How many tasks are whole.
    pub tasks: u64,
    /// How many things are wrong; not all of them need have been told one by one.
    pub wrong: u64,
    /// How many of them cannot be mended by anybody here.
    pub lasting: u64,
    /// How many rows are left out of the new database, and how many tasks with theirs.
    pub left_out: LeftOut,
    /// Where the old database is kept, if a new one took its place.
    pub kept: Option<PathBuf>,
}

/// What cannot be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Rows that stand alone.
    pub rows: u64,
    /// Tasks with all of their rows.
    pub tasks: u64,
}

/// Why the doctor cannot look on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoctorError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Apply(#[from] crate::apply::ApplyError),
    #[error(transparent)]
    Encode(#[from] rmp_serde::encode::Error),
}

impl From<rocksdb::Error> for DoctorError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Read(error.into())
    }
}

/// Looks at all of a stopped data folder, and tells what is wrong as it goes. With `mend`, a new database takes
/// the place of one in which something is.
///
/// # Errors
/// [`OpenError`], for the operator: there is no folder, a host uses it, or it cannot be read or written at all.
pub fn examine(
    config: &Config,
    mend: bool,
    tell: &mut dyn FnMut(&Finding),
) -> Result<Report, OpenError> {
    let folder = &config.folder;
    let db = folder.join("db");
    let is_there = db.try_exists();
    let is_there = is_there.map_err(|error| OpenError::system(folder, &db, error))?;
    if !is_there {
        let error = std::io::ErrorKind::NotFound.into();
        return Err(OpenError::system(folder, &db, error));
    }
    let _claim = Claim::take(folder)?;
    let mut findings = Findings::new(tell);
    let other = |error: DoctorError| OpenError::Other {
        folder: folder.clone(),
        reason: error.to_string(),
    };
    let place = Place::beside(folder)?;
    let Some(source) = Source::open(folder, &place, mend, &mut findings)? else {
        return Ok(findings.report(0, None));
    };
    if source.is_as_it_was {
        look_for_loss(config, &source, &mut findings)?;
    }
    let mut target = Target::open(&place, mend)?;
    let tasks = look(&source, &mut target, &mut findings).map_err(other)?;
    let found = target.close().map_err(other)?;
    drop(source);
    let mut kept = None;
    if mend && findings.can_be_mended() {
        target::mark(folder, &found)?;
        kept = Some(place.swap()?);
    }
    Ok(findings.report(tasks, kept))
}

/// Tells what was acknowledged and is not there, as the host would when it starts.
fn look_for_loss(
    config: &Config,
    source: &Source,
    findings: &mut Findings<'_>,
) -> Result<(), OpenError> {
    // Nothing is accepted here, so a loss is an error.
    let strict = Config {
        accept_data_loss: false,
        ..config.clone()
    };
    let expected = recovery::check(&strict, &config.folder.join("db"));
    let looked = expected.and_then(|expected| expected.compare(&strict, source.db()));
    match looked {
        Ok(_) => Ok(()),
        Err(OpenError::Damaged { what, cost, .. }) => {
            findings.files("wal", what, cost);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Goes over all rows; tells how many tasks are whole.
fn look(
    source: &Source,
    target: &mut Target,
    findings: &mut Findings<'_>,
) -> Result<u64, DoctorError> {
    // What tasks refer to comes first, and what refers to tasks last.
    records::of_the_host(source, target, findings)?;
    let tasks = tasks::all(source, target, findings)?;
    records::of_tasks(source, target, findings)?;
    derived::compare(source, target, findings)?;
    Ok(tasks)
}

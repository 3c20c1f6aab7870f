//! Tables on RocksDB: typed keys, versioned records, one atomic batch per group of commits.
//!
//! The broker hands over [`Commit`](taskyard_task::Commit)s and reads back; nothing else touches the
//! disk. This room knows what is written where. It does not know why.

mod apply;
mod apply_state;
mod claim;
mod commit_log;
mod committer;
mod count;
mod damage;
mod database;
mod derive;
mod doctor;
mod ended;
mod error;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod key;
mod list;
mod log;
mod marker;
#[doc(hidden)]
pub mod measured;
mod open;
mod operator;
mod read;
mod record;
mod recovery;
mod scrub;
mod shortage;
mod space;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod upgrade;
mod usage;
mod wal;

pub use commit_log::{AppendError, CommitLog, Numbered, Trouble};
pub use committer::{Durable, Failed, Reservation, ReservedBytes};
pub use database::Tables;
pub use doctor::{Finding, LeftOut, Mending, Report, examine};
pub use ended::EndedTask;
pub use error::{OpenError, without_paths};
pub use format::UpgradePlan;
pub use health::Health;
pub use key::Lane;
pub use list::{ListPage, ListQuery, Position};
pub use open::{Config, Storage};
pub use operator::ParkedRow;
pub use read::{ReadError, WorkItem};
pub use scrub::Scrub;
pub use space::{Space, file_system};
pub use state::{Expired, StateKeys};
pub use usage::Usage;

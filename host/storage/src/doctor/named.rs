//! Keys of rows as people read them.

use taskyard_task::{Digest, TaskId};

use crate::key;
use crate::table::Table;

/// Bytes of a key that are shown if nothing is known of it.
const MOST_SHOWN: usize = 64;

/// A key of a table, in words.
pub(super) fn key(table: Table, key: &[u8]) -> String {
    known(table, key).unwrap_or_else(|| shown(key))
}

fn known(table: Table, row: &[u8]) -> Option<String> {
    match table {
        Table::Log | Table::Content => {
            let seq = key::read_log_seq(row.get(16..)?)?;
            Some(format!("task {}, entry {}", task_at(row, 0)?, seq.0))
        }
        Table::Header | Table::Outline | Table::Snapshot | Table::TaskKey => named_task(row, 0),
        Table::Work | Table::Letter | Table::Remote => named_task(row, 1),
        Table::Timer => named_task(row, 9),
        Table::Parked => named_task(row, 8),
        Table::InFlight => named_task(row, 32),
        Table::Outbox | Table::Delivery => {
            let lane = key::read_lane(row)?;
            Some(format!("task {}, webhook {}", lane.task, lane.config))
        }
        Table::PushConfig => {
            let config = shown(row.get(16..row.len().checked_sub(1)?)?);
            Some(format!("task {}, webhook {config}", task_at(row, 0)?))
        }
        Table::Ended => {
            let (tenant, _, task) = key::read_ended(row)?;
            Some(format!("tenant {tenant}, task {task}"))
        }
        Table::Index => {
            let task = task_at(row, row.len().checked_sub(16)?)?;
            Some(format!(
                "{}, task {task}",
                shown(row.get(..row.len() - 24)?)
            ))
        }
        Table::Plugin | Table::Component => {
            let digest = Digest::from_bytes(row.try_into().ok()?);
            Some(digest.to_string())
        }
        Table::Usage => match row.split_first()? {
            (b't', task) => named_task(task, 0),
            _ => Some(format!("tenant {}", key::read_usage_of(row)?)),
        },
        Table::Meta
        | Table::Tally
        | Table::Count
        | Table::Idempotency
        | Table::State
        | Table::StateExpiry
        | Table::Agent
        | Table::ApiKey => None,
    }
}

fn named_task(key: &[u8], at: usize) -> Option<String> {
    Some(format!("task {}", task_at(key, at)?))
}

pub(super) fn task_at(key: &[u8], at: usize) -> Option<TaskId> {
    let bytes = key.get(at..at.checked_add(16)?)?;
    Some(TaskId::from_bytes(bytes.try_into().ok()?))
}

/// Bytes as text, with those that are none as numbers.
pub(super) fn shown(key: &[u8]) -> String {
    let shown = key.get(..MOST_SHOWN).unwrap_or(key);
    shown.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use taskyard_task::Seq;

    use super::*;

    #[test]
    fn keys_are_read_as_what_they_stand_for() {
        let task = TaskId::from_bytes([7; 16]);
        for (table, row, says) in [
            (
                Table::Log,
                key::log(task, Seq(9)),
                format!("task {task}, entry 9"),
            ),
            (Table::Header, key::task(task), format!("task {task}")),
            (Table::Work, key::work(task), format!("task {task}")),
            (
                Table::Usage,
                key::usage_of_task(task),
                format!("task {task}"),
            ),
            (Table::Usage, b"nacme\0".to_vec(), "tenant acme".to_owned()),
            (
                Table::Outbox,
                key::outbox(task, "c", Seq(1)),
                format!("task {task}, webhook c"),
            ),
            (
                Table::PushConfig,
                key::push_config(task, "c"),
                format!("task {task}, webhook c"),
            ),
            (Table::Agent, b"echo".to_vec(), "echo".to_owned()),
            (Table::Header, b"a\x1bb".to_vec(), "a\\x1bb".to_owned()),
        ] {
            assert_eq!(key_of(table, &row), says);
        }
    }

    #[test]
    fn any_bytes_are_a_key() {
        for table in Table::ALL {
            for length in 0..70 {
                for byte in [0, b't', b'n', 0xff] {
                    key_of(table, &vec![byte; length]);
                }
            }
        }
    }

    fn key_of(table: Table, row: &[u8]) -> String {
        super::key(table, row)
    }
}

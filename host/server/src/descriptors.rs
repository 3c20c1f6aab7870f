//! Open files: how many the process may have, and who may have how many of them.
//!
//! Connections, requests and the tables of the store all take files from one number. Whoever connects needs
//! no credentials for that, so what the store needs is set aside first.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// What is open besides: the runtime, the doors, the database's logs and notes, files that are read for a
/// moment, looking up names, and connections that are accepted only to be closed.
const OWN: usize = 64;
/// Below this, operators are told: not because it does not work, but because it is less than they expect.
const LOW: usize = 4_096;
/// From here on, connections to others may be kept for their next request. Each is for a time, however many there
/// are, so this leaves room for thousands of them.
const KEEPS_IDLE: usize = 65_536;
/// More than anybody uses; a limit that is none counts as this.
const MOST: usize = 1 << 20;

/// Who may have how many files open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Tables of the store.
    pub(crate) store: usize,
    /// Connections to the door for clients.
    pub(crate) clients: usize,
    /// Connections to the door for operators.
    pub(crate) operators: usize,
    /// Workers' requests, and those to other hosts.
    pub(crate) requests: usize,
    /// Notifications.
    pub(crate) notifications: usize,
    /// Whether connections to others may be kept for their next request. How many there are then is only
    /// bounded by time, so it takes a limit that leaves room for that.
    pub(crate) keeps_idle: bool,
}

impl Budget {
    /// What `limit` files are divided into. Each part works with its smallest share, whatever the limit.
    pub(crate) fn of(limit: usize) -> Self {
        let left = limit.min(MOST).saturating_sub(OWN);
        // A table that is not open is opened when it is read, so too few make reads slower and no more.
        let store = (left / 4).clamp(20, 16_384);
        let requests = (left / 8).clamp(8, 4_096);
        let notifications = (left / 16).clamp(4, 1_024);
        let operators = (left / 16).clamp(4, 256);
        // What others keep idle comes out of a share of its own.
        let idle = left / 8;
        let others = store + requests + notifications + operators + idle;
        Self {
            store,
            clients: left.saturating_sub(others).clamp(8, 16_384),
            operators,
            requests,
            notifications,
            keeps_idle: limit >= KEEPS_IDLE,
        }
    }
}

/// What operators are told if few files may be open.
pub(crate) fn few(limit: usize) -> Option<String> {
    (limit < LOW).then(|| {
        let clients = Budget::of(limit).clients;
        format!(
            "few files may be open at once ({limit}), so only {clients} connections of clients are taken: \
             raise the hard limit (ulimit -Hn, LimitNOFILE=)"
        )
    })
}

/// Raises the limit of open files as far as the system lets this process.
///
/// The soft limit is for programs that cannot count beyond 1,024; this one can.
pub(crate) fn raise() -> usize {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        ..before
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => before.maximum,
        Err(error) => {
            warn!(%error, "cannot raise the limit of open files");
            before.current
        }
    };
    now.map_or(MOST, |limit| usize::try_from(limit).unwrap_or(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_divided() {
        let divided = |limit| {
            let Budget {
                store,
                clients,
                operators,
                requests,
                notifications,
                keeps_idle,
            } = Budget::of(limit);
            (
                [store, clients, operators, requests, notifications],
                keeps_idle,
            )
        };
        for (limit, parts, keeps_idle) in [
            (0, [20, 8, 4, 8, 4], false),
            (128, [20, 20, 4, 8, 4], false),
            (256, [48, 72, 12, 24, 12], false),
            (1_024, [240, 360, 60, 120, 60], false),
            (4_096, [1_008, 1_512, 252, 504, 252], false),
            (65_536, [16_368, 16_384, 256, 4_096, 1_024], true),
            (1 << 20, [16_384, 16_384, 256, 4_096, 1_024], true),
            (usize::MAX, [16_384, 16_384, 256, 4_096, 1_024], true),
        ] {
            assert_eq!(divided(limit), (parts, keeps_idle), "{limit}");
        }
    }

    #[test]
    fn no_part_is_taken_from_another() {
        for limit in 128..70_000 {
            let budget = Budget::of(limit);
            let doors = budget.clients + budget.operators;
            let out = budget.requests + budget.notifications;
            let sum = OWN + budget.store + doors + out;
            assert!(sum <= limit, "{limit}: {budget:?}");
        }
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let limit = raise();
        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, now.maximum);
        assert_eq!(Some(limit as u64), now.current.or(Some(MOST as u64)));
    }
}

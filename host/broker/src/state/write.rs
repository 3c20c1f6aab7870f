//! What a write to state comes to. Pure.

use taskyard_task::{Expected, StateResult, Stored, Timestamp};

use super::is_there;

/// A write to decide.
pub(super) struct Write {
    pub(super) key: String,
    /// None removes the key.
    pub(super) value: Option<Vec<u8>>,
    pub(super) ttl_ms: Option<u64>,
    /// What must be there for it to happen.
    pub(super) expected: Expected,
}

/// What a write is decided upon.
pub(super) struct Basis<'a> {
    pub(super) now: Timestamp,
    /// What is under the key, expired or not.
    pub(super) before: Option<&'a Stored>,
    /// How many keys the place has.
    pub(super) held: u64,
    /// How many it may have.
    pub(super) limit: u64,
    /// The version of what is written.
    pub(super) version: u64,
}

/// What a write changes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// The key is gone from now on.
    Remove,
    /// This is there from now on.
    Store(Stored),
}

impl Write {
    /// What the worker is told, and what that changes.
    pub(super) fn decide(self, basis: &Basis<'_>) -> (StateResult, Effect) {
        let visible = basis
            .before
            .filter(|stored| is_there(stored.expires_at, basis.now));
        if !self.expected.allows(visible.map(|stored| stored.version)) {
            return (StateResult::Stale(visible.cloned()), Effect::None);
        }
        let Some(value) = self.value else {
            let effect = match basis.before {
                Some(_) => Effect::Remove,
                None => Effect::None,
            };
            return (StateResult::Written(0), effect);
        };
        if basis.before.is_none() && basis.held >= basis.limit {
            return (StateResult::Full { limit: basis.limit }, Effect::None);
        }
        let stored = Stored {
            value,
            version: basis.version,
            expires_at: self.ttl_ms.map(|ttl_ms| basis.now.plus_millis(ttl_ms)),
        };
        (StateResult::Written(basis.version), Effect::Store(stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Expected::{Anything, Nothing, Version};

    const NOW: Timestamp = Timestamp(1_000);

    fn stored(version: u64, expires_at: Option<u64>) -> Stored {
        Stored {
            value: vec![b'v'],
            version,
            expires_at: expires_at.map(Timestamp),
        }
    }

    fn put(expected: Expected) -> Write {
        Write {
            key: "k".to_owned(),
            value: Some(vec![b'w']),
            ttl_ms: None,
            expected,
        }
    }

    /// The third of three keys at most, as version 9.
    fn decide(write: Write, before: Option<&Stored>) -> (StateResult, Effect) {
        write.decide(&Basis {
            now: NOW,
            before,
            held: 3,
            limit: 3,
            version: 9,
        })
    }

    #[test]
    fn a_swap_looks_at_the_version() {
        let (there, gone) = (stored(7, None), stored(7, Some(1_000)));
        let table = [
            (Some(&there), Anything, StateResult::Written(9)),
            (Some(&there), Version(7), StateResult::Written(9)),
            (
                Some(&there),
                Version(6),
                StateResult::Stale(Some(there.clone())),
            ),
            (
                Some(&there),
                Nothing,
                StateResult::Stale(Some(there.clone())),
            ),
            // What has expired is not there.
            (Some(&gone), Version(7), StateResult::Stale(None)),
            (Some(&gone), Nothing, StateResult::Written(9)),
            (None, Version(7), StateResult::Stale(None)),
        ];
        for (before, expected, result) in table {
            let (got, after) = decide(put(expected), before);
            assert_eq!(got, result, "{before:?} {expected:?}");
            let wrote = matches!(result, StateResult::Written(_));
            assert_eq!(after != Effect::None, wrote, "{before:?} {expected:?}");
        }
    }

    #[test]
    fn only_new_keys_meet_the_limit() {
        let full = (StateResult::Full { limit: 3 }, Effect::None);
        assert_eq!(decide(put(Anything), None), full);
        assert_eq!(decide(put(Nothing), None), full);
        // One that expired still counts, and is written over.
        let gone = stored(7, Some(1));
        let (result, _) = decide(put(Anything), Some(&gone));
        assert_eq!(result, StateResult::Written(9));
    }

    #[test]
    fn a_removal_changes_only_what_is_there() {
        let remove = || Write {
            value: None,
            ..put(Anything)
        };
        let written = StateResult::Written(0);
        assert_eq!(decide(remove(), None), (written.clone(), Effect::None));
        let there = stored(7, None);
        assert_eq!(decide(remove(), Some(&there)), (written, Effect::Remove));
    }

    #[test]
    fn a_span_begins_now() {
        for (ttl_ms, moment) in [(0, 1_000), (5, 1_005), (u64::MAX, u64::MAX)] {
            let write = Write {
                ttl_ms: Some(ttl_ms),
                ..put(Anything)
            };
            let (_, after) = decide(write, Some(&stored(7, None)));
            let Effect::Store(stored) = after else {
                panic!("{after:?}");
            };
            assert_eq!(stored.expires_at, Some(Timestamp(moment)));
        }
    }
}

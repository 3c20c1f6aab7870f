//! What a write to state expects to find.
//!
//! Until format 4 of the data folder this was an option of an option, and both of its kinds of nothing
//! were written as nil. Logs of that time must replay, so nil is read as what it was: either of the two.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What must be under a key for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there.
    Anything,
    /// Nothing.
    Nothing,
    /// A value of this version.
    Version(u64),
    /// `Anything` or `Nothing`: the host that wrote the log did not tell them apart. No worker asks for it.
    Unsaid,
}

/// How the kinds without a number are written.
const ANYTHING: &str = "anything";
const NOTHING: &str = "nothing";

impl Expected {
    /// Whether a write may happen where a value of the version `there` is, if any.
    #[must_use]
    pub fn allows(self, there: Option<u64>) -> bool {
        match self {
            Self::Anything | Self::Unsaid => true,
            Self::Nothing => there.is_none(),
            Self::Version(version) => there == Some(version),
        }
    }

    /// Whether a worker that expects `now` repeats this, which a log has.
    #[must_use]
    pub fn is_repeated_by(self, now: Self) -> bool {
        match self {
            Self::Unsaid => matches!(now, Self::Anything | Self::Nothing),
            said => said == now,
        }
    }
}

impl From<Option<u64>> for Expected {
    /// What a swap expects: this version, or that nothing is there.
    fn from(version: Option<u64>) -> Self {
        version.map_or(Self::Nothing, Self::Version)
    }
}

impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Anything => to.serialize_str(ANYTHING),
            Self::Nothing => to.serialize_str(NOTHING),
            Self::Version(version) => to.serialize_u64(*version),
            Self::Unsaid => to.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Expected;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a version, {ANYTHING:?}, {NOTHING:?} or nil")
    }

    fn visit_u64<E>(self, version: u64) -> Result<Expected, E> {
        Ok(Expected::Version(version))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Expected, E> {
        match word {
            ANYTHING => Ok(Expected::Anything),
            NOTHING => Ok(Expected::Nothing),
            other => Err(E::unknown_variant(other, &[ANYTHING, NOTHING])),
        }
    }

    fn visit_unit<E>(self) -> Result<Expected, E> {
        Ok(Expected::Unsaid)
    }
}

#[cfg(test)]
mod tests {
    use super::Expected::{Anything, Nothing, Unsaid, Version};

    #[test]
    fn a_write_happens_where_what_is_there_is_expected() {
        for (expected, on_nothing, on_seven) in [
            (Anything, true, true),
            (Nothing, true, false),
            (Version(7), false, true),
            (Version(6), false, false),
        ] {
            assert_eq!(expected.allows(None), on_nothing, "{expected:?}");
            assert_eq!(expected.allows(Some(7)), on_seven, "{expected:?}");
        }
    }

    #[test]
    fn only_what_an_old_log_left_unsaid_is_repeated_by_two_things() {
        let asked = [Anything, Nothing, Version(7), Version(6)];
        for logged in asked {
            for now in asked {
                assert_eq!(logged.is_repeated_by(now), logged == now);
            }
        }
        let repeats = asked.map(|now| Unsaid.is_repeated_by(now));
        assert_eq!(repeats, [true, true, false, false]);
    }
}

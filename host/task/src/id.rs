//! The names and numbers that identify things: tasks, agents, tenants, plugins, positions, moments.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use uuid::Uuid;

/// An identifier that does not have the form it must have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct InvalidId {
    what: &'static str,
    rule: &'static str,
}

impl InvalidId {
    pub(crate) fn new(what: &'static str, rule: &'static str) -> Self {
        Self { what, rule }
    }
}

/// The identifier of a task (A2A `Task.id`): a UUID that the host chose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId(Uuid);

impl TaskId {
    /// Takes a fresh UUID and makes it an identifier in `partition`: the last byte carries the
    /// partition, so that a task and what must be written with it can be placed together.
    #[must_use]
    pub fn new(fresh: Uuid, partition: Partition) -> Self {
        let [head @ .., last] = fresh.into_bytes();
        let last = (last & !Partition::MASK) | partition.number();
        let mut bytes = [0; 16];
        for (slot, byte) in bytes.iter_mut().zip(head.into_iter().chain([last])) {
            *slot = byte;
        }
        Self(Uuid::from_bytes(bytes))
    }

    /// The identifier as it is stored in keys.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// Reads what [`TaskId::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Where the task's records live.
    #[must_use]
    pub fn partition(self) -> Partition {
        let [.., last] = self.to_bytes();
        Partition(last & Partition::MASK)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

impl FromStr for TaskId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::parse_str(text).map(Self).map_err(|_| InvalidId {
            what: "a task id",
            rule: "a UUID",
        })
    }
}

/// One of the 64 places that commits are ordered in. On one host they only prefix keys; a cluster
/// gives each to one owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Partition(u8);

impl Partition {
    /// How many partitions hold tasks. A power of two, because the number is the low bits of an id.
    pub const COUNT: u8 = 64;
    const MASK: u8 = Self::COUNT - 1;

    /// The partition of what belongs to the host and not to a task: plugins and agents.
    pub const SYSTEM: Self = Self(u8::MAX);

    /// The partition that a hash falls into.
    #[must_use]
    pub fn of_hash(byte: u8) -> Self {
        Self(byte & Self::MASK)
    }

    /// All partitions that hold tasks.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// The number as it is stored in keys.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// The position of an entry in its task's log, from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);

    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of something that a worker started and can wait for: counted from 1 in the order of the calls
/// that gave them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Ticket(pub u64);

impl Ticket {
    /// The ticket after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment, in milliseconds since 1970-01-01 UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment, `millis` later.
    #[must_use]
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; 0 if it is not earlier.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Text of bounded length in a restricted alphabet, checked when it is made.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId { what: $what, rule: $rule })
                }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text!(
    /// The name under which a worker is deployed; part of its URL.
    AgentName,
    "an agent name",
    "1 to 63 lower-case letters, digits and hyphens, not beginning or ending with a hyphen",
    |text| {
        (1..=63).contains(&text.len())
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);

checked_text!(
    /// Whose work something is: the unit of isolation, fairness and limits. The default tenant, of
    /// clients that name none, is the empty text.
    #[derive(Default)]
    Tenant,
    "a tenant",
    "at most 64 letters, digits, dots, hyphens and underscores",
    |text| {
        text.len() <= 64
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    }
);

/// SHA-256 of a component: the version of a worker that cannot lie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest as it is stored in keys.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Reads what [`Digest::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first twelve hexadecimal digits: enough for people.
    #[must_use]
    pub fn short(self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

impl FromStr for Digest {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map(|()| Self(bytes))
            .map_err(|_| InvalidId {
                what: "a plugin digest",
                rule: "64 hexadecimal digits",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_id_carries_its_partition() {
        for partition in Partition::all() {
            let id = TaskId::new(Uuid::from_u128(0xabcdef), partition);
            assert_eq!(id.partition(), partition);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(TaskId::from_bytes(id.to_bytes()), id);
        }
    }

    #[test]
    fn names_are_checked() {
        for good in ["a", "csv-report", "x1", &"a".repeat(63)] {
            assert!(good.parse::<AgentName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "../x", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<AgentName>().is_err(), "{bad}");
        }
        assert!("".parse::<Tenant>().is_ok());
        assert!("acme.eu-1_x".parse::<Tenant>().is_ok());
        assert!("a/b".parse::<Tenant>().is_err());
    }
}

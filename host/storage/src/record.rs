//! Records: one version byte, then MessagePack. A new version adds a decoder; no version is reused.

use serde::Serialize;
use serde::de::DeserializeOwned;
use taskyard_task::{Entry, LightEntry};

/// The version of everything but light entries.
const VERSION: u8 = 1;
/// An entry of a log without its content, which another row has.
const LIGHT: u8 = 2;

/// An entry as its row in the log has it.
pub(crate) enum Logged {
    Whole(Entry),
    Light(LightEntry),
}

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("it was written by a newer version ({0}) of the host")]
    Newer(u8),
    #[error("it is empty")]
    Empty,
    #[error("it is damaged: {0}")]
    Damaged(#[from] rmp_serde::decode::Error),
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    encode_as(VERSION, value)
}

pub(crate) fn encode_light(entry: &LightEntry) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    encode_as(LIGHT, entry)
}

fn encode_as<T: Serialize>(version: u8, value: &T) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    // Headers and small entries fit.
    let mut bytes = Vec::with_capacity(256);
    bytes.push(version);
    rmp_serde::encode::write(&mut bytes, value)?;
    Ok(bytes)
}

/// Whether a row of the log lacks its content.
pub(crate) fn is_light(bytes: &[u8]) -> bool {
    bytes.first() == Some(&LIGHT)
}

pub(crate) fn decode_logged(bytes: &[u8]) -> Result<Logged, RecordError> {
    match bytes.split_first() {
        Some((&LIGHT, body)) => Ok(Logged::Light(rmp_serde::from_slice(body)?)),
        _ => decode(bytes).map(Logged::Whole),
    }
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => Ok(rmp_serde::from_slice(body)?),
        Some((&version, _)) => Err(RecordError::Newer(version)),
        None => Err(RecordError::Empty),
    }
}

#[cfg(test)]
mod tests {
    use taskyard_task::{Agent, Digest, EgressPolicy, Manifest, RunLimits, Timestamp};

    use super::*;

    #[test]
    fn an_agent_of_an_earlier_version_does_not_answer_by_context() {
        let agent = Agent {
            name: "echo".parse().unwrap(),
            digest: Digest::of(b""),
            manifest: Manifest {
                name: "echo".parse().unwrap(),
                version: "1.0.0".to_owned(),
                description: String::new(),
                skills: Vec::new(),
                input_modes: Vec::new(),
                output_modes: Vec::new(),
            },
            config: "{}".to_owned(),
            limits: RunLimits::default(),
            max_runs: None,
            revision: 1,
            deployed_at: Timestamp(1),
            egress: EgressPolicy::default(),
            answer_by_context: false,
        };
        let mut earlier = encode(&agent).unwrap();
        // Records are lists of their fields: one fewer, and without the last.
        earlier[1] -= 1;
        assert_eq!(earlier.pop(), Some(0xc2));
        assert_eq!(decode::<Agent>(&earlier).unwrap(), agent);
    }
}

//! Records: one version byte, then MessagePack. A new version adds a decoder; no version is reused.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version that is written.
const VERSION: u8 = 1;

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
    // Headers and small entries fit.
    let mut bytes = Vec::with_capacity(256);
    bytes.push(VERSION);
    rmp_serde::encode::write(&mut bytes, value)?;
    Ok(bytes)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => Ok(rmp_serde::from_slice(body)?),
        Some((&version, _)) => Err(RecordError::Newer(version)),
        None => Err(RecordError::Empty),
    }
}

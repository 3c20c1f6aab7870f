//! Memo: expensive work whose result is kept, so that a replay does not do it again.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Result, current};

/// Does expensive work without side effects once, and keeps the result in the task's log: a replay takes it
/// from there. Worth it for what takes longer than a few milliseconds.
///
/// `label` names the work, in at most 128 bytes. `input` is what the work depends on; its hash is in the
/// log, so that a worker that works on something else after a crash is found out. `work` must not call
/// the host.
///
/// The result is always what JSON makes of it, in the first run as in a replay.
///
/// ```
/// # use taskyard_sdk::prelude::*;
/// # fn analyse(text: &str) -> usize { text.len() }
/// # fn run(task: &Task, input: Message) -> Result<Outcome> {
/// let text = input.text();
/// let words: usize = memo("analyse", &text, || analyse(&text))?;
/// # Ok(Outcome::completed())
/// # }
/// ```
///
/// # Errors
/// When `input` or the result has no JSON form; [`OpError::LimitExceeded`](crate::OpError) when the
/// result is larger than a message may be.
pub fn memo<I, T>(label: &str, input: &I, work: impl FnOnce() -> T) -> Result<T>
where
    I: Serialize + ?Sized,
    T: Serialize + DeserializeOwned,
{
    try_memo(label, input, || Ok(work()))
}

/// Like [`memo`](memo()), for work that can fail. A failure is not kept: another run tries again.
///
/// # Errors
/// Those of the work, and like [`memo`](memo()).
pub fn try_memo<I, T>(label: &str, input: &I, work: impl FnOnce() -> Result<T>) -> Result<T>
where
    I: Serialize + ?Sized,
    T: Serialize + DeserializeOwned,
{
    let host = current::host();
    let input = fnv1a(&serde_json::to_vec(input)?);
    let value = match host.recall(label, input) {
        Some(kept) => kept,
        None => {
            let value = serde_json::to_vec(&work()?)?;
            host.keep(label, input, value.clone())?;
            value
        }
    };
    Ok(serde_json::from_slice(&value)?)
}

/// FNV-1a with 64 bits over the JSON text of the input. It is in logs: it must never change.
fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    bytes.iter().fold(OFFSET_BASIS, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_published_test_vectors() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}

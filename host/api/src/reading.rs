//! Making values of a body's bytes, within bounds: a few bytes of text can stand for many times as many in
//! memory, and reading them takes a processor for a while.

use axum::body::Bytes;
use tokio::sync::Semaphore;

use crate::error::ApiError;
use crate::memory::Account;

/// Larger bodies are read aside, so that nobody else on the same thread waits for that.
const INLINE_BYTES: usize = 64 << 10;
/// Large bodies that are read at once; others wait for their turn.
const READERS: usize = 2;
/// JSON values in one request. A message of the largest size has fewer unless it consists of little else.
pub(crate) const MAX_VALUES: usize = 1_000_000;
/// What one value takes in memory beside its text.
const VALUE_BYTES: usize = 96;

/// Where large bodies are read.
#[derive(Debug)]
pub(crate) struct Reading(Semaphore);

impl Default for Reading {
    fn default() -> Self {
        Self(Semaphore::new(READERS))
    }
}

impl Reading {
    /// What `read` makes of `body`, which has as many values as `count` finds. `account` holds both from
    /// then on.
    ///
    /// # Errors
    /// [`ApiError::TooManyValues`], [`ApiError::MemoryFull`], and those of `read`.
    pub(crate) async fn read<T>(
        &self,
        body: Bytes,
        mut account: Option<Account>,
        count: impl FnOnce(&Bytes) -> usize + Send + 'static,
        read: impl FnOnce(Bytes) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<(T, Option<Account>), ApiError>
    where
        T: Send + 'static,
    {
        let is_small = body.len() <= INLINE_BYTES;
        let work = move || {
            let values = count(&body);
            if values > MAX_VALUES {
                return Err(ApiError::TooManyValues);
            }
            if let Some(account) = &mut account {
                account.hold(body.len() + values * VALUE_BYTES)?;
            }
            Ok((read(body)?, account))
        };
        if is_small {
            return work();
        }
        let stopped = |_| ApiError::Internal("a reader of bodies stopped".to_owned());
        let _turn = self.0.acquire().await.map_err(|_| ApiError::stopping())?;
        tokio::task::spawn_blocking(work).await.map_err(stopped)?
    }
}

/// At most so many values does a JSON text have, and not many fewer.
pub(crate) fn values_of_json(text: &Bytes) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in text.iter() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b':' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn values(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(values).sum(),
            Value::Object(members) => members.values().map(values).sum(),
            _ => 0,
        }
    }

    #[test]
    fn texts_are_no_values() {
        let count = |text: &'static str| values_of_json(&Bytes::from(text));
        assert_eq!(count(r#""a,b:[{\",""#), 1);
        assert_eq!(count(r#"{"unknown":[{},{},{}]}"#), 9);
        assert_eq!(count(""), 1);
    }

    proptest! {
        #[test]
        fn no_value_is_missed(texts in prop::collection::vec(".*", 0..8), depth in 0..4usize) {
            let mut value = json!(texts);
            for _ in 0..depth {
                value = json!({"a": value, "b,:[{": [1, {}]});
            }
            let counted = values_of_json(&Bytes::from(value.to_string()));
            prop_assert!(counted >= values(&value));
            prop_assert!(counted <= 2 * values(&value) + 1);
        }
    }
}

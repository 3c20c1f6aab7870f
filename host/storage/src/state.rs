//! Reading the state of workers.

use taskyard_task::{StatePlace, Stored, Timestamp};

use crate::database::Tables;
use crate::key;
use crate::open::Storage;
use crate::read::{ReadError, Rows, damaged, decode};
use crate::table::Table;

/// A key whose time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// When it was over.
    pub moment: Timestamp,
    /// Where the key is.
    pub place: StatePlace,
    /// The key.
    pub key: String,
}

/// The keys of a place as they were durable when this was made, in order.
pub struct StateKeys<'a> {
    rows: Rows<'a>,
    /// The bytes of a row's key before the worker's own.
    place: usize,
}

impl std::fmt::Debug for StateKeys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateKeys").finish_non_exhaustive()
    }
}

impl Storage {
    /// What is stored under a key, expired or not.
    ///
    /// # Errors
    /// As all of these: [`ReadError`].
    pub fn state(&self, place: &StatePlace, key: &str) -> Result<Option<Stored>, ReadError> {
        self.get(Table::State, &key::state(place, key))
    }

    /// How many keys a place has, those included that expired lately.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn state_count(&self, place: &StatePlace) -> Result<u64, ReadError> {
        self.count(&key::state_count(place))
    }

    /// At most `most` keys whose time was over between `from` and `until`, the oldest first. The rows of
    /// earlier ones are deleted, and need not be walked over again.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn expired_state(
        &self,
        from: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<Expired>, ReadError> {
        let mut expired = Vec::new();
        let tables = self.tables()?;
        let start = key::state_expiry_from(from);
        let mut rows = tables.rows(Table::StateExpiry, &start, &[])?;
        while expired.len() < most
            && let Some((key, value)) = rows.next()?
        {
            let moment = key::read_state_expiry(key)
                .ok_or_else(|| damaged(Table::StateExpiry, "its key is too short"))?;
            if moment > until {
                break;
            }
            let (place, key) = decode(Table::StateExpiry, value)?;
            expired.push(Expired { moment, place, key });
        }
        Ok(expired)
    }

    /// Whether a key that was found to be expired is still to be removed.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn is_expiry_kept(&self, expired: &Expired) -> Result<bool, ReadError> {
        let Expired { moment, place, key } = expired;
        let row = key::state_expiry(*moment, place, key);
        Ok(self.row(Table::StateExpiry, &row)?.is_some())
    }
}

impl Tables {
    /// The keys that begin with `prefix`, behind `after`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn state_keys(
        &self,
        place: &StatePlace,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<StateKeys<'_>, ReadError> {
        let rows_prefix = key::state(place, prefix);
        let mut start = rows_prefix.clone();
        if let Some(after) = after.filter(|after| *after >= prefix) {
            start = key::state(place, after);
            // Behind the key itself.
            start.push(0);
        }
        Ok(StateKeys {
            rows: self.rows(Table::State, &start, &rows_prefix)?,
            place: key::place(place).len(),
        })
    }
}

impl StateKeys<'_> {
    /// The next key, and when it is gone.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn next_key(&mut self) -> Result<Option<(String, Option<Timestamp>)>, ReadError> {
        let Some((key, value)) = self.rows.next()? else {
            return Ok(None);
        };
        let key = key::read_state(key, self.place)
            .ok_or_else(|| damaged(Table::State, "its key is no text"))?;
        // The fields of `Stored`, without copying the value.
        let (_value, _version, expires_at): (serde::de::IgnoredAny, u64, Option<Timestamp>) =
            decode(Table::State, value)?;
        Ok(Some((key.to_owned(), expires_at)))
    }
}

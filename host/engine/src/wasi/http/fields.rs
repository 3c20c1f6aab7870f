//! Headers, as `wasi:http` has them.

use http::{HeaderName, HeaderValue};
use taskyard_task::HttpHeader;
use wasmtime::component::Resource;

use super::room::{Held, Room};
use crate::host::Ctx;
use crate::wasi::bindings::wasi::http::types::{HeaderError, HostFields};

/// Names and values of one list of headers; servers take no more.
const MAX_FIELDS_BYTES: usize = 64 << 10;
/// What a header counts for besides its text, so that there cannot be very many empty ones.
const HEADER_OVERHEAD: usize = 32;

/// Headers that are about the connection, which is the host's business. Workers cannot set them, and see
/// that: so the list is part of the replay contract. What is missing here compared with
/// [`taskyard_task::http::CONNECTION_HEADERS`] can be set, as client libraries do, and is not sent.
const FORBIDDEN: [&str; 9] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// A list of headers, in the order in which they were added.
#[derive(Debug)]
pub struct Fields {
    entries: Vec<(String, Vec<u8>)>,
    held: Held,
    size: usize,
    /// Whether they belong to a request or a response, and can no longer be changed.
    is_fixed: bool,
}

impl Fields {
    /// No headers.
    pub(super) fn new(room: &Room) -> wasmtime::Result<Self> {
        Ok(Self {
            entries: Vec::new(),
            held: room.hold(0)?,
            size: 0,
            is_fixed: false,
        })
    }

    /// The headers of a response.
    pub(super) fn of_response(room: &Room, headers: Vec<HttpHeader>) -> wasmtime::Result<Self> {
        let headers = headers.into_iter();
        let entries = headers.map(|header| (header.name, header.value)).collect();
        let mut fields = Self::holding(room, entries)?;
        fields.is_fixed = true;
        Ok(fields)
    }

    fn holding(room: &Room, entries: Vec<(String, Vec<u8>)>) -> wasmtime::Result<Self> {
        let size = entries.iter().map(|(name, value)| size(name, value)).sum();
        Ok(Self {
            entries,
            held: room.hold(size)?,
            size,
            is_fixed: false,
        })
    }

    /// The same headers once more; they can be changed.
    pub(super) fn copy(&self, room: &Room) -> wasmtime::Result<Self> {
        Self::holding(room, self.entries.clone())
    }

    /// The same headers, which can no longer be changed.
    pub(super) fn fixed(mut self) -> Self {
        self.is_fixed = true;
        self
    }

    /// Each header.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(String, Vec<u8>)> {
        self.entries.iter()
    }

    /// The values of the headers of that name.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &Vec<u8>> {
        let has_name = move |entry: &&(String, Vec<u8>)| entry.0.eq_ignore_ascii_case(name);
        self.iter().filter(has_name).map(|(_, value)| value)
    }

    /// Whether there is a header of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// How long the body is meant to be, if the headers say so.
    ///
    /// # Errors
    /// If what they say is no length.
    pub(super) fn content_length(&self) -> Result<Option<u64>, ()> {
        let mut values = self.values("content-length");
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) if value.iter().all(u8::is_ascii_digit) => {
                let text = std::str::from_utf8(value).map_err(drop)?;
                text.parse().map(Some).map_err(drop)
            }
            (Some(_), _) => Err(()),
        }
    }

    fn append(&mut self, name: String, value: Vec<u8>) -> Result<(), HeaderError> {
        self.check_change(&name)?;
        check_value(&value)?;
        let bytes = size(&name, &value);
        // There is no word for a limit.
        if self.size + bytes > MAX_FIELDS_BYTES || self.held.grow(bytes).is_err() {
            return Err(HeaderError::Forbidden);
        }
        self.size += bytes;
        self.entries.push((name, value));
        Ok(())
    }

    fn set(&mut self, name: &str, values: Vec<Vec<u8>>) -> Result<(), HeaderError> {
        values.iter().try_for_each(|value| check_value(value))?;
        self.remove(name)?;
        let mut values = values.into_iter();
        values.try_for_each(|value| self.append(name.to_owned(), value))
    }

    fn remove(&mut self, name: &str) -> Result<(), HeaderError> {
        self.check_change(name)?;
        let before = self.size;
        self.entries.retain(|(other, value)| {
            let stays = !other.eq_ignore_ascii_case(name);
            if !stays {
                self.size -= size(other, value);
            }
            stays
        });
        self.held.shrink(before - self.size);
        Ok(())
    }

    fn check_change(&self, name: &str) -> Result<(), HeaderError> {
        if self.is_fixed {
            return Err(HeaderError::Immutable);
        }
        let name = HeaderName::from_bytes(name.as_bytes());
        match name {
            Ok(name) if FORBIDDEN.contains(&name.as_str()) => Err(HeaderError::Forbidden),
            Ok(_) => Ok(()),
            Err(_) => Err(HeaderError::InvalidSyntax),
        }
    }
}

fn check_value(value: &[u8]) -> Result<(), HeaderError> {
    match HeaderValue::from_bytes(value) {
        Ok(_) => Ok(()),
        Err(_) => Err(HeaderError::InvalidSyntax),
    }
}

fn size(name: &str, value: &[u8]) -> usize {
    name.len() + value.len() + HEADER_OVERHEAD
}

impl HostFields for Ctx {
    fn new(&mut self) -> wasmtime::Result<Resource<Fields>> {
        let fields = Fields::new(&self.http.room)?;
        Ok(self.table.push(fields)?)
    }

    fn from_list(
        &mut self,
        entries: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<Resource<Fields>, HeaderError>> {
        let mut fields = Fields::new(&self.http.room)?;
        for (name, value) in entries {
            if let Err(error) = fields.append(name, value) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(self.table.push(fields)?))
    }

    fn get(&mut self, fields: Resource<Fields>, name: String) -> wasmtime::Result<Vec<Vec<u8>>> {
        let fields = self.table.get(&fields)?;
        Ok(fields.values(&name).cloned().collect())
    }

    fn has(&mut self, fields: Resource<Fields>, name: String) -> wasmtime::Result<bool> {
        Ok(self.table.get(&fields)?.has(&name))
    }

    fn set(
        &mut self,
        fields: Resource<Fields>,
        name: String,
        values: Vec<Vec<u8>>,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        Ok(self.table.get_mut(&fields)?.set(&name, values))
    }

    fn delete(
        &mut self,
        fields: Resource<Fields>,
        name: String,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        Ok(self.table.get_mut(&fields)?.remove(&name))
    }

    fn append(
        &mut self,
        fields: Resource<Fields>,
        name: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        Ok(self.table.get_mut(&fields)?.append(name, value))
    }

    fn entries(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        Ok(self.table.get(&fields)?.iter().cloned().collect())
    }

    fn clone(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Resource<Fields>> {
        let copy = self.table.get(&fields)?.copy(&self.http.room)?;
        Ok(self.table.push(copy)?)
    }

    fn drop(&mut self, fields: Resource<Fields>) -> wasmtime::Result<()> {
        self.table.delete(fields)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        Fields::new(&Room::default()).unwrap()
    }

    fn append(fields: &mut Fields, name: &str, value: &[u8]) -> Result<(), HeaderError> {
        fields.append(name.to_owned(), value.to_vec())
    }

    #[test]
    fn names_have_no_case_and_order_is_kept() {
        let mut fields = fields();
        for (name, value) in [("Accept", "a"), ("x", "1"), ("accept", "b")] {
            append(&mut fields, name, value.as_bytes()).unwrap();
        }
        let values: Vec<_> = fields.values("ACCEPT").cloned().collect();
        assert_eq!(values, [b"a", b"b"]);
        fields.set("X", vec![b"2".to_vec()]).unwrap();
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Accept", "accept", "X"]);
        fields.remove("accept").unwrap();
        assert!(!fields.has("Accept"));
        assert_eq!(fields.size, size("X", b"2"));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let mut fields = fields();
        let table: [(&str, &[u8], HeaderError); 4] = [
            ("", b"1", HeaderError::InvalidSyntax),
            ("a b", b"1", HeaderError::InvalidSyntax),
            ("a", b"1\n", HeaderError::InvalidSyntax),
            ("Host", b"other", HeaderError::Forbidden),
        ];
        for (name, value, expected) in table {
            let refused = append(&mut fields, name, value).unwrap_err();
            assert_eq!(format!("{refused:?}"), format!("{expected:?}"), "{name:?}");
        }
        let mut fields = fields.fixed();
        let refused = append(&mut fields, "a", b"1").unwrap_err();
        assert!(matches!(refused, HeaderError::Immutable));
    }

    #[test]
    fn there_is_a_limit() {
        let mut fields = fields();
        let large = vec![b'a'; MAX_FIELDS_BYTES - HEADER_OVERHEAD - 1];
        append(&mut fields, "a", &large).unwrap();
        let refused = append(&mut fields, "b", b"").unwrap_err();
        assert!(matches!(refused, HeaderError::Forbidden));
    }

    #[test]
    fn lengths_are_digits() {
        for (text, expected) in [
            ("12", Ok(Some(12))),
            ("+1", Err(())),
            ("", Err(())),
            ("99999999999999999999", Err(())),
        ] {
            let mut fields = fields();
            append(&mut fields, "Content-Length", text.as_bytes()).unwrap();
            assert_eq!(fields.content_length(), expected, "{text:?}");
        }
        assert_eq!(fields().content_length(), Ok(None));
    }
}

//! Requests as workers make them: method, address, headers.

use std::str::FromStr;

use taskyard_outbound::Request;
use taskyard_task::HttpHeader;
use wasmtime::component::Resource;

use super::exchange::Shared;
use super::{Fields, OutgoingBody, RequestOptions};
use crate::host::Ctx;
use crate::replay::{Reading, Sending};
use crate::wasi::bindings::wasi::http::types::{ErrorCode, HostOutgoingRequest, Method, Scheme};

/// Asks for a response that is read piece by piece. Not sent.
const STREAM_HEADER: &str = "taskyard-stream";
/// Set by the host if the worker did not.
const KEY_HEADER: &str = "idempotency-key";

/// A request that is being made.
#[derive(Debug)]
pub struct OutgoingRequest {
    method: Method,
    scheme: Option<Scheme>,
    authority: Option<String>,
    path_with_query: Option<String>,
    headers: Fields,
    exchange: Shared,
    /// Whether the worker asked for the body, to write it.
    has_body: bool,
}

impl OutgoingRequest {
    /// What is sent, without the body.
    ///
    /// # Errors
    /// If that is not a request.
    pub(super) fn draft(&self, options: Option<&RequestOptions>) -> Result<Sending, ErrorCode> {
        let reading = if self.headers.has(STREAM_HEADER) {
            Reading::Pieces
        } else {
            Reading::AsItComes
        };
        let is_sent = |header: &&(String, Vec<u8>)| !header.0.eq_ignore_ascii_case(STREAM_HEADER);
        let headers = self.headers.iter().filter(is_sent).cloned();
        Ok(Sending {
            request: Request {
                method: self.method_name().to_owned(),
                url: self.url()?,
                headers: headers
                    .map(|(name, value)| HttpHeader { name, value })
                    .collect(),
                body: bytes::Bytes::new(),
                timeout: options.and_then(RequestOptions::silence),
                retry: None,
                idempotency_key: None,
                max_response_bytes: None,
            },
            resend: true,
            reading,
            wants_key: !self.is_safe() && !self.headers.has(KEY_HEADER),
        })
    }

    /// The exchange, whose body is complete if there is none.
    pub(super) fn into_exchange(self) -> Shared {
        if !self.has_body {
            self.exchange.lock().complete();
        }
        self.exchange
    }

    fn method_name(&self) -> &str {
        match &self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Connect => "CONNECT",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Patch => "PATCH",
            Method::Other(name) => name,
        }
    }

    /// Whether sending it twice changes nothing.
    fn is_safe(&self) -> bool {
        matches!(
            self.method,
            Method::Get | Method::Head | Method::Options | Method::Trace
        )
    }

    fn url(&self) -> Result<String, ErrorCode> {
        let scheme = match &self.scheme {
            Some(Scheme::Http) => "http",
            Some(Scheme::Https) | None => "https",
            Some(Scheme::Other(_)) => return Err(ErrorCode::HttpProtocolError),
        };
        let Some(authority) = &self.authority else {
            return Err(ErrorCode::HttpRequestUriInvalid);
        };
        let path = self.path_with_query.as_deref().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(format!("{scheme}://{authority}{slash}{path}"))
    }
}

/// Whether a path and query can stand behind an authority.
fn is_path(text: &str) -> bool {
    let begins = text.is_empty() || text.starts_with(['/', '?']);
    begins && (text.is_empty() || http::uri::PathAndQuery::from_str(text).is_ok())
}

impl HostOutgoingRequest for Ctx {
    fn new(&mut self, headers: Resource<Fields>) -> wasmtime::Result<Resource<OutgoingRequest>> {
        let headers = self.table.delete(headers)?.fixed();
        let gate = self.gate();
        let limit = gate.map_or(0, |gate| gate.budget().limits().message_bytes);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let request = OutgoingRequest {
            method: Method::Get,
            scheme: None,
            authority: None,
            path_with_query: None,
            headers,
            exchange: Shared::new(&self.http.room, limit)?,
            has_body: false,
        };
        Ok(self.table.push(request)?)
    }

    fn body(
        &mut self,
        request: Resource<OutgoingRequest>,
    ) -> wasmtime::Result<Result<Resource<OutgoingBody>, ()>> {
        let request = self.table.get_mut(&request)?;
        let Ok(announced) = request.headers.content_length() else {
            return Ok(Err(()));
        };
        if std::mem::replace(&mut request.has_body, true) {
            return Ok(Err(()));
        }
        let body = OutgoingBody::new(request.exchange.clone(), announced);
        Ok(Ok(self.table.push(body)?))
    }

    fn method(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Method> {
        Ok(self.table.get(&request)?.method.clone())
    }

    fn set_method(
        &mut self,
        request: Resource<OutgoingRequest>,
        method: Method,
    ) -> wasmtime::Result<Result<(), ()>> {
        let is_valid = match &method {
            Method::Other(name) => http::Method::from_str(name).is_ok(),
            _ => true,
        };
        let request = self.table.get_mut(&request)?;
        Ok(set(&mut request.method, method, is_valid))
    }

    fn path_with_query(
        &mut self,
        request: Resource<OutgoingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&request)?.path_with_query.clone())
    }

    fn set_path_with_query(
        &mut self,
        request: Resource<OutgoingRequest>,
        path: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let is_valid = path.as_deref().is_none_or(is_path);
        let request = self.table.get_mut(&request)?;
        Ok(set(&mut request.path_with_query, path, is_valid))
    }

    fn scheme(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Option<Scheme>> {
        Ok(self.table.get(&request)?.scheme.clone())
    }

    fn set_scheme(
        &mut self,
        request: Resource<OutgoingRequest>,
        scheme: Option<Scheme>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let is_valid = match &scheme {
            Some(Scheme::Other(name)) => http::uri::Scheme::from_str(name).is_ok(),
            _ => true,
        };
        let request = self.table.get_mut(&request)?;
        Ok(set(&mut request.scheme, scheme, is_valid))
    }

    fn authority(
        &mut self,
        request: Resource<OutgoingRequest>,
    ) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&request)?.authority.clone())
    }

    fn set_authority(
        &mut self,
        request: Resource<OutgoingRequest>,
        authority: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let is_valid = authority
            .as_deref()
            .is_none_or(|text| http::uri::Authority::from_str(text).is_ok());
        let request = self.table.get_mut(&request)?;
        Ok(set(&mut request.authority, authority, is_valid))
    }

    fn headers(
        &mut self,
        request: Resource<OutgoingRequest>,
    ) -> wasmtime::Result<Resource<Fields>> {
        let request = self.table.get(&request)?;
        let headers = request.headers.copy(&self.http.room)?.fixed();
        Ok(self.table.push(headers)?)
    }

    fn drop(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<()> {
        self.table.delete(request)?;
        Ok(())
    }
}

fn set<T>(place: &mut T, value: T, is_valid: bool) -> Result<(), ()> {
    if !is_valid {
        return Err(());
    }
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasi::http::room::Room;

    fn request(method: Method, path: Option<&str>, headers: &[(&str, &str)]) -> OutgoingRequest {
        let room = Room::default();
        let header = |(name, value): &(&str, &str)| HttpHeader {
            name: (*name).to_owned(),
            value: value.as_bytes().to_vec(),
        };
        let headers = headers.iter().map(header).collect();
        OutgoingRequest {
            method,
            scheme: Some(Scheme::Http),
            authority: Some("host.test:81".to_owned()),
            path_with_query: path.map(str::to_owned),
            headers: Fields::of_response(&room, headers).unwrap(),
            exchange: Shared::new(&room, 0).unwrap(),
            has_body: false,
        }
    }

    #[test]
    fn an_address_is_put_together() {
        let table = [
            (None, "http://host.test:81/"),
            (Some(""), "http://host.test:81/"),
            (Some("/a?b"), "http://host.test:81/a?b"),
            (Some("?b"), "http://host.test:81/?b"),
        ];
        for (path, url) in table {
            let draft = request(Method::Get, path, &[]).draft(None).unwrap();
            assert_eq!(draft.request.url, url);
        }
        let mut secure = request(Method::Get, None, &[]);
        secure.scheme = None;
        let draft = secure.draft(None).unwrap();
        assert_eq!(draft.request.url, "https://host.test:81/");
        secure.authority = None;
        let refused = secure.draft(None).unwrap_err();
        assert!(matches!(refused, ErrorCode::HttpRequestUriInvalid));
    }

    #[test]
    fn what_changes_something_gets_a_key() {
        let wants_key = |method: &Method, headers| {
            let draft = request(method.clone(), None, headers).draft(None);
            draft.unwrap().wants_key
        };
        assert!(!wants_key(&Method::Get, &[]));
        assert!(!wants_key(&Method::Options, &[]));
        for method in [
            Method::Post,
            Method::Delete,
            Method::Other("LINK".to_owned()),
        ] {
            assert!(wants_key(&method, &[]));
            assert!(!wants_key(&method, &[("Idempotency-Key", "own")]));
        }
    }

    #[test]
    fn a_header_asks_for_pieces_and_is_not_sent() {
        let headers = [("Taskyard-Stream", "1"), ("accept", "a")];
        let draft = request(Method::Get, None, &headers).draft(None).unwrap();
        assert_eq!(draft.reading, Reading::Pieces);
        let names: Vec<_> = draft.request.headers.iter().map(|it| &it.name).collect();
        assert_eq!(names, ["accept"]);
        let draft = request(Method::Get, None, &headers[1..])
            .draft(None)
            .unwrap();
        assert_eq!(draft.reading, Reading::AsItComes);
    }

    #[test]
    fn paths_stand_behind_authorities() {
        for (text, expected) in [
            ("", true),
            ("/", true),
            ("/a?b", true),
            ("?b", true),
            ("a", false),
            ("*", false),
            ("http://other/", false),
            ("/a b", false),
        ] {
            assert_eq!(is_path(text), expected, "{text:?}");
        }
    }
}

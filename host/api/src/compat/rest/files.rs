//! How often the bytes of a file are encoded in base64.
//!
//! 0.3's gRPC definition has bytes there, and JSON encodes bytes once. The Python and Java SDKs put the base64
//! text of 0.3's JSON-RPC where the definition has the bytes, so that JSON encodes it once more, and read
//! answers in the same way. No file shows which it is: the digits of a SHA-256 are good base64 as well. So
//! never the content decides, but who sends it.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::request::{Members, checked};
use super::shape;
use crate::Door;
use crate::config::FileEncoding;
use crate::error::Violation;
use crate::single;

/// How often a client encodes the bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Once,
    Twice,
}

/// What the SDKs that encode twice call themselves: by the names of the HTTP clients in them. What is built
/// on the same HTTP client by hand looks alike.
const PYTHON: &str = "python-httpx/";
const JAVA: &str = "Java-http-client/";

impl Encoding {
    /// The encoding of the client that sent a request with this body, and reads the answer to it.
    ///
    /// # Errors
    /// If the client would have to tell, and calls itself by two names.
    pub(super) fn of(door: &Door, head: &Parts, body: &Value) -> Result<Self, Violation> {
        match door.config.file_encoding_0_3 {
            FileEncoding::Once => return Ok(Self::Once),
            FileEncoding::Twice => return Ok(Self::Twice),
            FileEncoding::ByClient => {}
        }
        let user_agent = user_agent(&head.headers)?;
        let encoding = Self::by_client(user_agent, body);
        if encoding == Self::Twice {
            // Whether or not there is a file in the request: there may be one in any answer.
            door.notices.files_encoded_twice(user_agent);
        }
        Ok(encoding)
    }

    /// The Python SDK writes the configuration of every send, so a send without one is not its own.
    fn by_client(user_agent: &str, body: &Value) -> Self {
        let is_other = body.get("message").is_some() && body.get("configuration").is_none();
        match user_agent {
            agent if agent.starts_with(PYTHON) && !is_other => Self::Twice,
            agent if agent.starts_with(JAVA) => Self::Twice,
            _ => Self::Once,
        }
    }

    /// Leaves the files of a canonical request encoded once.
    ///
    /// # Errors
    /// Names the first file that is not encoded as often as this client should.
    pub(super) fn undo(self, request: &mut Members) -> Result<(), Violation> {
        if self == Self::Once {
            return Ok(());
        }
        let parts = request
            .get_mut("message")
            .and_then(|message| message.get_mut("content"))
            .and_then(Value::as_array_mut);
        for (index, part) in parts.into_iter().flatten().enumerate() {
            if let Some(bytes) = part.get_mut("file").and_then(|file| file.get_mut(BYTES)) {
                *bytes = inner(bytes).ok_or_else(|| encoded_once(index))?;
            }
        }
        Ok(())
    }

    /// The base64 text of a file as this client reads it.
    pub(super) fn apply(self, base64: &str) -> String {
        match self {
            Self::Once => base64.to_owned(),
            Self::Twice => STANDARD.encode(base64.as_bytes()),
        }
    }
}

/// What the client calls itself; nothing if that is no text, as the clients that matter here write one.
fn user_agent(headers: &HeaderMap) -> Result<&str, Violation> {
    let lines = headers.get_all(header::USER_AGENT).into_iter();
    let lines = lines.map(|line| line.to_str().unwrap_or_default().trim());
    let mut found = None;
    for line in lines.filter(|line| !line.is_empty()) {
        let one = single::same(found, line);
        found = Some(one.map_err(|differs| Violation::new("User-Agent", differs))?);
    }
    Ok(found.unwrap_or_default())
}

const BYTES: &str = "fileWithBytes";

/// The base64 text that was encoded once more, in its canonical form.
fn inner(bytes: &Value) -> Option<Value> {
    let text = String::from_utf8(STANDARD.decode(bytes.as_str()?).ok()?).ok()?;
    let file = checked(&shape::FILE, Some(json!({BYTES: text})));
    file.ok()?.swap_remove(BYTES)
}

fn encoded_once(index: usize) -> Violation {
    Violation::new(
        format!("message.content[{index}].file.{BYTES}"),
        "must be base64 within base64, as the Python and Java SDKs write it; if you encode files once, send a User-Agent of your own",
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const SHA_256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn members(encoded: &str) -> Members {
        let body =
            json!({"message": {"content": [{"text": "x"}, {"file": {"fileWithBytes": encoded}}]}});
        body.as_object().unwrap().clone()
    }

    fn read(encoding: Encoding, encoded: &str) -> Result<Vec<u8>, Violation> {
        let mut request = members(encoded);
        encoding.undo(&mut request)?;
        let bytes = &request["message"]["content"][1]["file"]["fileWithBytes"];
        Ok(STANDARD.decode(bytes.as_str().unwrap()).unwrap())
    }

    #[test]
    fn the_client_decides() {
        let (sdk, other) = (
            json!({"message": {}, "configuration": {}}),
            json!({"message": {}}),
        );
        for (user_agent, body, encoding) in [
            ("python-httpx/0.28.1", &sdk, Encoding::Twice),
            ("python-httpx/0.28.1", &json!({}), Encoding::Twice),
            ("python-httpx/0.28.1", &other, Encoding::Once),
            ("Java-http-client/21.0.2", &other, Encoding::Twice),
            ("node", &sdk, Encoding::Once),
            ("curl/8.5.0", &sdk, Encoding::Once),
            ("my-client python-httpx/0.28.1", &sdk, Encoding::Once),
            ("", &sdk, Encoding::Once),
        ] {
            assert_eq!(
                Encoding::by_client(user_agent, body),
                encoding,
                "{user_agent}"
            );
        }
    }

    #[test]
    fn a_client_has_one_name() {
        for (lines, expected) in [
            (&[][..], Some("")),
            (&["", "curl/8.5.0"], Some("curl/8.5.0")),
            (&["curl/8.5.0", "curl/8.5.0"], Some("curl/8.5.0")),
            (&["a b (c, d)"], Some("a b (c, d)")),
            (&["\u{e9}"], Some("")),
            (&["curl/8.5.0", "python-httpx/0.28.1"], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                let value = HeaderValue::from_bytes(line.as_bytes()).unwrap();
                headers.append(header::USER_AGENT, value);
            }
            let found = user_agent(&headers);
            assert_eq!(found.ok(), expected, "{lines:?}");
        }
    }

    #[test]
    fn content_does_not_decide() {
        let once = STANDARD.encode(SHA_256);
        assert_eq!(read(Encoding::Once, &once).unwrap(), SHA_256.as_bytes());
        let twice = STANDARD.encode(&once);
        assert_eq!(read(Encoding::Twice, &twice).unwrap(), SHA_256.as_bytes());
    }

    #[test]
    fn what_is_not_encoded_as_it_should_be_is_refused() {
        let refused = read(Encoding::Twice, &STANDARD.encode([0, 159, 146, 150])).unwrap_err();
        assert_eq!(refused.field, "message.content[1].file.fileWithBytes");
        assert!(refused.problem.contains("User-Agent"), "{refused}");
    }

    proptest! {
        #[test]
        fn a_file_survives_the_way_out_and_in(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            for encoding in [Encoding::Once, Encoding::Twice] {
                let encoded = encoding.apply(&STANDARD.encode(&bytes));
                prop_assert_eq!(read(encoding, &encoded).unwrap(), bytes.clone());
            }
        }
    }
}

//! What the beginning of a request says, where it is refused before it could be read whole: cut off, not quite
//! JSON, too large, or from nobody who may call.
//!
//! What was read up to there counts, so that a client with many calls on the way knows which one failed.

use std::fmt;

use a2a::JsonRpcId;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// What was found of a request.
#[derive(Debug)]
pub(super) struct Beginning {
    /// `null` if it is not there, or not to be read.
    pub(super) id: JsonRpcId,
    pub(super) method: Option<String>,
}

#[derive(Debug, Default)]
struct Found {
    id: Option<JsonRpcId>,
    method: Option<String>,
}

/// Looks at how a body begins.
pub(super) fn read(body: &[u8]) -> Beginning {
    let text = taskyard_json::mended(body);
    // A number at the end of what is there may go on behind it.
    let text = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    // How it ends does not matter: what is wrong with the body is said elsewhere.
    let _ = Search(&mut found).deserialize(&mut reader);
    Beginning {
        id: found.id.unwrap_or(JsonRpcId::Null),
        method: found.method,
    }
}

/// Leaves what it comes across, also if it cannot read on.
struct Search<'a>(&'a mut Found);

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "id" => self.0.id = serde_json::from_value(members.next_value::<Value>()?).ok(),
                "method" => self.0.method = serde_json::from_value(members.next_value()?).ok(),
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    /// A batch, which is refused as a whole: under the id of its request if it has but one.
    fn visit_seq<A: SeqAccess<'de>>(self, mut requests: A) -> Result<(), A::Error> {
        requests.next_element_seed(Search(&mut *self.0))?;
        let ends = requests.next_element::<IgnoredAny>();
        if !matches!(ends, Ok(None)) {
            self.0.id = None;
        }
        ends.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_beginning(body: &[u8]) -> JsonRpcId {
        read(body).id
    }

    #[test]
    fn a_method_is_found_before_the_end() {
        let method = |body: &str| read(body.as_bytes()).method;
        assert_eq!(
            method(r#"{"method": "m", "params": {"a": "#).as_deref(),
            Some("m")
        );
        assert_eq!(method(r#"{"params": {"method": "m"}, "method": "#), None);
        assert_eq!(method(r#"{"method": 7, "id": 1}"#), None);
    }

    #[track_caller]
    fn check(body: &str, id: impl Into<Option<i64>>) {
        let id = id.into().map_or(JsonRpcId::Null, JsonRpcId::Number);
        assert_eq!(in_beginning(body.as_bytes()), id, "{body}");
    }

    #[test]
    fn an_id_is_found_wherever_it_was_read() {
        check(r#"{"jsonrpc": "2.0", "id": 7, "method": "m"}"#, 7);
        check(r#"{"params": {"id": 1, "a": [{}]}, "id": 7}"#, 7);
        check(r#"{"id": 7} x"#, 7);
        check(r#"{"id": 7, "params": {"text": "cut o"#, 7);
        check(r#"{"id": 7, method: "m"}"#, 7);
        check(r#"{"id": 7,"#, 7);
        check("\u{feff}{\"\\ud83d\": 1, \"id\": 7}", 7);
        let text = in_beginning(br#"{"id": "r-1", "params"#);
        assert_eq!(text, "r-1".into());
    }

    #[test]
    fn what_is_no_id_is_none() {
        for body in [
            "",
            "{",
            "7",
            "\"id\"",
            r#"{"params": {"id": 7}}"#,
            r#"{"method": "m"}"#,
            r#"{"id": {"a": 7}}"#,
            r#"{"id": true}"#,
            r#"{"id": 7.5}"#,
            // It may have been 71.
            r#"{"id": 7"#,
            r#"{"id": "r-"#,
            r#"{"params": "cut off", "id"#,
            r#"{"params": [}, "id": 7}"#,
        ] {
            check(body, None);
        }
    }

    #[test]
    fn a_batch_of_one_has_an_id_and_others_have_many() {
        check(r#"[{"id": 7}]"#, 7);
        for many in [r#"[{"id": 7}, {"id": 8}]"#, r#"[{"id": 7}, "#, "[]", "[7]"] {
            check(many, None);
        }
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = "[".repeat(60_000);
        check(&deep, None);
        check(&format!(r#"{{"id": 7, "params": {deep}"#), 7);
    }

    proptest! {
        #[test]
        fn a_cut_changes_no_id(id in any::<i64>(), text in ".*", cut in 0..100usize) {
            let body = serde_json::json!({"id": id, "method": text}).to_string();
            let body = body.as_bytes();
            let found = in_beginning(&body[..cut.min(body.len())]);
            prop_assert!(found == JsonRpcId::Null || found == JsonRpcId::Number(id), "{found:?}");
        }
    }
}

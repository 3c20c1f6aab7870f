//! What is mended, and that nothing else changes.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{from_slice, mended};

#[track_caller]
fn check(written: &[u8], expected: Value) {
    assert_eq!(from_slice::<Value>(written).unwrap(), expected);
}

#[test]
fn half_a_character_costs_a_character() {
    check(br#""\ud83d\ude00""#, json!("😀"));
    check(br#""\ud83d""#, json!("\u{fffd}"));
    check(br#""\uDE00""#, json!("\u{fffd}"));
    check(br#""a\ud83d\ud83d\ude00b""#, json!("a\u{fffd}😀b"));
    check(br#""\ude00\ud83d""#, json!("\u{fffd}\u{fffd}"));
    check(br#""\ud83d\n""#, json!("\u{fffd}\n"));
    check(br#"{"\ud83d":1}"#, json!({"\u{fffd}": 1}));
}

#[test]
fn an_escaped_backslash_begins_no_escape() {
    check(br#""\\ud83d""#, json!("\\ud83d"));
    check(br#""\\\ud83d""#, json!("\\\u{fffd}"));
}

#[test]
fn a_mark_in_front_and_bytes_that_are_no_text_are_mended() {
    check(b"\xef\xbb\xbf{\"a\":1}", json!({"a": 1}));
    check(b"\"caf\xe9\"", json!("caf\u{fffd}"));
    check(b"\xef\xbb\xbf\"\xff\\ud800\"", json!("\u{fffd}\u{fffd}"));
}

#[test]
fn what_is_not_json_is_still_refused() {
    for wrong in [
        &b""[..],
        b"{",
        b"\\ud83d",
        b"\"\\ud8\"",
        b"\"\\ud83",
        b"\"\\",
        b"{a:1}",
        b"\x1f\x8b\x08",
    ] {
        assert!(from_slice::<Value>(wrong).is_err(), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn well_formed_json_is_read_as_it_is(value in "\\PC*", key in ".*") {
        let written = json!({key: [value]}).to_string();
        prop_assert!(matches!(mended(written.as_bytes()), Cow::Borrowed(_)));
        prop_assert_eq!(from_slice::<Value>(written.as_bytes()).unwrap(), serde_json::from_str::<Value>(&written).unwrap());
    }

    #[test]
    fn any_units_in_a_string_can_be_read(units in proptest::collection::vec(any::<u16>(), 0..20)) {
        let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
        let read: String = from_slice(format!("\"{escaped}\"").as_bytes()).unwrap();
        prop_assert_eq!(read, String::from_utf16_lossy(&units));
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(prop_oneof![Just(b'\\'), Just(b'u'), Just(b'd'), Just(b'8'), Just(b'"'), any::<u8>()], 0..40)) {
        let _ = from_slice::<Value>(&bytes);
    }
}

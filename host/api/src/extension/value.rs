//! Reading the values of extensions. Pure.

use a2a_pb::{pbconv, proto};
use chrono::{DateTime, FixedOffset};
use serde_json::Value;
use taskyard_task::{Priority, TaskState, Timestamp, wire};

/// An integer from -9 to 9.
pub(super) fn priority(value: &Value) -> Option<Priority> {
    let number = i8::try_from(value.as_i64()?).ok()?;
    Priority::try_from(number).ok()
}

/// A moment in RFC 3339, as the last millisecond that is not after it.
pub(super) fn moment_until(value: &Value) -> Option<Timestamp> {
    millis(moment(value)?.timestamp_millis())
}

/// A moment in RFC 3339, as the first millisecond that is not before it.
pub(super) fn moment_since(value: &Value) -> Option<Timestamp> {
    let moment = moment(value)?;
    let begun = i64::from(!moment.timestamp_subsec_nanos().is_multiple_of(1_000_000));
    millis(moment.timestamp_millis().saturating_add(begun))
}

fn moment(value: &Value) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok()
}

/// What was before 1970 was before everything here.
fn millis(millis: i64) -> Option<Timestamp> {
    Some(Timestamp(u64::try_from(millis).unwrap_or_default()))
}

/// States by their names or numbers in the protocol's definition, each once, in the order given.
pub(super) fn states(value: &Value) -> Option<Vec<TaskState>> {
    let mut states = Vec::new();
    for item in value.as_array()? {
        let state = state(item)?;
        if !states.contains(&state) {
            states.push(state);
        }
    }
    Some(states)
}

fn state(value: &Value) -> Option<TaskState> {
    let number = match value {
        Value::String(name) => proto::TaskState::from_str_name(name)?.into(),
        other => i32::try_from(other.as_i64()?).ok()?,
    };
    wire::state_from_a2a(&pbconv::from_proto_task_state(number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn priorities_are_small_integers() {
        for number in -9..=9i8 {
            assert_eq!(priority(&json!(number)).unwrap().number(), number);
        }
        for wrong in [
            json!(10),
            json!(-10),
            json!(1.5),
            json!("1"),
            json!(null),
            json!(300),
        ] {
            assert_eq!(priority(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn moments_are_rounded_away_from_what_is_promised() {
        for (text, until, since) in [
            ("1970-01-01T00:00:01Z", 1_000, 1_000),
            ("1970-01-01T00:00:01.0020001Z", 1_002, 1_003),
            ("1970-01-01T01:00:00+01:00", 0, 0),
            ("1960-01-01T00:00:00Z", 0, 0),
        ] {
            assert_eq!(moment_until(&json!(text)), Some(Timestamp(until)), "{text}");
            assert_eq!(moment_since(&json!(text)), Some(Timestamp(since)), "{text}");
        }
        for wrong in [
            json!("tomorrow"),
            json!(1),
            json!("2026-01-01"),
            json!(null),
        ] {
            assert_eq!(moment_until(&wrong), None, "{wrong}");
            assert_eq!(moment_since(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn states_have_names_and_numbers() {
        use TaskState::{Completed, Failed};
        let both = json!(["TASK_STATE_COMPLETED", 4, 3]);
        assert_eq!(states(&both), Some(vec![Completed, Failed]));
        assert_eq!(states(&json!([])), Some(vec![]));
        for wrong in [
            json!(["completed"]),
            json!(["TASK_STATE_UNSPECIFIED"]),
            json!([0]),
            json!([99]),
            json!([-1]),
            json!([1.5]),
            json!([null]),
            json!("TASK_STATE_COMPLETED"),
        ] {
            assert_eq!(states(&wrong), None, "{wrong}");
        }
    }
}

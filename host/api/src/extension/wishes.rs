//! What a send asks for through extensions.

use serde_json::Value;
use taskyard_broker::Wishes;
use taskyard_task::{TaskState, Timestamp};

use super::given::{Field, given};
use super::{Extension, value};
use crate::error::Violation;
use crate::parameters::Parameters;

/// What a send asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// When a new task is to run.
    pub(crate) wishes: Wishes,
    /// The states that the webhook of the send is to hear of.
    pub(crate) on: Option<Vec<TaskState>>,
}

/// Reads it from the canonical `params`.
///
/// # Errors
/// Names the first field that cannot be what it says, or that cannot be there.
pub(crate) fn asked(
    params: &Value,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Asked, Violation> {
    let read = Reader { params, parameters };
    let field = read.wish(Extension::Priority, "priority")?;
    let priority = map(field, value::priority, "must be an integer from -9 to 9")?;
    let field = read.wish(Extension::NotBefore, "notBefore")?;
    let not_before = map(field, value::moment_since, NO_MOMENT)?;
    let deadline = match read.wish(Extension::Deadline, "deadline")? {
        Some(field) => Some(deadline(&field, not_before)?),
        None => None,
    };
    read.nothing(Extension::StreamResume)?;
    read.nothing(Extension::IdempotencyKey)?;
    Ok(Asked {
        wishes: Wishes {
            priority: priority.unwrap_or_default(),
            deadline,
            // Who asks for a moment that has come asks for nothing.
            not_before: not_before.filter(|moment| *moment > now),
        },
        on: read.states()?,
    })
}

/// Whose field the broker names when it refuses a wish.
pub(crate) fn path_of(wish: &str) -> Option<String> {
    let extension = match wish {
        "deadline" => Extension::Deadline,
        "notBefore" => Extension::NotBefore,
        _ => return None,
    };
    Some(format!("metadata.{}.{wish}", extension.uri()))
}

const NO_MOMENT: &str = "must be an RFC 3339 timestamp such as 2026-01-31T12:00:00Z";

fn map<T>(
    field: Option<Field<'_>>,
    read: impl FnOnce(&Value) -> Option<T>,
    problem: &str,
) -> Result<Option<T>, Violation> {
    let Some(field) = field else {
        return Ok(None);
    };
    let value = read(field.value).ok_or_else(|| field.refuse(problem))?;
    Ok(Some(value))
}

fn deadline(field: &Field<'_>, not_before: Option<Timestamp>) -> Result<Timestamp, Violation> {
    let moment = value::moment_until(field.value).ok_or_else(|| field.refuse(NO_MOMENT))?;
    match not_before.is_some_and(|begin| moment <= begin) {
        true => Err(field.refuse("must be after the moment before which the task must not run")),
        false => Ok(moment),
    }
}

struct Reader<'a> {
    params: &'a Value,
    parameters: &'a Parameters,
}

impl<'a> Reader<'a> {
    /// The field of an extension that says how a new task begins.
    fn wish(&self, extension: Extension, name: &str) -> Result<Option<Field<'a>>, Violation> {
        let Some(given) = given(self.params, self.parameters, extension)? else {
            return Ok(None);
        };
        match self.params.pointer("/message/taskId") {
            Some(_) => {
                Err(given.refuse("is for new tasks, and the message is for one that exists"))
            }
            None => given.field(name).map(Some),
        }
    }

    fn states(&self) -> Result<Option<Vec<TaskState>>, Violation> {
        let Some(given) = given(self.params, self.parameters, Extension::NotificationFilter)?
        else {
            return Ok(None);
        };
        let webhook = "/configuration/taskPushNotificationConfig";
        if self.params.pointer(webhook).is_none() {
            let problem =
                "needs configuration.taskPushNotificationConfig, whose notifications it filters";
            return Err(given.refuse(problem));
        }
        let field = given.field("on")?;
        let states = value::states(field.value).filter(|states| !states.is_empty());
        let problem = "must be a list of task states such as TASK_STATE_COMPLETED";
        states.map(Some).ok_or_else(|| field.refuse(problem))
    }

    /// Extensions that a request has nothing to say about in its metadata.
    fn nothing(&self, extension: Extension) -> Result<(), Violation> {
        match given(self.params, self.parameters, extension)? {
            Some(given) => Err(given.refuse("takes no values in requests; leave it out")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;
    use taskyard_task::Priority;

    use super::*;
    use crate::parameters::Version;

    const NOW: Timestamp = Timestamp(1_000);
    const SOON: &str = "1970-01-01T00:00:02Z";
    const LATER: &str = "1970-01-01T00:00:03Z";

    /// All extensions are active.
    fn active() -> Parameters {
        let uris = Extension::ALL.map(Extension::uri).join(",");
        let request = Request::builder().header("a2a-extensions", uris);
        let (head, ()) = request.body(()).unwrap().into_parts();
        Parameters::read(&head, Version::V1, None)
    }

    fn inactive() -> Parameters {
        Parameters::read(&Request::new(()).into_parts().0, Version::V1, None)
    }

    fn metadata(values: &[(Extension, Value)]) -> Value {
        let members = values.iter();
        members
            .map(|(extension, value)| (extension.uri().to_owned(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    fn send(values: &[(Extension, Value)]) -> Value {
        json!({"message": {}, "metadata": metadata(values)})
    }

    fn ask(params: &Value) -> Result<Asked, Violation> {
        asked(params, &active(), NOW)
    }

    #[track_caller]
    fn refused(params: &Value, field: &str) {
        assert_eq!(ask(params).unwrap_err().field, field);
    }

    #[test]
    fn wishes_are_read_from_the_request_or_else_the_message() {
        let values = [
            (Extension::Priority, json!({"priority": 3})),
            (Extension::NotBefore, json!({"notBefore": SOON})),
            (Extension::Deadline, json!({"deadline": LATER})),
        ];
        let expected = Wishes {
            priority: Priority::try_from(3).unwrap(),
            not_before: Some(Timestamp(2_000)),
            deadline: Some(Timestamp(3_000)),
        };
        assert_eq!(ask(&send(&values)).unwrap().wishes, expected);
        let in_message = json!({"message": {"metadata": metadata(&values)}});
        assert_eq!(ask(&in_message).unwrap().wishes, expected);
        assert_eq!(ask(&json!({"message": {}})), Ok(Asked::default()));
    }

    #[test]
    fn nothing_is_silently_ignored() {
        for extension in Extension::ALL {
            let path = format!("metadata.{}", extension.uri());
            let params = send(&[(extension, json!({}))]);
            let refused = asked(&params, &inactive(), NOW).unwrap_err();
            assert_eq!(refused.field, path);
            assert!(refused.problem.contains("A2A-Extensions"));
            self::refused(&send(&[(extension, json!(1))]), &path);
        }
        let other = send(&[(Extension::Priority, json!({"priority": 1, "prio": 2}))]);
        refused(&other, "metadata.urn:taskyard:extension:priority:v1.prio");
        let none = send(&[(Extension::Priority, json!({}))]);
        refused(
            &none,
            "metadata.urn:taskyard:extension:priority:v1.priority",
        );
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        for (extension, name, value) in [
            (Extension::Priority, "priority", json!(10)),
            (Extension::Deadline, "deadline", json!("soon")),
            (Extension::NotBefore, "notBefore", json!(5)),
        ] {
            let path = format!("metadata.{}.{name}", extension.uri());
            refused(&send(&[(extension, json!({name: value}))]), &path);
        }
    }

    #[test]
    fn a_deadline_is_after_the_beginning() {
        let deadline = "metadata.urn:taskyard:extension:deadline:v1.deadline";
        for end in [SOON, "1970-01-01T00:00:01.5Z"] {
            let values = [
                (Extension::NotBefore, json!({"notBefore": SOON})),
                (Extension::Deadline, json!({"deadline": end})),
            ];
            refused(&send(&values), deadline);
        }
    }

    #[test]
    fn a_moment_that_has_come_is_no_wish() {
        for past in ["1960-01-01T00:00:00Z", "1970-01-01T00:00:01Z"] {
            let params = send(&[(Extension::NotBefore, json!({"notBefore": past}))]);
            assert_eq!(ask(&params), Ok(Asked::default()));
        }
    }

    #[test]
    fn wishes_are_for_new_tasks() {
        let mut params = send(&[(Extension::Priority, json!({"priority": 0}))]);
        params["message"]["taskId"] = json!("t");
        refused(&params, "metadata.urn:taskyard:extension:priority:v1");
    }

    #[test]
    fn a_filter_needs_a_webhook_and_states() {
        let uri = "metadata.urn:taskyard:extension:notification-filter:v1";
        let filter = |on: Value| send(&[(Extension::NotificationFilter, json!({"on": on}))]);
        refused(&filter(json!(["TASK_STATE_FAILED"])), uri);
        let with_webhook = |on| {
            let mut params = filter(on);
            params["configuration"] = json!({"taskPushNotificationConfig": {"url": "u"}});
            params
        };
        for wrong in [json!([]), json!(["failed"]), json!("TASK_STATE_FAILED")] {
            refused(&with_webhook(wrong), &format!("{uri}.on"));
        }
        let mut params = with_webhook(json!(["TASK_STATE_FAILED"]));
        let on = Some(vec![TaskState::Failed]);
        assert_eq!(ask(&params).unwrap().on, on);
        params["message"]["taskId"] = json!("t");
        assert_eq!(ask(&params).unwrap().on, on);
    }
}

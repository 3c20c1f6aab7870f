//! What to tell a client whose method and version do not fit together, or whose method is of neither.

use crate::Config;
use crate::compat;
use crate::error::ApiError;
use crate::operation::Operation;
use crate::parameters::{AskedVersion, Version};

/// The methods of 0.2 that have another name now, and the one that they have in 0.3.
const RENAMED: [(&str, &str); 5] = [
    ("tasks/send", "message/send"),
    ("tasks/sendSubscribe", "message/stream"),
    (
        "tasks/pushNotification/set",
        "tasks/pushNotificationConfig/set",
    ),
    (
        "tasks/pushNotification/get",
        "tasks/pushNotificationConfig/get",
    ),
    (
        "agent/authenticatedExtendedCard",
        "agent/getAuthenticatedExtendedCard",
    ),
];

/// What fits a request for `operation`, a method of 1.0, that names another version.
pub(super) fn for_operation(config: &Config, operation: Operation) -> String {
    let name = operation.name();
    let old = compat::method_of(config, operation);
    let old = old.map(|old| format!("; in version 0.3 the method is {old}"));
    format!(
        "{name} is a method of 1.0, so send the header A2A-Version: 1.0{}",
        old.unwrap_or_default()
    )
}

/// Why there is no method `name` for a request of this version.
pub(super) fn unknown_method(config: &Config, asked: AskedVersion, name: &str) -> ApiError {
    if let Some(operation) = compat::operation_of(name) {
        return of_0_3(config, asked, name, operation);
    }
    if asked.version().is_none() {
        return asked.refused("send the header A2A-Version: 1.0".to_owned());
    }
    ApiError::no_method(name, of_0_2(config, name).unwrap_or_default())
}

/// A method of 0.3 that was not served as one: the request names another version, or 0.3 is off.
fn of_0_3(config: &Config, asked: AskedVersion, name: &str, operation: Operation) -> ApiError {
    let new = format!("call {} with the header A2A-Version: 1.0", operation.name());
    let advice = match config.protocol_0_3 {
        true => format!(
            "{name} is a method of 0.3, so send the header A2A-Version: 0.3, or none; or {new}"
        ),
        false => format!("this host does not speak 0.3; {new}"),
    };
    match asked.version() {
        Some(Version::V1) => ApiError::no_method(name, format!(" in version 1.0: {advice}")),
        Some(Version::V03) | None => asked.refused(advice),
    }
}

fn of_0_2(config: &Config, name: &str) -> Option<String> {
    let (_, old) = RENAMED.iter().find(|(older, _)| *older == name)?;
    let new = compat::operation_of(old)?.name();
    let old = match config.protocol_0_3 {
        true => format!("{old} of 0.3, or "),
        false => String::new(),
    };
    Some(format!(
        ", which is of version 0.2: call {old}{new} with the header A2A-Version: 1.0"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(old: bool, version: Option<&str>, name: &str) -> String {
        let config = Config {
            protocol_0_3: old,
            ..Config::default()
        };
        let asked = match version {
            Some(version) => AskedVersion::Named(version.to_owned()),
            None => AskedVersion::Absent,
        };
        let error = match Operation::parse(name) {
            Some(operation) => asked
                .require_v1(|| for_operation(&config, operation))
                .unwrap_err(),
            None => unknown_method(&config, asked, name),
        };
        format!("{} {error}", error.code())
    }

    #[test]
    #[rustfmt::skip]
    fn advice_fits_what_was_sent() {
        for (old, version, name, expected) in [
            (true, None, "SendMessage",
             "-32009 the request names no protocol version, which means 0.3: SendMessage is a method of 1.0, so send the header A2A-Version: 1.0; in version 0.3 the method is message/send"),
            (false, Some("0.3"), "SendMessage",
             "-32009 the protocol version \"0.3\" is not served for this request: SendMessage is a method of 1.0, so send the header A2A-Version: 1.0"),
            (true, None, "ListTasks",
             "-32009 the request names no protocol version, which means 0.3: ListTasks is a method of 1.0, so send the header A2A-Version: 1.0"),
            (true, Some("1.0"), "message/send",
             "-32601 there is no method \"message/send\" in version 1.0: message/send is a method of 0.3, so send the header A2A-Version: 0.3, or none; or call SendMessage with the header A2A-Version: 1.0"),
            (true, Some("2.0"), "tasks/get",
             "-32009 the protocol version \"2.0\" is not served for this request: tasks/get is a method of 0.3, so send the header A2A-Version: 0.3, or none; or call GetTask with the header A2A-Version: 1.0"),
            (false, None, "tasks/get",
             "-32009 the request names no protocol version, which means 0.3: this host does not speak 0.3; call GetTask with the header A2A-Version: 1.0"),
            (true, None, "tasks/send",
             "-32601 there is no method \"tasks/send\", which is of version 0.2: call message/send of 0.3, or SendMessage with the header A2A-Version: 1.0"),
            (false, Some("1.0"), "tasks/sendSubscribe",
             "-32601 there is no method \"tasks/sendSubscribe\", which is of version 0.2: call SendStreamingMessage with the header A2A-Version: 1.0"),
            (true, None, "Dance", "-32601 there is no method \"Dance\""),
            (true, Some("2.0"), "Dance",
             "-32009 the protocol version \"2.0\" is not served for this request: send the header A2A-Version: 1.0"),
        ] {
            assert_eq!(said(old, version, name), expected);
        }
    }

    #[test]
    fn what_was_renamed_has_a_name_now() {
        for (older, old) in RENAMED {
            assert!(compat::operation_of(older).is_none(), "{older}");
            assert!(compat::operation_of(old).is_some(), "{old}");
        }
    }
}

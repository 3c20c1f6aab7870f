//! Headers that workers cannot set.

use crate::OpError;

/// Headers that are about the connection, besides all whose names begin with `proxy-`. The host makes the
/// connection, and would not send them.
const CONNECTION_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Refuses headers that would not be sent.
pub(super) fn check(headers: &[(String, String)]) -> Result<(), OpError> {
    let unsent = headers.iter().find(|(name, _)| is_about_connection(name));
    match unsent {
        None => Ok(()),
        Some((name, _)) => Err(OpError::Invalid(format!(
            "the header {name:?} is about the connection and set by the host; omit it"
        ))),
    }
}

fn is_about_connection(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CONNECTION_HEADERS.contains(&name.as_str()) || name.starts_with("proxy-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_that_of_the_host() {
        assert_eq!(CONNECTION_HEADERS, taskyard_task::http::CONNECTION_HEADERS);
        for name in ["proxy-authorization", "proxy", "accept", "x-host"] {
            let of_host = taskyard_task::http::is_about_connection(name);
            assert_eq!(is_about_connection(name), of_host, "{name}");
        }
    }

    #[test]
    fn headers_of_the_connection_are_refused_by_name() {
        for name in [
            "Host",
            "CONNECTION",
            "Content-Length",
            "Transfer-Encoding",
            "te",
            "Proxy-Authorization",
        ] {
            let refused = check(&[
                ("accept".to_owned(), String::new()),
                (name.to_owned(), String::new()),
            ]);
            let text = refused.unwrap_err().to_string();
            assert!(text.contains(&format!("the header {name:?}")), "{text}");
        }
        assert_eq!(check(&[("content-type".to_owned(), String::new())]), Ok(()));
    }
}

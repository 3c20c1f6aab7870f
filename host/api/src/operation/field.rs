//! Fields that several requests have.

use axum::http::HeaderMap;
use taskyard_broker::Watch;
use taskyard_task::{Seq, TaskId};

use crate::error::{ApiError, Violation};
use crate::follow::Start;
use crate::single;

/// The largest page that a client can ask for (A2A 3.1.4).
const MAX_PAGE_SIZE: i32 = 100;
/// The page that a client gets that asks for none (A2A 3.1.4).
const DEFAULT_PAGE_SIZE: i32 = 50;

/// The task that an id names. One that is no id of this host's names no task.
pub(super) fn task_id(text: &str) -> Result<TaskId, ApiError> {
    text.parse().map_err(|_| ApiError::TaskNotFound)
}

/// How many messages of the history the client wants; `None`: all (A2A 3.2.4).
pub(super) fn history_length(field: &str, length: Option<i32>) -> Result<Option<usize>, Violation> {
    let counted =
        |length| usize::try_from(length).map_err(|_| Violation::new(field, "must not be negative"));
    length.map(counted).transpose()
}

/// How many items the client wants on a page of tasks, whose definition names the bounds.
pub(super) fn page_size(size: Option<i32>) -> Result<i32, Violation> {
    match size.unwrap_or(DEFAULT_PAGE_SIZE) {
        size @ 1..=MAX_PAGE_SIZE => Ok(size),
        _ => Err(Violation::new(
            "pageSize",
            format!("must be between 1 and {MAX_PAGE_SIZE}"),
        )),
    }
}

/// How many items the client wants at most on a page whose definition names no bounds: a larger page than
/// there is gets what there is.
pub(super) fn capped_page_size(size: Option<i32>) -> Result<i32, Violation> {
    match size.unwrap_or(DEFAULT_PAGE_SIZE) {
        size @ 1.. => Ok(size.min(MAX_PAGE_SIZE)),
        _ => Err(Violation::new("pageSize", "must not be negative")),
    }
}

/// The last event that a reconnecting client has seen, as `EventSource` says it.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<Seq>, Violation> {
    match single::header(headers, LAST_EVENT_ID)?.map(str::parse) {
        Some(Ok(seq)) => Ok(Some(Seq(seq))),
        Some(Err(_)) => Err(foreign_event()),
        None => Ok(None),
    }
}

/// The stream of `watch` for a client that has seen the event `seq`.
pub(super) fn resume(watch: &Watch, seq: Seq) -> Result<Start, Violation> {
    match seq <= watch.header().last {
        true => Ok(Start::After(seq)),
        false => Err(foreign_event()),
    }
}

fn foreign_event() -> Violation {
    Violation::new(LAST_EVENT_ID, "must be the id of an event of this task")
}

const LAST_EVENT_ID: &str = "Last-Event-ID";

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn ids_that_cannot_be_ours_name_no_task() {
        for foreign in ["", "x", "../x", "123"] {
            assert_eq!(task_id(foreign), Err(ApiError::TaskNotFound), "{foreign}");
        }
        assert!(task_id("0190163d-8694-739b-aea5-966c26f8ad91").is_ok());
    }

    #[test]
    fn lengths_and_sizes_have_bounds() {
        assert_eq!(history_length("f", None), Ok(None));
        assert_eq!(history_length("f", Some(0)), Ok(Some(0)));
        assert!(history_length("f", Some(-1)).is_err());
        assert_eq!(page_size(None), Ok(50));
        assert_eq!(page_size(Some(1)), Ok(1));
        assert_eq!(page_size(Some(100)), Ok(100));
        for outside in [-1, 0, 101, i32::MAX] {
            assert!(page_size(Some(outside)).is_err(), "{outside}");
        }
        for (asked, given) in [(None, 50), (Some(1), 1), (Some(100), 100), (Some(101), 100)] {
            assert_eq!(capped_page_size(asked), Ok(given));
        }
        assert!(capped_page_size(Some(-1)).is_err());
    }

    #[test]
    fn the_last_event_is_a_number() {
        let read = |value: &'static str| {
            let name = HeaderName::from_static("last-event-id");
            last_event_id(&HeaderMap::from_iter([(
                name,
                HeaderValue::from_static(value),
            )]))
        };
        assert_eq!(last_event_id(&HeaderMap::new()), Ok(None));
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("17"), Ok(Some(Seq(17))));
        assert_eq!(read("17, 17"), Ok(Some(Seq(17))));
        for wrong in ["-1", "x", "1.5", "99999999999999999999", "17, 18"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

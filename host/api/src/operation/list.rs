//! `ListTasks` (A2A 3.1.4).

use a2a::{ListTasksRequest, ListTasksResponse};
use chrono::{DateTime, Utc};
use serde_json::Value;
use taskyard_broker::ListQuery;
use taskyard_task::Timestamp;
use taskyard_task::wire::{self, Projection};

use super::{Answer, Holes, Plain, field, request};
use crate::call::Call;
use crate::error::ApiError;
use crate::lenient::requests::LIST_TASKS;

/// A page of the tasks that the caller may see, newest status first.
pub(crate) async fn list(call: Call, params: Option<Value>) -> Result<Answer, ApiError> {
    let request: ListTasksRequest = request(&LIST_TASKS, params)?;
    let page_size = field::page_size(request.page_size)?;
    let projection = Projection {
        history_length: field::history_length("historyLength", request.history_length)?,
        artifacts: request.include_artifacts.unwrap_or(false),
    };
    let query = ListQuery {
        context_id: request.context_id,
        state: request.status.as_ref().and_then(wire::state_from_a2a),
        updated_since: request.status_timestamp_after.map(first_moment_since),
        page_size: usize::try_from(page_size).unwrap_or_default(),
        page_token: request.page_token,
        history_length: projection.history_length,
        artifacts: projection.artifacts,
    };
    let page = call
        .broker()
        .list(&call.caller, &call.agent.name, query)
        .await?;
    let mut holes = Holes::new(&call.door.ids);
    let tasks = page.tasks.into_iter();
    let plain = Plain::Tasks(ListTasksResponse {
        tasks: tasks
            .map(|task| holes.show(call.broker(), task, projection))
            .collect(),
        next_page_token: page.next_page_token,
        page_size,
        total_size: i32::try_from(page.total).unwrap_or(i32::MAX),
    });
    Ok(Answer::pieced(plain, holes))
}

/// The first moment, in the milliseconds that this host counts, that is not before `at`.
fn first_moment_since(at: DateTime<Utc>) -> Timestamp {
    let begun = u64::from(!at.timestamp_subsec_nanos().is_multiple_of(1_000_000));
    // What was before 1970 was before everything here.
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    Timestamp(millis.saturating_add(begun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rounded_up_to_what_tasks_can_have() {
        let of = |text: &str| first_moment_since(text.parse().unwrap()).0;
        assert_eq!(of("1970-01-01T00:00:01Z"), 1_000);
        assert_eq!(of("1970-01-01T00:00:01.002Z"), 1_002);
        assert_eq!(of("1970-01-01T00:00:01.002000001Z"), 1_003);
        assert_eq!(of("1969-12-31T23:59:59Z"), 0);
    }
}

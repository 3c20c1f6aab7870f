//! Tells the outside, if the operator wants that.

use std::time::Duration;

use serde::Serialize;
use taskyard_sdk::http::Retry;
use taskyard_sdk::prelude::*;

use crate::reminder::Reminder;

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// With growing delays these take some minutes: long enough for a restart on the other side.
const ATTEMPTS: u32 = 10;

#[derive(Serialize)]
struct Notification<'a> {
    text: &'a str,
    due: String,
}

/// Posts the reminder to the `notify_url` of the configuration.
pub(crate) fn send(task: &Task, reminder: &Reminder) -> Result<()> {
    let Some(url) = task.config().get::<String>("notify_url")? else {
        return Ok(());
    };
    let notification = Notification {
        text: &reminder.text,
        due: reminder.due_text(),
    };
    http::request("POST", url)
        .json(&notification)?
        // A crash may send it twice; with the same key the other side can tell.
        .idempotency_key(format!("{}/{}", task.identity().task_id, reminder.times))
        .timeout(TIMEOUT)
        .retry(Retry::times(ATTEMPTS))
        .send()?
        .ok()?;
    Ok(())
}

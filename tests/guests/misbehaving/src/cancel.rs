//! Does not stop when asked to.

use std::time::Duration;

use taskyard_sdk::prelude::*;

use crate::Args;

const PAUSE: Duration = Duration::from_millis(10);

pub(crate) fn ignores(task: &Task, _: &Args) -> Result<Outcome> {
    loop {
        let _ = task.progress_note("still here");
        let _ = task.sleep(PAUSE);
    }
}

pub(crate) fn calls_after_stop(task: &Task, _: &Args) -> Result<Outcome> {
    while !task.cancel_requested() {
        let _ = task.sleep(PAUSE);
    }
    loop {
        let _ = task.progress_note("still here");
        let _ = task.say("and still talking");
    }
}

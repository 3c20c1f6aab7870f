//! What goes wrong on the other side.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::http::StatusCode;

/// How the next requests for each path fail.
#[derive(Default)]
pub(super) struct Script(Mutex<HashMap<String, (usize, StatusCode)>>);

impl Script {
    pub(super) fn fail(&self, path: &str, times: usize, status: StatusCode) {
        self.0
            .lock()
            .unwrap()
            .insert(path.to_owned(), (times, status));
    }

    /// How this request fails, if it does.
    pub(super) fn failure(&self, path: &str) -> Option<StatusCode> {
        let mut script = self.0.lock().unwrap();
        let (times, status) = script.get_mut(path)?;
        *times = times.checked_sub(1)?;
        Some(*status)
    }
}

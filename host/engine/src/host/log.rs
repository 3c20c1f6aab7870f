//! `taskyard:worker/log`: diagnostics for the operator.

use super::Ctx;
use crate::bindings::taskyard::worker::log::{Host, Level};

impl Host for Ctx {
    fn write(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let Some(diagnostics) = self.ephemeral("taskyard:worker/log.write")? else {
            return Ok(());
        };
        let message = diagnostics.cut(&message);
        let fields = fields_text(&fields);
        let fields = diagnostics.cut(&fields);
        emit(level, message, fields);
        Ok(())
    }
}

/// The fields as one text: what the worker calls them is not known beforehand.
fn fields_text(fields: &[(String, String)]) -> String {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    fields.join(" ")
}

fn emit(level: Level, message: &str, fields: &str) {
    match level {
        Level::Trace => tracing::trace!(target: "taskyard_worker", fields, "{message}"),
        Level::Debug => tracing::debug!(target: "taskyard_worker", fields, "{message}"),
        Level::Info => tracing::info!(target: "taskyard_worker", fields, "{message}"),
        Level::Warn => tracing::warn!(target: "taskyard_worker", fields, "{message}"),
        Level::Error => tracing::error!(target: "taskyard_worker", fields, "{message}"),
    }
}

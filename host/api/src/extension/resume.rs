//! Events that carry their numbers, for clients whose binding has no other place for them.

use std::collections::HashMap;

use a2a::StreamResponse;
use serde_json::{Value, json};
use taskyard_task::Seq;

use super::Extension;

/// Writes the number of an event into its metadata. A direct message has none: nothing comes behind it.
pub(crate) fn number(event: &mut StreamResponse, seq: Seq) {
    let metadata = match event {
        StreamResponse::Task(task) => &mut task.metadata,
        StreamResponse::StatusUpdate(update) => &mut update.metadata,
        StreamResponse::ArtifactUpdate(update) => &mut update.metadata,
        StreamResponse::Message(_) => return,
    };
    write(metadata.get_or_insert_default(), seq);
}

fn write(metadata: &mut HashMap<String, Value>, seq: Seq) {
    let uri = Extension::StreamResume.uri().to_owned();
    metadata.insert(uri, json!({"sequence": seq.0}));
}

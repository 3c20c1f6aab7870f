//! The example workers that show durable execution, on the real binary: what clients and the outside see of them,
//! whatever happens to the host meanwhile.

mod answers;
mod codings;
mod notebook;
mod pipeline;
mod reminder;
mod research;

use crate::support::model::Model;

/// The rules for an agent that may ask the model, with its key, and everything else, without.
fn egress(model: &Model) -> String {
    let key = serde_json::json!({"authorization": "Bearer {openai}"});
    let rules = serde_json::json!([
        {"host": model.model_origin(), "inject": key},
        {"host": model.origin()},
    ]);
    rules.to_string()
}

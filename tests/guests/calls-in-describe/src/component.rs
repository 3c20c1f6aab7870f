//! The whole worker, on the plain bindings.

#![expect(
    unsafe_code,
    reason = "`bindings::export!` declares the functions that the component exports"
)]

mod bindings {
    //! What wit-bindgen generates from `wit/`.
    wit_bindgen::generate!({ path: "../../../wit", world: "worker" });
}

use bindings::exports::taskyard::worker::handler::{Failure, Guest, Manifest, Message, Outcome};
use bindings::taskyard::worker::types::{Part, PartBody};
use bindings::taskyard::worker::{log, task};

struct Early;

impl Guest for Early {
    /// Describes itself properly if the host lets the calls pass.
    fn describe() -> Manifest {
        log::write(log::Level::Info, "too early", &[]);
        let refusal = task::say(&[text("too early")]);
        Manifest {
            name: "calls-in-describe".to_owned(),
            version: "0.1.0".to_owned(),
            description: format!("Was told: {refusal:?}"),
            skills: Vec::new(),
            input_modes: Vec::new(),
            output_modes: Vec::new(),
        }
    }

    fn run(_: Message, _: Option<Vec<u8>>) -> Result<Outcome, Failure> {
        Ok(Outcome::Completed(vec![text(
            "this plugin should not have been loaded",
        )]))
    }
}

fn text(text: &str) -> Part {
    Part {
        body: PartBody::Text(text.to_owned()),
        media_type: None,
        filename: None,
        metadata: None,
    }
}

bindings::export!(Early with_types_in bindings);

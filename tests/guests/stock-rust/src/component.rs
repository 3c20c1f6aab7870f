//! The worker: what it exports and how it puts artifacts.

#![expect(
    unsafe_code,
    reason = "`bindings::export!` declares the functions that the component exports"
)]

mod bindings {
    //! What wit-bindgen generates from `wit/`.
    wit_bindgen::generate!({ path: "../../../wit", world: "worker" });
}

use bindings::exports::taskyard::worker::handler::{
    Disposition, Failure, Guest, Manifest, Message, Outcome, Skill,
};
use bindings::taskyard::worker::artifacts::{Spec, put};
use bindings::taskyard::worker::types::{Part, PartBody};

use crate::scenes;

struct Stock;

impl Guest for Stock {
    fn describe() -> Manifest {
        let skill = |name: &str| Skill {
            id: name.to_owned(),
            name: name.to_owned(),
            description: format!("Plays the scene `{name}`."),
            tags: Vec::new(),
            examples: Vec::new(),
            input_modes: Vec::new(),
            output_modes: Vec::new(),
        };
        Manifest {
            name: "stock-rust".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "Uses stock libraries of Rust.".to_owned(),
            skills: scenes::NAMES.map(skill).to_vec(),
            input_modes: Vec::new(),
            output_modes: Vec::new(),
        }
    }

    fn run(input: Message, _: Option<Vec<u8>>) -> Result<Outcome, Failure> {
        let text = input.parts.into_iter().find_map(|part| match part.body {
            PartBody::Text(text) => Some(text),
            _ => None,
        });
        let text = text.unwrap_or_default();
        let (scene, url) = text.split_once(' ').unwrap_or((&text, ""));
        let played = wstd::runtime::block_on(scenes::play(scene, url));
        played.map_err(failure)?;
        Ok(Outcome::Completed(Vec::new()))
    }
}

/// Puts what a scene saw.
pub(crate) fn show(scene: &str, seen: String) -> Result<(), String> {
    let spec = Spec {
        id: scene.to_owned(),
        name: None,
        description: None,
        metadata: None,
    };
    let part = Part {
        body: PartBody::Text(seen),
        media_type: None,
        filename: None,
        metadata: None,
    };
    put(&spec, &[part]).map_err(|error| error.to_string())
}

fn failure(message: String) -> Failure {
    Failure {
        code: "scene".to_owned(),
        message,
        disposition: Disposition::Permanent,
    }
}

bindings::export!(Stock with_types_in bindings);

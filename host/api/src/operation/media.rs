//! Whether an agent takes the media types of a message (A2A 3.3.2, ContentTypeNotSupportedError).

use taskyard_task::{Manifest, Message};

use crate::error::ApiError;

/// Refuses the first part whose media type the agent did not declare. Parts without one pass.
pub(super) fn check(manifest: &Manifest, message: &Message) -> Result<(), ApiError> {
    let parts = message.parts.iter().enumerate();
    let mut typed = parts.filter_map(|(index, part)| Some((index, part.media_type.as_deref()?)));
    match typed.find(|(_, media_type)| !takes(manifest, media_type)) {
        Some((index, media_type)) => Err(ApiError::ContentTypeNotSupported {
            field: format!("message.parts[{index}].mediaType"),
            media_type: media_type.to_owned(),
        }),
        None => Ok(()),
    }
}

/// What the agent and its skills declare; an agent that declares nothing takes everything.
fn takes(manifest: &Manifest, media_type: &str) -> bool {
    let skills = manifest.skills.iter().flat_map(|skill| &skill.input_modes);
    manifest.input_modes.is_empty()
        || manifest
            .input_modes
            .iter()
            .chain(skills)
            .any(|mode| matches(mode, media_type))
}

/// Whether `mode`, which may be `*/*` or `type/*`, covers `media_type`. Parameters do not count.
fn matches(mode: &str, media_type: &str) -> bool {
    let (mode, media_type) = (essence(mode), essence(media_type));
    match mode.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => media_type.split('/').next() == Some(kind),
        _ => mode == media_type,
    }
}

fn essence(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use taskyard_task::{Part, Skill};

    use super::*;

    fn manifest(own: &[&str], of_a_skill: &[&str]) -> Manifest {
        let texts = |modes: &[&str]| modes.iter().map(ToString::to_string).collect();
        Manifest {
            name: "echo".parse().unwrap(),
            version: "1.0.0".to_owned(),
            description: String::new(),
            skills: vec![Skill {
                id: "s".to_owned(),
                name: "s".to_owned(),
                description: String::new(),
                tags: Vec::new(),
                examples: Vec::new(),
                input_modes: texts(of_a_skill),
                output_modes: Vec::new(),
            }],
            input_modes: texts(own),
            output_modes: Vec::new(),
        }
    }

    fn check_takes(own: &[&str], of_a_skill: &[&str], media_type: Option<&str>) -> bool {
        let part = Part {
            media_type: media_type.map(str::to_owned),
            ..Part::text("x")
        };
        let message = Message {
            id: "m".to_owned(),
            parts: vec![Part::text("first"), part],
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        };
        check(&manifest(own, of_a_skill), &message).is_ok()
    }

    #[test]
    fn declared_types_are_taken() {
        assert!(check_takes(&["text/csv"], &[], Some("text/csv")));
        assert!(check_takes(
            &["text/csv"],
            &[],
            Some("Text/CSV; header=present")
        ));
        assert!(check_takes(
            &["text/csv"],
            &["image/png"],
            Some("image/png")
        ));
        assert!(!check_takes(
            &["text/csv"],
            &["image/png"],
            Some("text/plain")
        ));
    }

    #[test]
    fn wildcards_cover_what_they_say() {
        assert!(check_takes(&["*/*"], &[], Some("image/png")));
        assert!(check_takes(&["image/*"], &[], Some("image/png")));
        assert!(!check_takes(&["image/*"], &[], Some("text/plain")));
        assert!(!check_takes(&["image/*"], &[], Some("imagery/png")));
    }

    #[test]
    fn who_declares_nothing_takes_everything_and_untyped_parts_pass() {
        assert!(check_takes(&[], &["image/png"], Some("text/plain")));
        assert!(check_takes(&["image/png"], &[], None));
    }

    #[test]
    fn the_refusal_names_the_part() {
        let message = Message {
            id: "m".to_owned(),
            parts: vec![Part {
                media_type: Some("a/b".to_owned()),
                ..Part::text("x")
            }],
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        };
        let error = check(&manifest(&["text/plain"], &[]), &message).unwrap_err();
        assert_eq!(
            error.to_string(),
            "message.parts[0].mediaType has the media type \"a/b\", which the agent does not take"
        );
    }
}

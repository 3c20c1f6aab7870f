//! Checks what a worker says about itself.

use std::collections::HashSet;
use std::fmt::Display;

use taskyard_task::visible::is_deceptive;
use taskyard_task::{AgentName, Manifest, Skill};

use crate::bindings::exports::taskyard::worker::handler;
use crate::diagnostics::cut;

/// All texts of a manifest together: it is sent with every agent card.
const MAX_BYTES: usize = 256 << 10;
const MAX_DESCRIPTION_BYTES: usize = 16 << 10;
const MAX_SKILLS: usize = 128;
const MAX_SKILL_ID_BYTES: usize = 128;
/// Of the worker, and of each skill.
const MAX_MODES: usize = 64;
const MAX_MODE_BYTES: usize = 255;
/// How many problems are named; more do not help.
const MAX_PROBLEMS: usize = 10;
/// How much of a wrong value is shown.
const SHOWN_BYTES: usize = 80;

/// Checks a manifest.
///
/// # Errors
/// All that is wrong with it, for the author of the worker.
pub(crate) fn check(manifest: handler::Manifest) -> Result<Manifest, String> {
    let mut problems = Problems(Vec::new());
    if size(&manifest) > MAX_BYTES {
        problems.add("manifest", format_args!("is larger than {MAX_BYTES} bytes"));
        return Err(problems.text());
    }
    if let Err(error) = semver::Version::parse(&manifest.version) {
        let version = shown(&manifest.version);
        problems.add(
            "version",
            format_args!("{version} is no SemVer 2.0: {error}"),
        );
    }
    problems.check_text("description", &manifest.description);
    problems.check_modes("the worker", &manifest.input_modes);
    problems.check_modes("the worker", &manifest.output_modes);
    problems.check_skills(&manifest.skills);
    let name = AgentName::try_from(manifest.name.clone())
        .map_err(|error| problems.add("name", format_args!("{}: {error}", shown(&manifest.name))));
    match name {
        Ok(name) if problems.0.is_empty() => Ok(accepted(name, manifest)),
        _ => Err(problems.text()),
    }
}

fn accepted(name: AgentName, manifest: handler::Manifest) -> Manifest {
    Manifest {
        name,
        version: manifest.version,
        description: manifest.description,
        skills: manifest.skills.into_iter().map(skill).collect(),
        input_modes: manifest.input_modes,
        output_modes: manifest.output_modes,
    }
}

fn skill(skill: handler::Skill) -> Skill {
    Skill {
        id: skill.id,
        name: skill.name,
        description: skill.description,
        tags: skill.tags,
        examples: skill.examples,
        input_modes: skill.input_modes,
        output_modes: skill.output_modes,
    }
}

/// What is wrong.
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, place: &str, problem: impl Display) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(format!("{place}: {problem}"));
        }
    }

    fn text(&self) -> String {
        self.0.join("; ")
    }

    fn check_text(&mut self, place: &str, text: &str) {
        if text.trim().is_empty() {
            self.add(place, "must not be empty");
        }
        self.check_visible(place, text);
        if text.len() > MAX_DESCRIPTION_BYTES {
            let problem = format!("must not be longer than {MAX_DESCRIPTION_BYTES} bytes");
            self.add(place, problem);
        }
    }

    fn check_visible(&mut self, place: &str, text: &str) {
        if text
            .chars()
            .any(|c| is_deceptive(c) && !matches!(c, '\n' | '\t'))
        {
            self.add(
                place,
                "must not have control characters, nor others that cannot be seen",
            );
        }
    }

    fn check_modes(&mut self, whose: &str, modes: &[String]) {
        if modes.len() > MAX_MODES {
            self.add(whose, format_args!("has more than {MAX_MODES} media types"));
        }
        for mode in modes {
            if !is_media_type(mode) {
                self.add(whose, format_args!("{} is no media type", shown(mode)));
            }
        }
    }

    fn check_skills(&mut self, skills: &[handler::Skill]) {
        if skills.len() > MAX_SKILLS {
            self.add("skills", format_args!("must not be more than {MAX_SKILLS}"));
        }
        let mut ids = HashSet::new();
        for skill in skills {
            let place = format!("skill {}", shown(&skill.id));
            if !(1..=MAX_SKILL_ID_BYTES).contains(&skill.id.len()) {
                self.add(&place, "its id must have between 1 and 128 bytes");
            }
            if !ids.insert(&skill.id) {
                self.add(&place, "its id is used twice");
            }
            self.check_text(&format!("name of {place}"), &skill.name);
            self.check_text(&format!("description of {place}"), &skill.description);
            self.check_visible(&place, &skill.id);
            for text in skill.tags.iter().chain(&skill.examples) {
                self.check_visible(&format!("tags and examples of {place}"), text);
            }
            self.check_modes(&place, &skill.input_modes);
            self.check_modes(&place, &skill.output_modes);
        }
    }
}

/// Something like `text/csv; charset=utf-8`.
fn is_media_type(mode: &str) -> bool {
    let parts = mode.split_once('/');
    mode.len() <= MAX_MODE_BYTES
        && !mode.chars().any(is_deceptive)
        && parts.is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
}

fn shown(text: &str) -> String {
    format!("{:?}", cut(text, SHOWN_BYTES))
}

fn size(manifest: &handler::Manifest) -> usize {
    let own = [&manifest.name, &manifest.version, &manifest.description];
    let modes = manifest.input_modes.iter().chain(&manifest.output_modes);
    let skills: usize = manifest.skills.iter().map(skill_size).sum();
    skills + own.into_iter().chain(modes).map(String::len).sum::<usize>()
}

fn skill_size(skill: &handler::Skill) -> usize {
    let own = [&skill.id, &skill.name, &skill.description];
    let lists = skill.tags.iter().chain(&skill.examples);
    let modes = skill.input_modes.iter().chain(&skill.output_modes);
    own.into_iter()
        .chain(lists)
        .chain(modes)
        .map(String::len)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skill(id: &str) -> handler::Skill {
        handler::Skill {
            id: id.to_owned(),
            name: "Report".to_owned(),
            description: "Reports.".to_owned(),
            tags: Vec::new(),
            examples: Vec::new(),
            input_modes: vec!["text/csv".to_owned()],
            output_modes: Vec::new(),
        }
    }

    fn manifest() -> handler::Manifest {
        handler::Manifest {
            name: "csv-report".to_owned(),
            version: "1.2.3-rc.1".to_owned(),
            description: "Turns CSV files into reports.".to_owned(),
            skills: vec![skill("report"), skill("summary")],
            input_modes: Vec::new(),
            output_modes: vec!["text/markdown".to_owned()],
        }
    }

    /// What is said about a manifest after `change`.
    fn problems(change: impl FnOnce(&mut handler::Manifest)) -> String {
        let mut manifest = manifest();
        change(&mut manifest);
        check(manifest).map_or_else(|problems| problems, |_| "none".to_owned())
    }

    #[test]
    fn a_proper_manifest_passes() {
        let accepted = check(manifest()).unwrap();
        assert_eq!(accepted.name.as_str(), "csv-report");
        assert_eq!(accepted.skills.len(), 2);
        assert_eq!(accepted.skills[1].id, "summary");
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut handler::Manifest), expected: &str) {
        let said = problems(change);
        assert!(said.contains(expected), "{expected:?} not in {said:?}");
    }

    #[test]
    fn each_lie_is_named() {
        let evil = "\"../Evil\": an agent name must be";
        refused(|m| m.name = "../Evil".to_owned(), evil);
        refused(|m| m.version = "newest".to_owned(), "is no SemVer");
        refused(|m| m.description.clear(), "description: must not be empty");
        let long = "x".repeat(MAX_DESCRIPTION_BYTES + 1);
        refused(|m| m.description = long, "not be longer than 16384 bytes");
        let markdown = "\"markdown\" is no media type";
        refused(|m| m.output_modes[0] = "markdown".to_owned(), markdown);
    }

    #[test]
    fn lies_about_skills_are_named() {
        refused(
            |m| m.skills[0].examples = vec!["a\u{1b}[2J".to_owned()],
            "control characters",
        );
        refused(
            |m| m.skills[0].name = "a\u{202e}b".to_owned(),
            "control characters",
        );
        let twice = "\"report\": its id is used twice";
        refused(|m| m.skills[1].id = "report".to_owned(), twice);
        refused(|m| m.skills[0].id.clear(), "between 1 and 128 bytes");
        refused(|m| m.skills[0].name = " ".to_owned(), "name of skill");
        let many = (0..=MAX_SKILLS).map(|number| skill(&number.to_string()));
        refused(|m| m.skills = many.collect(), "not be more than 128");
    }

    #[test]
    fn all_problems_are_told_at_once_but_not_more_than_help() {
        let said = problems(|m| {
            m.name = String::new();
            m.version = "1".to_owned();
        });
        assert!(said.contains("version") && said.contains("name"), "{said}");

        let many = problems(|m| m.output_modes = vec!["x".to_owned(); 50]);
        assert_eq!(many.split("; ").count(), MAX_PROBLEMS);
    }

    #[test]
    fn a_manifest_has_a_size() {
        let said = problems(|m| m.skills[0].examples = vec!["x".repeat(MAX_BYTES)]);
        assert!(said.contains("larger than"), "{said}");
    }
}

//! What an agent can do, and which of it only known callers are shown.

use a2a::AgentSkill;
use taskyard_task::{Agent, Skill};

use crate::Config;

/// Who reads a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Anybody.
    Anybody,
    /// A caller that the gate knows (A2A 3.1.11).
    Caller,
}

/// The skills that `reader` is shown.
pub(super) fn shown(config: &Config, agent: &Agent, reader: Reader) -> Vec<AgentSkill> {
    let hidden = match reader {
        Reader::Anybody => config.private_skills_of(&agent.name),
        Reader::Caller => None,
    };
    let is_hidden = |skill: &&Skill| hidden.is_some_and(|hidden| hidden.contains(&skill.id));
    let skills = agent.manifest.skills.iter();
    skills
        .filter(|skill| !is_hidden(skill))
        .map(skill)
        .collect()
}

/// Whether the operator keeps skills of `agent` private that it does not have: what the extended card is
/// to add does not exist.
pub(super) fn misses_private(config: &Config, agent: &Agent) -> bool {
    let mut skills = agent.manifest.skills.iter();
    config
        .private_skills_of(&agent.name)
        .is_some_and(|private| !skills.any(|skill| private.contains(&skill.id)))
}

fn skill(skill: &Skill) -> AgentSkill {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    AgentSkill {
        id: skill.id.clone(),
        name: skill.name.clone(),
        description: skill.description.clone(),
        tags: skill.tags.clone(),
        examples: some(&skill.examples),
        input_modes: some(&skill.input_modes),
        output_modes: some(&skill.output_modes),
        security_requirements: None,
    }
}

//! Agent cards (A2A 8): what clients need to know to call an agent, made from what is deployed now.

mod conditional;
mod interfaces;
mod security;
mod serve;
mod skills;

use a2a::{AgentCapabilities, AgentCard, AgentCardSignature, AgentExtension, AgentProvider};
use axum::http::request::Parts;
use taskyard_signing::{CardSignature, Keyring};
use taskyard_task::Agent;

use crate::Door;
use crate::base::Base;
use crate::error::ApiError;
use crate::extension::Extension;
use crate::target::Target;

pub(crate) use serve::{jwks, list, show};
pub(crate) use skills::Reader;

/// Where the public halves of the host's keys are.
pub(crate) const JWKS_PATH: &str = ".well-known/jwks.json";

/// An agent's card before it is signed.
#[derive(Debug)]
pub(crate) struct Card {
    content: AgentCard,
    /// Where the agent is.
    url: String,
    /// Where the public halves of the host's keys are; none if the card must not be signed, because nobody
    /// but the request says that this host is where the card leads.
    jwks_url: Option<String>,
}

impl Card {
    /// The card of `agent` as `reader` sees it, for whoever asked at `target`.
    pub(crate) fn new(
        door: &Door,
        agent: &Agent,
        target: &Target,
        request: &Parts,
        reader: Reader,
    ) -> Self {
        let base = door.base(request);
        Self {
            content: content(door, agent, target, &base, reader),
            url: base.join(&target.path_of(agent.name.as_str())),
            jwks_url: base.is_certain().then(|| base.join(JWKS_PATH)),
        }
    }

    /// The card with the signatures of all keys, if it may be signed.
    ///
    /// # Errors
    /// [`ApiError::Internal`] if it cannot be signed.
    pub(crate) fn signed(self, keys: &Keyring) -> Result<AgentCard, ApiError> {
        let signatures = self.signatures(keys)?;
        let signatures = signatures.map(|all| all.into_iter().map(signature).collect());
        Ok(AgentCard {
            signatures,
            ..self.content
        })
    }

    fn is_signed(&self) -> bool {
        self.jwks_url.is_some()
    }

    // What is signed is the card of 1.0 alone; members for older clients are not part of it.
    fn signatures(&self, keys: &Keyring) -> Result<Option<Vec<CardSignature>>, ApiError> {
        let Some(jwks_url) = &self.jwks_url else {
            return Ok(None);
        };
        let card = serde_json::to_value(&self.content);
        let card = card.map_err(|error| ApiError::Internal(error.to_string()))?;
        let signed = keys.sign_card(&card, jwks_url);
        let signed = signed.map_err(|error| ApiError::Internal(error.to_string()))?;
        Ok(Some(signed))
    }
}

fn signature(made: CardSignature) -> AgentCardSignature {
    AgentCardSignature {
        protected: made.protected,
        signature: made.signature,
        header: None,
    }
}

/// Whether the operator wants an extended card for `agent` that cannot be made: the skills that it is to
/// add do not exist.
pub(crate) fn lacks_extended(door: &Door, agent: &Agent) -> bool {
    skills::misses_private(&door.config, agent)
}

fn content(door: &Door, agent: &Agent, target: &Target, base: &Base, reader: Reader) -> AgentCard {
    let config = &door.config;
    let manifest = &agent.manifest;
    let security = security::of(&door.gate);
    AgentCard {
        name: agent.name.to_string(),
        description: manifest.description.clone(),
        version: manifest.version.clone(),
        supported_interfaces: interfaces::all(config, base, target, agent.name.as_str()),
        capabilities: capabilities(door, agent),
        default_input_modes: or_else(&manifest.input_modes, "*/*"),
        default_output_modes: or_else(&manifest.output_modes, "text/plain"),
        skills: skills::shown(config, agent, reader),
        provider: config.provider.as_ref().map(|provider| AgentProvider {
            organization: provider.organization.clone(),
            url: provider.url.clone(),
        }),
        documentation_url: config.documentation_url.clone(),
        icon_url: config.icon_url.clone(),
        security_schemes: security.schemes,
        security_requirements: security.requirements,
        signatures: None,
    }
}

fn capabilities(door: &Door, agent: &Agent) -> AgentCapabilities {
    AgentCapabilities {
        streaming: Some(door.config.streaming),
        push_notifications: Some(door.config.push_notifications),
        extensions: Some(extensions(door, agent)),
        // Only callers that showed who they are may see it (A2A 13.3).
        extended_agent_card: Some(!door.gate.is_open()),
    }
}

fn extensions(door: &Door, agent: &Agent) -> Vec<AgentExtension> {
    let required = door.config.required_extensions_of(&agent.name);
    let all = Extension::ALL.into_iter();
    all.map(|extension| extension.declared(required.contains(&extension)))
        .collect()
}

fn or_else(modes: &[String], default: &str) -> Vec<String> {
    match modes {
        [] => vec![default.to_owned()],
        modes => modes.to_vec(),
    }
}

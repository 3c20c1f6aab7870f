//! Agent cards for clients of version 0.3.
//!
//! One JSON text serves both versions: 0.3 reads members that 1.0 does not have, and the other way round.
//! They share `securitySchemes` alone, where each scheme is written in both ways at once. Clients that
//! expect either form ignore members that they do not know.

use a2a::{
    AgentCard, AgentInterface, SecurityScheme, TRANSPORT_PROTOCOL_HTTP_JSON,
    TRANSPORT_PROTOCOL_JSONRPC,
};
use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// The version of interfaces that speak 0.3.
const VERSION: &str = "0.3";
/// The same as cards of 0.3 say it.
const CARD_VERSION: &str = "0.3.0";

/// The bindings that 0.3 is spoken in, the preferred one first.
const BINDINGS: [&str; 2] = [TRANSPORT_PROTOCOL_JSONRPC, TRANSPORT_PROTOCOL_HTTP_JSON];

/// What a 1.0 card says about 0.3 being spoken at `url` as well: entries for the end of its
/// `supportedInterfaces`. Their tenant is part of the URL, as 0.3 has no field for it.
pub(crate) fn interfaces(url: &str) -> Vec<AgentInterface> {
    let interface = |binding: &&str| AgentInterface {
        protocol_version: VERSION.to_owned(),
        ..AgentInterface::new(url, *binding)
    };
    BINDINGS.iter().map(interface).collect()
}

/// The members that `card` needs for 0.3 clients of the agent at `url`. Those that it has already are
/// meant to be replaced.
pub(crate) fn legacy_members(card: &AgentCard, url: &str) -> Map<String, Value> {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("protocolVersion", CARD_VERSION.into());
    set("url", url.into());
    set("preferredTransport", TRANSPORT_PROTOCOL_JSONRPC.into());
    let others = BINDINGS.map(|transport| json!({"url": url, "transport": transport}));
    set("additionalInterfaces", json!(others));
    let extended = card.capabilities.extended_agent_card.unwrap_or(false);
    set("supportsAuthenticatedExtendedCard", extended.into());
    if let Some(requirements) = &card.security_requirements {
        set("security", json!(requirements));
    }
    if let Some(schemes) = &card.security_schemes {
        let schemes = schemes
            .iter()
            .map(|(name, scheme)| (name.clone(), both_ways(scheme)));
        set("securitySchemes", Value::Object(schemes.collect()));
    }
    members
}

/// The whole card of the agent at `url`, as clients of either version read it.
///
/// # Errors
/// If the card cannot be written as JSON.
pub(crate) fn for_both(card: &AgentCard, url: &str) -> serde_json::Result<Value> {
    let mut whole = serde_json::to_value(card)?;
    if let Value::Object(members) = &mut whole {
        members.extend(legacy_members(card, url));
    }
    Ok(whole)
}

/// The card for clients of 0.3 alone, who asked for it in their version.
///
/// # Errors
/// [`ApiError::Internal`] if it cannot be written, or does not say where 0.3 is spoken.
pub(super) fn alone(card: &AgentCard) -> Result<Value, ApiError> {
    let mut interfaces = card.supported_interfaces.iter();
    let old = interfaces.find(|interface| interface.protocol_version == VERSION);
    let old = old.ok_or_else(|| ApiError::Internal("the card has no 0.3 in it".to_owned()))?;
    let whole = for_both(card, &old.url);
    whole.map_err(|error| ApiError::Internal(error.to_string()))
}

/// A security scheme in the form of 1.0, and beside it in the form of 0.3 (OpenAPI 3.0).
fn both_ways(scheme: &SecurityScheme) -> Value {
    let new = json!(scheme);
    let mut both = new.as_object().cloned().unwrap_or_default();
    let inner = both.values().next().and_then(Value::as_object).cloned();
    for (name, value) in inner.unwrap_or_default() {
        let name = match (scheme, name.as_str()) {
            (SecurityScheme::ApiKey(_), "location") => "in".to_owned(),
            _ => name,
        };
        both.insert(name, value);
    }
    both.insert("type".to_owned(), old_type(scheme).into());
    Value::Object(both)
}

fn old_type(scheme: &SecurityScheme) -> &'static str {
    match scheme {
        SecurityScheme::ApiKey(_) => "apiKey",
        SecurityScheme::HttpAuth(_) => "http",
        SecurityScheme::OAuth2(_) => "oauth2",
        SecurityScheme::OpenIdConnect(_) => "openIdConnect",
        SecurityScheme::MutualTls(_) => "mutualTLS",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> AgentCard {
        let card = json!({
            "name": "echo",
            "description": "Says it again.",
            "version": "1.0.0",
            "supportedInterfaces": [],
            "capabilities": {"streaming": true, "extendedAgentCard": true},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "skills": [],
            "securitySchemes": {
                "bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer", "bearerFormat": "JWT"}},
                "key": {"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}},
            },
            "securityRequirements": [{"schemes": {"bearer": {"list": ["read"]}}}],
        });
        serde_json::from_value(card).unwrap()
    }

    #[test]
    fn old_members_stand_beside_the_new_ones() {
        let whole = for_both(&card(), "https://h/agents/echo").unwrap();
        assert_eq!(whole["protocolVersion"], "0.3.0");
        assert_eq!(whole["url"], "https://h/agents/echo");
        assert_eq!(whole["preferredTransport"], "JSONRPC");
        assert_eq!(
            whole["additionalInterfaces"],
            json!([
                {"url": "https://h/agents/echo", "transport": "JSONRPC"},
                {"url": "https://h/agents/echo", "transport": "HTTP+JSON"},
            ])
        );
        assert_eq!(whole["supportsAuthenticatedExtendedCard"], true);
        assert_eq!(whole["security"], json!([{"bearer": ["read"]}]));
        assert_eq!(whole["name"], "echo");
    }

    #[test]
    fn security_schemes_are_written_both_ways() {
        let whole = for_both(&card(), "https://h").unwrap();
        assert_eq!(
            whole["securitySchemes"],
            json!({
                "bearer": {
                    "httpAuthSecurityScheme": {"scheme": "Bearer", "bearerFormat": "JWT"},
                    "type": "http", "scheme": "Bearer", "bearerFormat": "JWT",
                },
                "key": {
                    "apiKeySecurityScheme": {"location": "header", "name": "X-Key"},
                    "type": "apiKey", "in": "header", "name": "X-Key",
                },
            })
        );
        let again: AgentCard = serde_json::from_value(whole).unwrap();
        assert_eq!(again, card());
    }

    #[test]
    fn interfaces_name_the_old_version() {
        let interfaces = interfaces("https://h");
        let versions: Vec<_> = interfaces
            .iter()
            .map(|i| i.protocol_version.as_str())
            .collect();
        assert_eq!(versions, ["0.3", "0.3"]);
    }
}
